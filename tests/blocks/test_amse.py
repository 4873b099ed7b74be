"""An FFN that makes its wide map band by band must give what it gives as a whole."""

import pytest
import torch
from torch import nn

from amsunet.blocks import FFN, amse


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Sizes of the maps that the depthwise convolution was given, with bands of a few rows."""
    monkeypatch.setattr(amse, "_BAND", 5 * 32 * 13 * 4)
    return []


def _ffn(calls: list[tuple[int, ...]], activation: nn.Module | None = None) -> FFN:
    torch.manual_seed(0)
    ffn = FFN(8, activation=activation).to(memory_format=torch.channels_last)
    ffn.depthwise.register_forward_pre_hook(lambda _, given: calls.append(tuple(given[0].shape)))
    return ffn


def _map(number: int = 1, height: int = 23) -> torch.Tensor:
    return torch.randn(number, 8, height, 13).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("activation", [None, nn.ReLU()])
@pytest.mark.parametrize(("number", "height"), [(1, 23), (1, 11), (1, 15), (3, 23)])
def test_bands_give_what_the_whole_gives(calls, activation, number, height):
    ffn, x = _ffn(calls, activation), _map(number, height)
    before = x.clone()
    whole = ffn(x).detach()
    assert calls == [(number, 32, height, 13)]
    calls.clear()
    with torch.inference_mode():
        out = ffn(x)
    assert len(calls) == number * -(-height // 5)
    assert {size[0] for size in calls} == {1}
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


def test_bands_under_autocast(calls):
    ffn, x = _ffn(calls), _map()
    with torch.autocast("cpu", torch.bfloat16):
        whole = ffn(x).detach()
        with torch.inference_mode():
            out = ffn(x)
    assert len(calls) > 2
    assert out.dtype == whole.dtype == torch.bfloat16
    torch.testing.assert_close(out, whole, rtol=2e-2, atol=2e-2)


def test_what_fits_or_is_traced_or_contiguous_goes_whole(calls):
    ffn = _ffn(calls)
    with torch.no_grad():
        ffn(_map(height=10))
        ffn(_map().contiguous())
        program = torch.export.export(ffn, (_map(),))
    assert [size[2] for size in calls] == [10, 23, 23]
    assert not [node for node in program.graph.nodes if "gelu_" in str(node.target) or "slice" in str(node.target)]
