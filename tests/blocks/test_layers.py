"""Layers for channels_last maps are the same functions as torch's, and do not break torch's transformations."""

from __future__ import annotations

import io

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from amsunet.blocks import AMSE
from amsunet.blocks.layers import GELU, PointwiseConv2d, gelu_, is_channels_last

_DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", _DEVICES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
def test_pointwise_value_and_gradients_are_those_of_conv2d(device, layout, bias):
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gelu_equals_torch(dtype, layout):
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


def test_gelu_sees_channels_last_maps_as_contiguous(monkeypatch):
    seen = []
    gelu = F.gelu
    monkeypatch.setattr(F, "gelu", lambda x, **given: seen.append(x.is_contiguous()) or gelu(x, **given))
    GELU()(torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last))
    assert seen == [True]


def test_gelu_keeps_the_strides_of_a_map_that_is_both():
    x = torch.randn(2, 8, 1, 1)
    assert GELU()(x).stride() == x.stride()


@pytest.mark.parametrize("shape", [(), (5,), (0, 8, 4, 4), (3, 4, 5), (1, 1, 4, 4), (1, 8, 1, 1)])
def test_gelu_takes_any_shape(shape):
    x = torch.randn(shape)
    torch.testing.assert_close(GELU()(x), nn.GELU()(x))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gelu_is_in_place_only_without_gradients(layout):
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


@pytest.fixture
def block():
    torch.manual_seed(0)
    return AMSE(8, 3).double().eval()


@pytest.fixture
def x():
    return torch.randn(2, 8, 7, 9, dtype=torch.float64).contiguous(memory_format=torch.channels_last)


def test_memory_formats_are_distinguished(x):
    assert is_channels_last(x)
    assert not is_channels_last(x.contiguous())
    assert not is_channels_last(x[0])


def test_second_derivatives_are_those_of_contiguous_maps(block, x):
    def product(memory_format):
        one = x.contiguous(memory_format=memory_format).requires_grad_()
        (first,) = torch.autograd.grad(block(one).pow(2).sum(), one, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), [one, *block.parameters()])

    for ours, theirs in zip(product(torch.channels_last), product(torch.contiguous_format), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_vmap_and_function_transforms_work(block, x):
    expected = block(x)
    torch.testing.assert_close(torch.vmap(lambda one: block(one[None])[0])(x), expected)
    (ours,) = torch.autograd.grad(expected.sum(), list(block.parameters())[:1])
    weights = dict(block.named_parameters())
    theirs = torch.func.grad(lambda given: torch.func.functional_call(block, given, x).sum())(weights)
    torch.testing.assert_close(theirs[next(iter(weights))], ours)


def test_batched_gradients_work(block, x):
    one = x.clone().requires_grad_()
    output = block(one).sum(dim=(0, 2, 3))
    (batched,) = torch.autograd.grad(output, one, torch.eye(8, dtype=torch.float64), is_grads_batched=True)
    torch.testing.assert_close(batched.sum(0), torch.autograd.grad(block(one).sum(), one)[0])


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_traced_block_can_be_saved(block, x):
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(block, x), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(x), block(x))


def test_a_symbolic_trace_computes_the_same(block, x):
    torch.testing.assert_close(fx.symbolic_trace(block)(x), block(x))
