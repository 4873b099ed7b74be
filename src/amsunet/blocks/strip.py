"""Depthwise 1 x k convolution that also trains fast on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.depthwise import DepthwiseConv2d, cast, depthwise_backward, trains_on_cpu


class _RowConvolution(torch.autograd.Function):
    """Depthwise 1 x k convolution of a channels_last map, its weight gradient taken on another view.

    oneDNN's weight gradient of a 1 x k depthwise kernel takes 15 to 20 times as long as that of the same
    kernel standing upright (105 against 6 ms for (8, 32, 256, 256) and k = 11 in bfloat16 on two cores of an
    AMD EPYC). Rows of a channels_last map lie one after another in memory, so the same data seen as
    (N * H, C, W, 1) makes the kernel upright, exactly and without a copy.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, padding=(0, weight.shape[-1] // 2), groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        half = weight.shape[-1] // 2
        x_gradient, weight_gradient, bias_gradient = None, None, None
        if ctx.needs_input_grad[0]:
            x_gradient = depthwise_backward(gradient, x, weight, (0, half), [True, False, False])[0]
        mask = [False, ctx.needs_input_grad[1], ctx.needs_input_grad[2]]
        if any(mask):
            _, weight_gradient, bias_gradient = depthwise_backward(
                _rows(gradient), _rows(x), weight.transpose(2, 3), (half, 0), mask
            )
        if weight_gradient is not None:
            weight_gradient = weight_gradient.transpose(2, 3)
        return x_gradient, weight_gradient, bias_gradient


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W), channels_last, seen as (N * H, C, W, 1)."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(n * h, w, 1, c).permute(0, 3, 1, 2)


class RowConv2d(DepthwiseConv2d):
    """Depthwise 1 x k convolution with zero padding; the same function, weights and names as ``nn.Conv2d``.

    Args:
        channels: channels of the input and of the output.
        length: k, odd.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__(channels, (1, length))

    def forward(self, x: Tensor) -> Tensor:
        if not trains_on_cpu(self, x):
            return super().forward(x)
        out: Tensor = _RowConvolution.apply(*cast(self, x))  # type: ignore[no-untyped-call]
        return out


def strip_pairs(channels: int, lengths: Sequence[int]) -> nn.ModuleList:
    """For each length k a 1 x k and then a k x 1 depthwise convolution, which stand for a k x k one."""
    return nn.ModuleList(nn.Sequential(RowConv2d(channels, k), DepthwiseConv2d(channels, (k, 1))) for k in lengths)
