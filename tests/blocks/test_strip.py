"""RowConv2d is nn.Conv2d, whichever way it computes."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn

from amsunet.blocks.atrous import AtrousConv2d
from amsunet.blocks.strip import RowConv2d, _RowConvolution

_MODES = {
    "float32": (torch.float32, contextlib.nullcontext, 1e-5),
    "float64": (torch.float64, contextlib.nullcontext, 1e-12),
    "bfloat16 autocast": (torch.float32, lambda: torch.autocast("cpu", torch.bfloat16), 2e-2),
}


@pytest.fixture(params=_MODES)
def mode(request):
    return _MODES[request.param]


def _pair(length: int, dtype: torch.dtype) -> tuple[RowConv2d, nn.Conv2d]:
    torch.manual_seed(0)
    ours = RowConv2d(6, length).to(dtype)
    theirs = nn.Conv2d(6, 6, (1, length), padding=(0, length // 2), groups=6).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def _result(module, x, context):
    x = x.clone().requires_grad_()
    with context():
        output = module(x)
    output.float().pow(2).sum().backward()
    return {"output": output, "x": x.grad, "weight": module.weight.grad, "bias": module.bias.grad}


@pytest.mark.parametrize("length", [5, 11])
@pytest.mark.parametrize("shape", [(2, 6, 9, 13), (1, 6, 1, 3), (3, 6, 4, 1)])
def test_value_and_every_gradient_equal_those_of_conv2d(mode, length, shape, monkeypatch):
    dtype, context, tolerance = mode
    own_ways = []
    apply = _RowConvolution.apply
    monkeypatch.setattr(_RowConvolution, "apply", lambda *given: own_ways.append(1) or apply(*given))
    ours, theirs = _pair(length, dtype)
    x = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
    found, expected = _result(ours, x, context), _result(theirs, x, context)
    assert own_ways, "the way through the upright kernel was not taken: nothing was tested"
    for name in expected:
        assert found[name].dtype == expected[name].dtype, name
        difference = (found[name] - expected[name]).abs().max() / expected[name].abs().max()
        assert difference < tolerance, name


@pytest.mark.parametrize("ours", [RowConv2d(6, 5), AtrousConv2d(6, 3)], ids=["row", "atrous"])
def test_only_what_needs_a_gradient_gets_one(ours):
    ours.weight.requires_grad_(False)
    ours.bias.requires_grad_(False)
    x = torch.randn(1, 6, 4, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    ours(x).sum().backward()
    assert x.grad is not None
    assert ours.weight.grad is None


@pytest.mark.parametrize("training", [True, False])
def test_weights_are_named_and_used_as_those_of_conv2d(training):
    ours, theirs = _pair(7, torch.float32)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        assert torch.equal(ours.train(training)(x), theirs(x))
