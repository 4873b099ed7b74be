"""AtrousConv2d is nn.Conv2d with the gradients that it should have."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn

from amsunet.blocks.atrous import AtrousConv2d, _AtrousConvolution

_MODES = {
    "float32": (torch.float32, contextlib.nullcontext, 1e-5),
    "float64": (torch.float64, contextlib.nullcontext, 1e-12),
    "bfloat16 autocast": (torch.float32, lambda: torch.autocast("cpu", torch.bfloat16), 2e-2),
}


def _gradients(module, x, gradient):
    x = x.clone().requires_grad_()
    module.zero_grad()
    output = module(x)
    output.backward(gradient.to(output.dtype))
    return {"output": output, "x": x.grad, "weight": module.weight.grad, "bias": module.bias.grad}


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(
    ("shape", "dilation"),
    [((2, 6, 9, 13), 3), ((1, 5, 3, 2), 5), ((2, 64, 24, 24), 2), ((4, 256, 32, 32), 3), ((4, 512, 16, 16), 5)],
)
def test_value_and_every_gradient_are_those_of_conv2d_in_float64(mode, shape, dilation, monkeypatch):
    dtype, context, tolerance = _MODES[mode]
    own_ways = []
    apply = _AtrousConvolution.apply
    monkeypatch.setattr(_AtrousConvolution, "apply", lambda *given: own_ways.append(1) or apply(*given))
    torch.manual_seed(0)
    channels = shape[1]
    ours = AtrousConv2d(channels, dilation).to(dtype)
    theirs = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, groups=channels).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(shape, dtype=dtype)
    expected = _gradients(theirs, x.double(), gradient)
    for _ in range(3):  # what oneDNN gave hung on what the memory had held before
        with context():
            found = _gradients(ours, x, gradient)
        for name, value in expected.items():
            difference = (found[name].double() - value).abs().max() / value.abs().max()
            assert difference < tolerance, name
    assert own_ways, "the way through the phases was not taken: nothing was tested"


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dilation", [1, 3])
def test_weights_are_named_and_used_as_those_of_conv2d(training, dilation):
    ours = AtrousConv2d(7, dilation)
    theirs = nn.Conv2d(7, 7, 3, padding=dilation, dilation=dilation, groups=7)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 7, 8, 8)
    with torch.no_grad():
        assert torch.equal(ours.train(training)(x), theirs(x))
