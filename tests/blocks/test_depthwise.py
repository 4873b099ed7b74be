"""DepthwiseConv2d is nn.Conv2d, whichever way it computes on a CPU or a GPU."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amsunet.blocks import depthwise, depthwise_cpu
from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.models import create_model

_ON_GPU = torch.cuda.is_available()
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_CASES = [
    ((2, 5, 9, 11), (3, 3), 1),
    ((1, 33, 37, 19), (3, 3), 5),
    ((2, 8, 40, 13), (11, 1), 1),
    ((1, 40, 5, 35), (1, 7), 1),
    ((1, 4, 1, 1), (5, 1), 1),
    ((1, 3, 7, 7), (5, 5), 1),
    ((2, 6, 12, 17), (7, 7), 1),
    ((2, 5, 2, 3), (7, 7), 1),
    ((1, 70, 9, 10), (7, 7), 1),
    ((1, 4, 13, 9), (5, 5), 2),
]
_MODES = {
    "float32": (torch.float32, contextlib.nullcontext, 1e-5),
    "float64": (torch.float64, contextlib.nullcontext, 1e-12),
    "bfloat16 autocast": (torch.float32, lambda: torch.autocast("cpu", torch.bfloat16), 2e-2),
}
needs_kernels = pytest.mark.skipif(
    not (_ON_GPU or _INTERPRETED), reason="Triton's kernels need a GPU or TRITON_INTERPRET"
)


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), (3, 4), ((1, 7), 1), ((5, 1), 1)])
def test_weights_are_named_and_used_as_those_of_conv2d(size, dilation):
    ours = DepthwiseConv2d(6, size, dilation)
    theirs = nn.Conv2d(6, 6, size, padding="same", dilation=dilation, groups=6)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 13, 9)
    torch.testing.assert_close(ours(x), theirs(x))


def _gradients(module, x, gradient):
    x = x.clone().requires_grad_()
    module.zero_grad()
    output = module(x)
    output.backward(gradient.to(output.dtype))
    return {"output": output, "x": x.grad, "weight": module.weight.grad, "bias": module.bias.grad}


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("shape", "size", "dilation"),
    [
        *_CASES,
        ((2, 6, 9, 13), (1, 5), 1),
        ((1, 6, 1, 3), (1, 11), 1),
        ((3, 6, 4, 1), (1, 11), 1),
        ((2, 6, 9, 7), (1, 3), 2),
        ((1, 5, 3, 2), (3, 3), 5),
        ((2, 64, 24, 24), (3, 3), 2),
        ((4, 256, 32, 32), (3, 3), 3),
        ((4, 512, 16, 16), (3, 3), 5),
    ],
)
def test_on_a_cpu_value_and_every_gradient_are_those_in_float64(shape, size, dilation, training, mode, monkeypatch):
    dtype, context, tolerance = _MODES[mode]
    own_ways = []
    apply = depthwise_cpu.DepthwiseConvolution.apply
    monkeypatch.setattr(depthwise_cpu.DepthwiseConvolution, "apply", lambda *given: own_ways.append(1) or apply(*given))
    torch.manual_seed(0)
    channels = shape[1]
    ours = DepthwiseConv2d(channels, size, dilation).to(dtype).train(training)
    theirs = nn.Conv2d(channels, channels, size, padding="same", dilation=dilation, groups=channels).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(shape, dtype=dtype)
    expected = _gradients(theirs, x.double(), gradient)
    for _ in range(3):  # what oneDNN gave hung on what the memory had held before
        with context():
            found = _gradients(ours, x, gradient)
        for name, value in expected.items():
            difference = (found[name].double() - value).abs().max() / value.abs().max()
            # oneDNN sums the gradient of many small images up in bfloat16: 0.022 off on a processor without it.
            is_sum_of_many = (name, dilation, mode) == ("weight", 5, "bfloat16 autocast")
            assert difference < (3e-2 if is_sum_of_many else tolerance), name
    assert own_ways, "torch's way was taken: nothing was tested"


@pytest.mark.parametrize(("size", "dilation"), [((1, 5), 1), (3, 3), (3, 1)])
def test_only_what_needs_a_gradient_gets_one(size, dilation):
    layer = DepthwiseConv2d(6, size, dilation)
    layer.weight.requires_grad_(False)
    layer.bias.requires_grad_(False)
    x = torch.randn(1, 6, 4, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


@pytest.mark.parametrize(("size", "dilation"), [(3, 1), ((1, 5), 1), ((5, 1), 1), (3, 2), ((1, 3), 3), (5, 1)])
def test_gradients_on_a_cpu_have_gradients(size, dilation):
    torch.manual_seed(0)
    layer = DepthwiseConv2d(2, size, dilation).double()
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, *_: layer(x), (x, layer.weight, layer.bias))


def test_a_gradient_that_is_taken_under_autocast_is_as_exact_as_its_layer():
    torch.manual_seed(0)
    layer = DepthwiseConv2d(8, 3)
    x = torch.randn(1, 8, 9, 9).contiguous(memory_format=torch.channels_last).requires_grad_()
    output = layer(x).pow(2).sum()
    (expected,) = torch.autograd.grad(output, x, retain_graph=True)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(torch.autograd.grad(output, x)[0], expected)
        assert layer.double()(x.double()).dtype == torch.float64  # which autocast leaves alone


@needs_kernels
def test_gradients_by_kernels_have_gradients():
    from amsunet.blocks.depthwise_triton import DepthwiseConvolution

    torch.manual_seed(0)
    device = "cuda" if _ON_GPU else "cpu"
    x = torch.randn(1, 4, 6, 5, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = (torch.randn(size, device=device, requires_grad=True) for size in ((4, 1, 3, 3), (4,)))

    def twice(convolve, *given):
        (first,) = torch.autograd.grad(convolve(*given).pow(2).sum(), given[0], create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), given)

    ours = twice(lambda x, w, b: DepthwiseConvolution.apply(x, w, b, 1), x, weight, bias)
    doubled = [one.detach().double().requires_grad_() for one in (x, weight, bias)]
    theirs = twice(lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=4), *doubled)
    for mine, exact in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.double(), exact, rtol=1e-4, atol=1e-3)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("shape", "size", "dilation"), _CASES)
@pytest.mark.parametrize("bias", [True, False])
def test_value_and_every_gradient_are_those_of_conv2d_in_float64(shape, size, dilation, dtype, bias):
    from amsunet.blocks.depthwise_triton import DepthwiseConvolution

    torch.manual_seed(0)
    device, channels = "cuda" if _ON_GPU else "cpu", shape[1]
    x = torch.randn(shape, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight, shift = torch.randn(channels, 1, *size, device=device), torch.randn(channels, device=device)
    given = [x, weight, *([shift] if bias else [])]
    gradient = torch.randn(shape, device=device, dtype=dtype)

    def found(function, inputs, flowing):
        inputs = [one.detach().requires_grad_() for one in inputs]
        output = function(*inputs)
        return [output.detach(), *torch.autograd.grad(output, inputs, flowing)]

    padding = [dilation * (side // 2) for side in size]
    ours = found(lambda x, w, b=None: DepthwiseConvolution.apply(x, w, b, dilation), given, gradient)
    theirs = found(
        lambda x, w, b=None: F.conv2d(x, w, b, padding=padding, dilation=dilation, groups=channels),
        [one.double() for one in given],
        gradient.double(),
    )
    for mine, exact in zip(ours, theirs, strict=True):
        # Outputs are rounded to their type; what is summed up is not.
        assert (mine.double() - exact).norm() <= (1e-5 if mine.dtype == torch.float32 else 1e-2) * exact.norm()


@needs_kernels
@pytest.mark.parametrize(("shape", "size", "dilation"), _CASES)
def test_gelu_may_be_part_of_the_kernel(shape, size, dilation):
    from amsunet.blocks.depthwise_triton import convolve

    torch.manual_seed(0)
    device, channels = "cuda" if _ON_GPU else "cpu", shape[1]
    x = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(channels, 1, *size, device=device), torch.randn(channels, device=device)
    padding = [dilation * (side // 2) for side in size]
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=padding, dilation=dilation, groups=channels)
    found = convolve(x, weight, bias, dilation, gelu=True)
    torch.testing.assert_close(found.double(), F.gelu(exact), rtol=1e-5, atol=1e-5)


@needs_kernels
def test_frozen_parts_get_no_gradient_and_a_strange_order_of_weights_is_understood():
    from amsunet.blocks.depthwise_triton import DepthwiseConvolution

    torch.manual_seed(0)
    device = "cuda" if _ON_GPU else "cpu"
    x = torch.randn(2, 6, 8, 5, device=device).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(6, 1, 3, 1, device=device).expand(-1, -1, -1, 3)
    bias = torch.randn(6, device=device, requires_grad=True)
    output = DepthwiseConvolution.apply(x, weight, bias, 1)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1, groups=6)
    for ours, theirs in zip(
        torch.autograd.grad(output.sum(), (x, bias)), torch.autograd.grad(expected.sum(), (x, bias)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(output.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not _ON_GPU, reason="no GPU"))]
)
@pytest.mark.parametrize("gradients", [True, False])
def test_gelu_behind_the_convolution_is_that_of_torch(device, gradients):
    torch.manual_seed(0)
    layer = DepthwiseConv2d(6, 3, 2).to(device)
    x = torch.randn(2, 6, 9, 7, device=device).contiguous(memory_format=torch.channels_last)
    exact = F.gelu(copy.deepcopy(layer).double()(x.double()))
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(layer.gelu_of(x).double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not _ON_GPU, reason="no GPU is here")
def test_what_the_kernels_do_not_take_goes_to_torch():
    layer = DepthwiseConv2d(6, 3).to("cuda")
    none = torch.empty(0, 6, 8, 8, device="cuda").contiguous(memory_format=torch.channels_last)
    assert layer(none).shape == none.shape
    with pytest.raises(RuntimeError, match="channels"):
        layer(torch.ones(1, 8, 4, 4, device="cuda").contiguous(memory_format=torch.channels_last))


@pytest.mark.skipif(_ON_GPU or _INTERPRETED, reason="the tests above ran")
def test_kernels_are_right_where_there_is_no_gpu():
    pytest.importorskip("triton", reason="Triton comes with the builds of torch for GPUs")
    run = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(run, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "need a GPU" not in done.stdout, "the kernels were not tested"


@pytest.mark.skipif(not _ON_GPU, reason="no GPU is here")
@pytest.mark.parametrize("name", ["amsunet", "segnext", "unext"])
def test_networks_compute_on_a_gpu_what_they_compute_on_the_cpu(name, monkeypatch):
    torch.manual_seed(0)
    network, x = create_model(name).eval(), torch.randn(2, 3, 96, 64)
    with torch.inference_mode():
        expected = network.double()(x.double())
        placed = network.float().to("cuda", memory_format=torch.channels_last)
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
        found = placed(x.to("cuda").contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found.cpu().double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("works", [True, False])
def test_a_machine_that_cannot_build_kernels_is_told_once(monkeypatch, works):
    def convolve(*given: object) -> None:
        if not works:
            raise RuntimeError("Failed to find C compiler.\nPlease specify via CC")

    monkeypatch.setattr(depthwise, "depthwise_triton", SimpleNamespace(convolve=convolve))
    monkeypatch.setattr(depthwise, "_WORKS", {})
    with contextlib.nullcontext() if works else pytest.warns(match=r"without Triton.* Failed to find C compiler\.$"):
        assert depthwise.triton_works(torch.device("cpu")) is works
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert depthwise.triton_works(torch.device("cpu")) is works
        torch.compiler.reset()  # it holds what another device answered
        compiled = torch.compile(_answer, backend="eager", fullgraph=True)
        assert compiled(torch.zeros(1)).item() == works


def _answer(x: torch.Tensor) -> torch.Tensor:
    return x + 1 if depthwise.triton_works(x.device) else x
