"""Depthwise convolution on a CPU with gradients that are exact and fast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_BY_COLUMNS = 5
"""Square kernels from this side on: oneDNN has no fast gradient for the weights of such."""


class DepthwiseConvolution(torch.autograd.Function):
    """Depthwise convolution of a channels_last map, odd kernel, zero-padded to keep the size: oneDNN's, with other
    algorithms for the gradients, which are exact.

    The gradient of the map is the convolution of the output's gradient with the flipped kernel, which takes half the
    time of oneDNN's gradient (4.8 against 8.5 ms for (5, 128, 160, 160), 3 x 3, in bfloat16 on two cores of an Intel
    Xeon). That of the weights is oneDNN's, in the cases where it is right and fast:

    - with dilation d on every d-th pixel both ways. In bfloat16 the gradient of a dilated kernel is wrong: torch 2.13
      on an Intel Xeon with AMX gave errors as large as the numbers, now and then of 1e17, and different ones at every
      call; it also takes some 50 times as long as that of the plain kernel.
    - of 1 x k kernels on a view that makes them k x 1. 1 x k takes 15 to 20 times as long (105 against 6 ms for
      (8, 32, 256, 256) and k = 11 in bfloat16 on two cores of an AMD EPYC).
    - of square kernels from 5 x 5 on column by column, each of which is k x 1. As a whole 7 x 7 takes four to eight
      times as long ((2, 64, 64, 64) on one core of an AMD EPYC: 5.7 against 1.1 ms, in bfloat16 7.8 against 1.3).

    Shape:
        ``apply(x, weight, bias, dilation)``: x (N, C, H, W), weight (C, 1, k, l), bias (C,) or None, to (N, C, H, W).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _convolve(x, weight, bias, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        # channels_last, spelled so that vmap accepts it.
        gradient = gradients[0].permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        of_x, of_weight, of_bias = None, None, None
        if ctx.needs_input_grad[0]:
            with torch.autocast("cpu", enabled=False):  # a gradient has the precision of its tensor
                of_x = _convolve(gradient, weight.flip(2, 3), None, ctx.dilation)
        if any(ctx.needs_input_grad[1:3]):
            of_weight, of_bias = _correlate(x, gradient, weight, ctx.dilation)
        return of_x, of_weight, of_bias if ctx.needs_input_grad[2] else None, None


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    padding = [dilation * (side // 2) for side in weight.shape[2:]]
    return F.conv2d(x, weight, bias, padding=padding, dilation=dilation, groups=len(weight))


def _correlate(x: Tensor, gradient: Tensor, weight: Tensor, dilation: int) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias."""
    if dilation > 1:
        x, gradient = _phases(x, dilation), _phases(gradient, dilation)
    if weight.shape[2] == weight.shape[3] >= _BY_COLUMNS:
        return _by_columns(x, gradient, weight), gradient.sum((0, 2, 3))
    is_row = weight.shape[2] == 1
    if is_row:
        x, gradient, weight = _rows(x), _rows(gradient), weight.transpose(2, 3)
    padding = [side // 2 for side in weight.shape[2:]]
    channels, mask = len(weight), [False, True, True]
    _, of_weight, of_bias = torch.ops.aten.convolution_backward(
        gradient, x, weight, [channels], [1, 1], padding, [1, 1], False, [0, 0], channels, mask
    )
    return of_weight.transpose(2, 3) if is_row else of_weight, of_bias


def _by_columns(x: Tensor, gradient: Tensor, weight: Tensor) -> Tensor:
    """The gradient of a square kernel's weights, one column after another.

    Under column j a map lies j - k // 2 pixels to the side of its gradient. With k - 1 columns of zeros behind each row
    and k // 2 before the first, such a shift is a view that begins j pixels later: a shifted row runs into zeros, never
    into its neighbour, and nothing is copied for it.
    """
    n, channels, height, width = x.shape
    side = weight.shape[3]
    wide = width + side - 1
    pixels = n * height * wide
    padded = x.new_zeros(pixels + side - 1, channels)
    before = side // 2
    padded[before : before + pixels].view(n, height, wide, channels)[:, :, :width] = x.permute(0, 2, 3, 1)
    flowing = gradient.new_zeros(n, height, wide, channels)
    flowing[:, :, :width] = gradient.permute(0, 2, 3, 1)
    column = weight[..., :1].contiguous()
    given = ([channels], [1, 1], [before, 0], [1, 1], False, [0, 0], channels, [False, True, False])
    return torch.cat(
        [
            torch.ops.aten.convolution_backward(
                flowing.permute(0, 3, 1, 2),
                padded[shift : shift + pixels].view(n, height, wide, channels).permute(0, 3, 1, 2),
                column,
                *given,
            )[1]
            for shift in range(side)
        ],
        dim=3,
    )


def _phases(x: Tensor, dilation: int) -> Tensor:
    """(N, C, H, W) as (N * d * d, C, ceil(H / d), ceil(W / d)), channels_last, padded with zeros.

    Known as space to batch: a kernel dilated by d is a plain one there.
    """
    n, c, h, w = x.shape
    high, wide = -(-h // dilation), -(-w // dilation)
    x = F.pad(x, (0, wide * dilation - w, 0, high * dilation - h)).permute(0, 2, 3, 1)
    x = x.reshape(n, high, dilation, wide, dilation, c).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(n * dilation**2, high, wide, c).permute(0, 3, 1, 2)


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W), channels_last, viewed as (N * H, C, W, 1); nothing is copied, because rows are contiguous."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(n * h, w, 1, c).permute(0, 3, 1, 2)
