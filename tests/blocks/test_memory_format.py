"""What is made for channels_last maps must not be in the way of torch's transformations."""

from __future__ import annotations

import io

import pytest
import torch
from torch import fx

from amsunet.blocks import AMSE
from amsunet.blocks.memory_format import is_channels_last


@pytest.fixture
def block():
    torch.manual_seed(0)
    return AMSE(8, 3).double().eval()


@pytest.fixture
def x():
    return torch.randn(2, 8, 7, 9, dtype=torch.float64).contiguous(memory_format=torch.channels_last)


def test_layouts_are_told_apart(x):
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
