"""Sums of strip pairs on a GPU, in Triton: rows of all pairs in one pass over the map, columns of all in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton  # ships with the builds of torch that it works with
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from amsunet.blocks.depthwise_triton import correlated, tile_of, tiling

PAIRS = 3


@triton.jit
def _strip(
    total, x, weight, start, row, column, channel, there, height, width, channels,
    LENGTH: tl.constexpr, DOWN: tl.constexpr, TURNED: tl.constexpr,
):  # fmt: skip
    """Add one strip, down or across, of a map."""
    for tap in range(LENGTH):
        y = row + (tap - LENGTH // 2) if DOWN else row
        z = column if DOWN else column + (tap - LENGTH // 2)
        inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
        place = start + ((y * width + z) * channels)[:, None] + channel
        value = tl.load(x + place, inside[:, None] & there, 0).to(tl.float32)
        at = LENGTH - 1 - tap if TURNED else tap
        total += value * tl.load(weight + channel * LENGTH + at, there, 0).to(tl.float32)
    return total


@triton.jit
def _of_channels(bias, channel, there, PIXELS: tl.constexpr, TILE_C: tl.constexpr, HAS_BIAS: tl.constexpr):
    total = tl.zeros((PIXELS, TILE_C), tl.float32)
    if HAS_BIAS:
        total += tl.load(bias + channel, there, 0).to(tl.float32)
    return total


@triton.jit(do_not_specialize=["height", "width"])
def _fan_out(
    x, weight0, weight1, weight2, bias0, bias1, bias2, out0, out1, out2, height, width, channels,
    LENGTH0: tl.constexpr, LENGTH1: tl.constexpr, LENGTH2: tl.constexpr,
    DOWN: tl.constexpr, TURNED: tl.constexpr, HAS_BIAS: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    row, column, channel, start, place, mine = tile_of(height, width, channels, TILE_H, TILE_W, TILE_C)
    there = channel < channels
    pixels: tl.constexpr = TILE_H * TILE_W
    total = _of_channels(bias0, channel, there, pixels, TILE_C, HAS_BIAS)
    total = _strip(
        total, x, weight0, start, row, column, channel, there, height, width, channels, LENGTH0, DOWN, TURNED
    )
    tl.store(out0 + place, total.to(out0.dtype.element_ty), mine)
    total = _of_channels(bias1, channel, there, pixels, TILE_C, HAS_BIAS)
    total = _strip(
        total, x, weight1, start, row, column, channel, there, height, width, channels, LENGTH1, DOWN, TURNED
    )
    tl.store(out1 + place, total.to(out1.dtype.element_ty), mine)
    total = _of_channels(bias2, channel, there, pixels, TILE_C, HAS_BIAS)
    total = _strip(
        total, x, weight2, start, row, column, channel, there, height, width, channels, LENGTH2, DOWN, TURNED
    )
    tl.store(out2 + place, total.to(out2.dtype.element_ty), mine)


@triton.jit(do_not_specialize=["height", "width"])
def _sum_up(
    x0, x1, x2, weight0, weight1, weight2, bias0, bias1, bias2, base, other, out, height, width, channels,
    LENGTH0: tl.constexpr, LENGTH1: tl.constexpr, LENGTH2: tl.constexpr,
    DOWN: tl.constexpr, TURNED: tl.constexpr, HAS_BIAS: tl.constexpr, HAS_OTHER: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    row, column, channel, start, place, mine = tile_of(height, width, channels, TILE_H, TILE_W, TILE_C)
    there = channel < channels
    pixels: tl.constexpr = TILE_H * TILE_W
    total = tl.load(base + place, mine, 0).to(tl.float32)
    if HAS_OTHER:
        total += tl.load(other + place, mine, 0).to(tl.float32)
    total += _of_channels(bias0, channel, there, pixels, TILE_C, HAS_BIAS)
    total += _of_channels(bias1, channel, there, pixels, TILE_C, HAS_BIAS)
    total += _of_channels(bias2, channel, there, pixels, TILE_C, HAS_BIAS)
    total = _strip(
        total, x0, weight0, start, row, column, channel, there, height, width, channels, LENGTH0, DOWN, TURNED
    )
    total = _strip(
        total, x1, weight1, start, row, column, channel, there, height, width, channels, LENGTH1, DOWN, TURNED
    )
    total = _strip(
        total, x2, weight2, start, row, column, channel, there, height, width, channels, LENGTH2, DOWN, TURNED
    )
    tl.store(out + place, total.to(out.dtype.element_ty), mine)


class StripSum(torch.autograd.Function):
    """The sum of a channels_last map, of the outputs of three strip pairs and, if given, of another map.

    Shape:
        ``apply(x, base, *weights)``: x (N, C, H, W) of float32, float16 or bfloat16; base like x or None; weights
        (C, 1, 1, k) of three rows, (C, 1, k, 1) of three columns, three biases (C,) of rows and three of columns, of
        any precision.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, base: Tensor | None, *weights: Tensor) -> Tensor:
        rows = _fanned_out(x, weights[:3], weights[6:9], down=False)
        ctx.save_for_backward(x, *rows, *weights)
        ctx.has_base = base is not None
        return _summed_up(rows, weights[3:6], weights[9:], x, base, down=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *kept = ctx.saved_tensors
        rows, weights = kept[:PAIRS], kept[PAIRS:]
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        of_base = gradient if ctx.needs_input_grad[1] else None
        if torch.is_grad_enabled():  # for a second derivative
            needed = [one for one in (x, *weights) if one.requires_grad]
            found = iter(torch.autograd.grad(_plain(x, weights), needed, gradient, create_graph=True))
            of_x, *of_weights = (next(found) if one.requires_grad else None for one in (x, *weights))
            return of_x, of_base, *of_weights
        of_rows = _fanned_out(gradient, weights[3:6], None, down=True, turned=True)
        of_x = _summed_up(of_rows, weights[:3], None, gradient, None, down=False, turned=True)
        sums = [correlated(x, one, weight, 1) for one, weight in zip(of_rows, weights[:3], strict=True)]
        sums += [correlated(one, gradient, weight, 1) for one, weight in zip(rows, weights[3:6], strict=True)]
        shaped = [one[:-1].t().reshape(weight.shape) for one, weight in zip(sums, weights[:6], strict=True)]
        of_weights = [
            one.to(weight.dtype) for one, weight in zip([*shaped, *(one[-1] for one in sums)], weights, strict=True)
        ]
        return of_x, of_base, *of_weights


def strip_sum(x: Tensor, base: Tensor | None, *weights: Tensor) -> Tensor:
    """``StripSum`` without a gradient."""
    rows = _fanned_out(x, weights[:3], weights[6:9], down=False)
    return _summed_up(rows, weights[3:6], weights[9:], x, base, down=True)


def _plain(x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """The same as torch computes it, without the other map."""
    out = x
    for row, column, of_row, of_column in zip(weights[:3], weights[3:6], weights[6:9], weights[9:], strict=True):
        inner = F.conv2d(x, row.to(x.dtype), of_row.to(x.dtype), padding=(0, row.shape[3] // 2), groups=len(row))
        height = column.shape[2]
        seen = F.conv2d(inner, column.to(x.dtype), of_column.to(x.dtype), padding=(height // 2, 0), groups=len(row))
        out = out + seen
    return out


def _lengths(weights: Sequence[Tensor]) -> list[int]:
    return [one.numel() // len(one) for one in weights]


def _fanned_out(
    x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor] | None, *, down: bool, turned: bool = False
) -> list[Tensor]:
    """Each strip's output for a map."""
    outs = [torch.empty_like(x, memory_format=torch.channels_last) for _ in weights]
    lengths = _lengths(weights)
    grid, tiles = tiling(x, max(lengths) if down else 1, 1 if down else max(lengths))
    _fan_out[grid](
        x, *(one.contiguous() for one in weights), *(biases or [x] * PAIRS), *outs, x.shape[2], x.shape[3], x.shape[1],
        *lengths, down, turned, biases is not None, **tiles,
    )  # fmt: skip
    return outs


def _summed_up(
    maps: Sequence[Tensor],
    weights: Sequence[Tensor],
    biases: Sequence[Tensor] | None,
    base: Tensor,
    other: Tensor | None,
    *,
    down: bool,
    turned: bool = False,
) -> Tensor:
    """The sum of the outputs of strips, one for each map, and of one or two more maps."""
    out = torch.empty_like(base, memory_format=torch.channels_last)
    lengths = _lengths(weights)
    grid, tiles = tiling(base, max(lengths) if down else 1, 1 if down else max(lengths))
    _sum_up[grid](
        *maps, *(one.contiguous() for one in weights), *(biases or [base] * PAIRS), base,
        base if other is None else other, out, base.shape[2], base.shape[3], base.shape[1], *lengths, down,
        turned, biases is not None, other is not None, **tiles,
    )  # fmt: skip
    return out
