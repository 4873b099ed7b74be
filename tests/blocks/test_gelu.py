"""GELU through a view must be the same function, there and back."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amsunet.blocks.gelu import GELU, gelu_


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_equals_torch(dtype: torch.dtype, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = (3 * torch.randn(2, 24, 9, 7)).to(dtype).contiguous(memory_format=layout).requires_grad_()
    gradient = torch.randn_like(x)
    exact = x.detach().double().requires_grad_()
    out, expected = GELU()(x), nn.GELU()(exact)
    out.backward(gradient)
    expected.backward(gradient.double())
    assert out.dtype == dtype
    assert out.is_contiguous(memory_format=layout)
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=layout)
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(out.double(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(x.grad.double(), exact.grad, rtol=tolerance, atol=tolerance)


def test_channels_last_maps_are_seen_as_contiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    gelu = F.gelu
    monkeypatch.setattr(F, "gelu", lambda x, **given: seen.append(x.is_contiguous()) or gelu(x, **given))
    GELU()(torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last))
    assert seen == [True]


def test_a_map_that_lies_both_ways_stays_as_it_is() -> None:
    x = torch.randn(2, 8, 1, 1)
    assert GELU()(x).stride() == x.stride()


@pytest.mark.parametrize("shape", [(), (5,), (0, 8, 4, 4), (3, 4, 5), (1, 1, 4, 4), (1, 8, 1, 1)])
def test_takes_any_shape(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    torch.testing.assert_close(GELU()(x), nn.GELU()(x))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_takes_the_place_of_its_map_only_without_gradients(layout: torch.memory_format) -> None:
    x = torch.randn(2, 8, 5, 4).contiguous(memory_format=layout)
    expected = F.gelu(x)
    kept = x.clone().requires_grad_()
    once = kept * 1
    assert gelu_(once).data_ptr() != once.data_ptr()
    with torch.inference_mode():
        out = gelu_(x)
    assert (out.data_ptr() == x.data_ptr()) == (layout == torch.channels_last)
    assert out.stride() == expected.stride()
    torch.testing.assert_close(out, expected)
