"""Sums of strip pairs are those of nn.Conv2d, whichever way they are computed."""

from __future__ import annotations

import copy
import os

import pytest
import torch
from torch import nn

from amsunet.blocks.strip import StripPairs

_ON_GPU = torch.cuda.is_available()
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_DEVICE = "cuda" if _ON_GPU else "cpu"
needs_kernels = pytest.mark.skipif(
    not (_ON_GPU or _INTERPRETED), reason="Triton's kernels need a GPU or TRITON_INTERPRET"
)


class _Plain(nn.Module):
    """The sum written down, in torch's own convolutions."""

    def __init__(self, pairs: StripPairs) -> None:
        super().__init__()
        self.pairs = copy.deepcopy(pairs).double()

    def forward(self, x, base=None):
        out = x if base is None else base + x
        for row, column in self.pairs:
            out = out + nn.Conv2d.forward(column, nn.Conv2d.forward(row, x))
        return out


def _results(function, module, x, base, gradient):
    x, base = (None if one is None else one.detach().clone().requires_grad_() for one in (x, base))
    output = function(x, base)
    inputs = [x, *([] if base is None else [base]), *module.parameters()]
    return [output.detach(), *torch.autograd.grad(output, inputs, gradient.to(output.dtype))]


@pytest.mark.parametrize("lengths", [(5, 7, 11), (3, 5), (7,)])
@pytest.mark.parametrize("based", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradients_are_those_of_convolutions(lengths, based, layout):
    torch.manual_seed(0)
    pairs = StripPairs(6, lengths).to(_DEVICE)
    plain = _Plain(pairs)
    x, base, gradient = (torch.randn(2, 6, 13, 9, device=_DEVICE).contiguous(memory_format=layout) for _ in range(3))
    base = base if based else None
    found = _results(pairs, pairs, x, base, gradient)
    expected = _results(plain, plain, x.double(), None if base is None else base.double(), gradient)
    for ours, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(pairs(x, base), found[0], rtol=1e-5, atol=1e-5)


def _of_kernels(pairs):
    from amsunet.blocks.strip_triton import StripSum

    layers = [*(row for row, _ in pairs), *(column for _, column in pairs)]
    weights = [*(layer.weight for layer in layers), *(layer.bias for layer in layers)]
    return lambda x, base: StripSum.apply(x, base, *weights)


@needs_kernels
@pytest.mark.parametrize("shape", [(2, 5, 9, 11), (1, 33, 37, 19), (1, 8, 3, 40), (1, 4, 1, 1)])
@pytest.mark.parametrize("based", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_give_value_and_every_gradient(shape, based, dtype):
    torch.manual_seed(0)
    pairs = StripPairs(shape[1], (5, 7, 11)).to(_DEVICE)
    x, base, gradient = (
        torch.randn(shape, device=_DEVICE, dtype=dtype).contiguous(memory_format=torch.channels_last) for _ in range(3)
    )
    base = base if based else None
    found = _results(_of_kernels(pairs), pairs, x, base, gradient)
    plain = _Plain(pairs)
    expected = _results(plain, plain, x.double(), None if base is None else base.double(), gradient)
    for ours, exact in zip(found, expected, strict=True):
        assert (ours.double() - exact).norm() <= (1e-5 if dtype == torch.float32 else 2e-2) * exact.norm() + 1e-6


@needs_kernels
def test_gradients_by_kernels_have_gradients():
    torch.manual_seed(0)
    pairs = StripPairs(4, (3, 5, 7)).to(_DEVICE)
    plain = _Plain(pairs)
    x = torch.randn(1, 4, 6, 5, device=_DEVICE).contiguous(memory_format=torch.channels_last)

    def twice(function, module, x):
        x = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(function(x, None).pow(2).sum(), x, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), [x, *module.parameters()])

    for ours, exact in zip(twice(_of_kernels(pairs), pairs, x), twice(plain, plain, x.double()), strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("based", [True, False])
def test_what_is_given_stays_as_it_was(based: bool) -> None:
    x = torch.randn(2, 8, 9, 7)
    base = torch.randn_like(x) if based else None
    before = x.clone(), None if base is None else base.clone()
    with torch.no_grad():
        StripPairs(8, (3, 5))(x, base)
    torch.testing.assert_close((x, base), before, rtol=0, atol=0)
