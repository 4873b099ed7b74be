"""Depthwise convolution on a GPU, in Triton: but for the plain 3 x 3 torch takes 10 times its memory traffic's time."""

from __future__ import annotations

from typing import Any

import torch
import triton  # ships with the builds of torch that it works with
import triton.language as tl
from torch import Tensor

PIXELS, CHANNELS, WARPS = 128, 64, 4
"""Pixels and channels of a map that one program computes, and its warps."""
_ROWS, _COLUMNS, _SUM_WARPS = 64, 8, 2
"""The part of a map over which one program sums up a weight's gradient, and its warps."""
_TAPS = 32
"""For which it has registers at ``CHANNELS``: those of 5 x 5, in blocks. For 7 x 7 it takes half the channels."""


@triton.jit
def tile_of(height, width, channels, TILE_H: tl.constexpr, TILE_W: tl.constexpr, TILE_C: tl.constexpr):
    """The pixels and channels that a program computes, their addresses, and which of them exist."""
    across, down = tl.cdiv(width, TILE_W), tl.cdiv(height, TILE_H)
    tile = tl.program_id(0)
    pixel = tl.arange(0, TILE_H * TILE_W)
    row = tile // across % down * TILE_H + pixel // TILE_W
    column = tile % across * TILE_W + pixel % TILE_W
    channel = tl.program_id(1) * TILE_C + tl.arange(0, TILE_C)
    start = (tile // (across * down)).to(tl.int64) * height * width * channels
    place = start + ((row * width + column) * channels)[:, None] + channel
    mine = ((row < height) & (column < width))[:, None] & (channel < channels)
    return row, column, channel, start, place, mine


@triton.jit(do_not_specialize=["height", "width"])
def _convolve(
    x, weight, bias, out, height, width, channels,
    KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, DILATION: tl.constexpr,
    TURNED: tl.constexpr, HAS_BIAS: tl.constexpr, WITH_GELU: tl.constexpr,
    TILE_H: tl.constexpr, TILE_W: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    row, column, channel, start, target, mine = tile_of(height, width, channels, TILE_H, TILE_W, TILE_C)
    there = channel < channels
    total = tl.zeros((TILE_H * TILE_W, TILE_C), tl.float32)
    if HAS_BIAS:
        total += tl.load(bias + channel, there, 0).to(tl.float32)
    # Not unrolled: 40 % faster with the registers that this leaves.
    for tap in range(KERNEL_H * KERNEL_W):
        y = row + (tap // KERNEL_W - KERNEL_H // 2) * DILATION
        z = column + (tap % KERNEL_W - KERNEL_W // 2) * DILATION
        inside = (y >= 0) & (y < height) & (z >= 0) & (z < width)
        place = start + ((y * width + z) * channels)[:, None] + channel
        value = tl.load(x + place, inside[:, None] & there, 0).to(tl.float32)
        at = KERNEL_H * KERNEL_W - 1 - tap if TURNED else tap
        factor = tl.load(weight + channel * (KERNEL_H * KERNEL_W) + at, there, 0).to(tl.float32)
        total += value * factor
    if WITH_GELU:
        total = 0.5 * total * (1 + tl.erf(total * 0.7071067811865476))
    tl.store(out + target, total.to(out.dtype.element_ty), mine)


@triton.jit(do_not_specialize=["height", "width"])
def _correlate(
    x, gradient, sums, height, width, channels,
    KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, DILATION: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr,
    ROWS: tl.constexpr, TILE_W: tl.constexpr, TILE_C: tl.constexpr,
):  # fmt: skip
    across, down = tl.cdiv(width, TILE_W), tl.cdiv(height, ROWS)
    tile = tl.program_id(0)
    first = tile // across % down * ROWS
    column = tile % across * TILE_W + tl.arange(0, TILE_W)
    channel = tl.program_id(1) * TILE_C + tl.arange(0, TILE_C)
    there = channel < channels
    start = (tile // (across * down)).to(tl.int64) * height * width * channels
    # Blocks are as long as a power of two: two of them waste fewer taps than one.
    tap, other = tl.arange(0, FIRST), FIRST + tl.arange(0, REST)
    of_weight = tl.zeros((FIRST, TILE_W, TILE_C), tl.float32)
    of_other = tl.zeros((REST, TILE_W, TILE_C), tl.float32)
    of_bias = tl.zeros((TILE_W, TILE_C), tl.float32)
    for step in range(ROWS):
        row = first + step
        place = start + ((row * width + column) * channels)[:, None] + channel
        inside = (row < height) & (column < width)
        flowing = tl.load(gradient + place, inside[:, None] & there, 0).to(tl.float32)
        of_bias += flowing
        at, inside = _seen(row, column, tap, height, width, KERNEL_H, KERNEL_W, DILATION)
        seen = start + (at * channels)[:, :, None] + channel
        of_weight += tl.load(x + seen, inside[:, :, None] & there, 0).to(tl.float32) * flowing
        at, inside = _seen(row, column, other, height, width, KERNEL_H, KERNEL_W, DILATION)
        seen = start + (at * channels)[:, :, None] + channel
        of_other += tl.load(x + seen, inside[:, :, None] & there, 0).to(tl.float32) * flowing
    taps: tl.constexpr = KERNEL_H * KERNEL_W
    mine = sums + tile.to(tl.int64) * (taps + 1) * channels + channel
    tl.store(mine + tap[:, None] * channels, tl.sum(of_weight, axis=1), (tap < taps)[:, None] & there)
    tl.store(mine + other[:, None] * channels, tl.sum(of_other, axis=1), (other < taps)[:, None] & there)
    tl.store(mine + taps * channels, tl.sum(of_bias, axis=0), there)


@triton.jit
def _seen(
    row, column, tap, height, width, KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, DILATION: tl.constexpr
):  # fmt: skip
    """The pixels under taps at some columns of a row, and whether they are inside the map."""
    y = (row + (tap // KERNEL_W - KERNEL_H // 2) * DILATION)[:, None]
    z = column + ((tap % KERNEL_W - KERNEL_W // 2) * DILATION)[:, None]
    within = (tap < KERNEL_H * KERNEL_W)[:, None] & (y >= 0) & (y < height) & (z >= 0) & (z < width)
    return y * width + z, within


class DepthwiseConvolution(torch.autograd.Function):
    """Depthwise convolution of a channels_last map, odd kernel, zero-padded to keep the size; summed up in float32.

    Shape:
        ``apply(x, weight, bias, dilation)``: x (N, C, H, W) of float32, float16 or bfloat16, weight (C, 1, k, l), bias
        (C,) or None, these two of any precision, to (N, C, H, W) of x's.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return convolve(x, weight, bias, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        if torch.is_grad_enabled():  # for a second derivative
            return *_differentiable(gradient, x, weight, ctx.dilation, list(ctx.needs_input_grad[:3])), None
        of_x, of_weight, of_bias = None, None, None
        if ctx.needs_input_grad[0]:
            of_x = convolve(gradient, weight, None, ctx.dilation, turned=True)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            sums = correlated(x, gradient, weight, ctx.dilation)
            of_weight = sums[:-1].t().reshape(weight.shape).to(weight.dtype)
            of_bias = sums[-1].to(weight.dtype) if ctx.needs_input_grad[2] else None
        return of_x, of_weight, of_bias, None


def _differentiable(
    gradient: Tensor, x: Tensor, weight: Tensor, dilation: int, needed: list[bool]
) -> tuple[Tensor | None, ...]:
    """The gradients as torch computes them."""
    padding = [dilation * (side // 2) for side in weight.shape[2:]]
    given = (gradient, x, weight.to(x.dtype), [len(weight)], [1, 1], padding, [dilation, dilation])
    of_x, *others = torch.ops.aten.convolution_backward(*given, False, [0, 0], len(weight), needed)
    return of_x, *(None if one is None else one.to(weight.dtype) for one in others)


def tiling(x: Tensor, kernel_h: int, kernel_w: int) -> tuple[tuple[int, int], dict[str, int]]:
    """The grid of programs over a map, and the tile that each computes."""
    n, channels, height, width = x.shape
    # Tall and narrow for columns, low and wide for rows: then programs share few pixels.
    tile_h = PIXELS // 4 if kernel_h > kernel_w else 4 if kernel_w > kernel_h else 8
    tile_w, tile_c = PIXELS // tile_h, min(CHANNELS, triton.next_power_of_2(channels))
    grid = (n * triton.cdiv(height, tile_h) * triton.cdiv(width, tile_w), triton.cdiv(channels, tile_c))
    return grid, {"TILE_H": tile_h, "TILE_W": tile_w, "TILE_C": tile_c, "num_warps": WARPS}


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    dilation: int,
    *,
    gelu: bool = False,
    turned: bool = False,
) -> Tensor:
    """``DepthwiseConvolution`` without a gradient.

    Args:
        x: (N, C, H, W), channels_last.
        weight: (C, 1, k, l).
        bias: (C,).
        dilation: 1 or more.
        gelu: Followed by GELU.
        turned: With flipped kernels.
    """
    out = torch.empty_like(x, memory_format=torch.channels_last)
    kernel_h, kernel_w = weight.shape[2:]
    grid, tiles = tiling(x, kernel_h, kernel_w)
    _convolve[grid](
        x, weight.contiguous(), x if bias is None else bias, out, x.shape[2], x.shape[3], x.shape[1],
        kernel_h, kernel_w, dilation, turned, bias is not None, gelu, **tiles,
    )  # fmt: skip
    return out


def correlated(x: Tensor, gradient: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Gradients of the weights at each tap and, last, of the bias, (taps + 1, C) of float32."""
    n, channels, height, width = x.shape
    kernel_h, kernel_w = weight.shape[2:]
    taps = kernel_h * kernel_w
    first = 1 << max(0, taps.bit_length() - 1 - (taps.bit_count() == 1))
    rest = triton.next_power_of_2(max(1, taps - first))
    most = CHANNELS * _TAPS // max(_TAPS, triton.next_power_of_2(first + rest))
    tile_w, tile_c = _COLUMNS, min(most, triton.next_power_of_2(channels))
    programs = n * triton.cdiv(height, _ROWS) * triton.cdiv(width, tile_w)
    # Partial sums, which are added in the same order always.
    sums = torch.empty(programs, taps + 1, channels, device=x.device)
    _correlate[(programs, triton.cdiv(channels, tile_c))](
        x, gradient, sums, height, width, channels, kernel_h, kernel_w, dilation, first, rest, _ROWS, tile_w, tile_c,
        num_warps=_SUM_WARPS,
    )  # fmt: skip
    return sums.sum(0)
