"""PointwiseConv2d is nn.Conv2d, whichever way it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.blocks.pointwise import PointwiseConv2d

_DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", _DEVICES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_value_and_gradients_are_those_of_conv2d(device, layout, bias):
    torch.manual_seed(0)
    ours, theirs = PointwiseConv2d(6, 10, bias=bias).to(device), nn.Conv2d(6, 10, 1, bias=bias).to(device).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 7, 5, device=device).contiguous(memory_format=layout).requires_grad_()
    gradient = torch.randn(2, 10, 7, 5, device=device)
    found, expected = ours(x), theirs(x.double())
    mine = [found, *torch.autograd.grad(found, [x, *ours.parameters()], gradient)]
    exact = [expected, *torch.autograd.grad(expected, [x, *theirs.parameters()], gradient.double())]
    for one, other in zip(mine, exact, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-2, atol=1e-2)
    assert found.is_contiguous(memory_format=layout)
