"""The blocks of AMSUnet against what the authors' released code computes, and as parts for other networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.blocks import AMS, AMSE, CBAM, FFN, MSCA, RSC, SCSE, SE, AMSAttention, MSCAAttention, TokenisedMLP
from amsunet.models import load_published_weights


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("ams_block_d16_dilation3", lambda: AMS(16, dilation=3)),
        ("amse_block_d16_dilation5", lambda: AMSE(16, dilation=5)),
        ("rsc_d16", lambda: RSC(16)),
        ("msca_attention_d16", lambda: MSCAAttention(16)),
    ],
)
def test_block_computes_what_the_published_one_does(golden, name, block):
    arrays = golden(name)
    module = block().eval()
    state = {key.removeprefix("state/"): torch.from_numpy(a) for key, a in arrays.items() if key.startswith("state/")}
    load_published_weights(module, state)
    with torch.no_grad():
        output = module(torch.from_numpy(arrays["input0"]))
    assert (output - torch.from_numpy(arrays["output"])).abs().max() < 1e-5


def _ams_parameters(c: int) -> int:
    strips = sum(2 * (c * k + c) for k in (5, 7, 11))
    return 2 * (9 * c + c) + strips + c * c + c


@pytest.mark.parametrize("c", [8, 32])
@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (AMS, _ams_parameters),
        (AMSAttention, lambda c: _ams_parameters(c) + 2 * (c * c + c)),
        (FFN, lambda c: (4 * c * c + 4 * c) + (9 * 4 * c + 4 * c) + (4 * c * c + c)),
        (AMSE, lambda c: _ams_parameters(c) + 2 * (c * c + c) + (8 * c * c + 45 * c) + 4 * c),
        (RSC, lambda c: c + (c * (c // 4) + c // 4) + (c * (c // 4) + c)),
        (MSCA, lambda c: 26 * c + sum(2 * (c * k + c) for k in (7, 11, 21)) + c * c + c),
        (lambda c: SE(c, 8), lambda c: 2 * c * (c // 8) + c // 8 + c),
        (lambda c: CBAM(c, 8), lambda c: 2 * c * (c // 8) + c // 8 + c + 99),
        (SCSE, lambda c: c * c + c // 2 + c + c + 1),
        (TokenisedMLP, lambda c: 2 * c + 2 * (c * c + c) + 10 * c),
    ],
)
def test_parameters_are_those_of_the_description(block, expected, c):
    assert sum(p.numel() for p in block(c).parameters()) == expected(c)


@pytest.mark.parametrize("block", [AMS, AMSE, RSC, MSCA, SCSE, TokenisedMLP, lambda c: SE(c, 2), lambda c: CBAM(c, 2)])
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_block_keeps_the_shape_and_trains_in_a_foreign_network(block, size):
    network = nn.Sequential(nn.Conv2d(3, 8, 1), block(8), nn.Conv2d(8, 2, 1))
    output = network(torch.randn(2, 3, *size))
    assert output.shape == (2, 2, *size)
    output.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("dilation", [1, 3, 5])
def test_one_ams_unit_sees_13_and_twice_the_dilation(dilation):
    """The largest square that an output pixel depends on, measured by its gradient."""
    unit = AMS(4, dilation).double()
    for parameter in unit.parameters():
        nn.init.constant_(parameter, 0.1)  # nothing cancels out
    x = torch.ones(1, 4, 41, 41, dtype=torch.float64, requires_grad=True)
    unit(x)[0, 0, 20, 20].backward()
    rows = x.grad[0].abs().sum(dim=(0, 2)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 13 + 2 * dilation


@pytest.mark.parametrize(("channels", "reduction"), [(2, 4), (8, 0)])
def test_rsc_refuses_a_gate_without_channels(channels, reduction):
    with pytest.raises(ValueError, match="reduction must lie between 1 and channels"):
        RSC(channels, reduction)


def test_rsc_reduction_sets_the_width_of_the_channel_gate():
    assert RSC(8, reduction=2).squeeze.out_channels == 4
