"""Depthwise dilated 3x3 convolution that also trains right, and fast, on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from amsunet.blocks.depthwise import DepthwiseConv2d, cast, depthwise_backward, trains_on_cpu


class _AtrousConvolution(torch.autograd.Function):
    """Depthwise 3x3 convolution of a channels_last map, its gradients taken phase by phase.

    In bfloat16 oneDNN's weight gradient of a dilated depthwise kernel is wrong: torch 2.13 on an Intel Xeon with AMX
    gave numbers off by their own size, now and then by 1e17, and others at every call; it takes some 50 times as long
    as that of the plain kernel, too. Every d-th pixel both ways makes d * d smaller maps, on which the dilated kernel
    is a plain one, exactly.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return F.conv2d(x, weight, bias, padding=dilation, dilation=dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needed = list(ctx.needs_input_grad[:3])
        split, split_x = (_phases(one, ctx.dilation) for one in (gradients[0], x))
        x_gradient, *others = depthwise_backward(split, split_x, weight, (1, 1), needed)
        return None if x_gradient is None else _joined(x_gradient, ctx.dilation, x), *others, None


def _phases(x: Tensor, dilation: int) -> Tensor:
    """(N, C, H, W) as (N * d * d, C, ceil(H / d), ceil(W / d)), channels_last, filled up with zeros."""
    n, c, h, w = x.shape
    high, wide = -(-h // dilation), -(-w // dilation)
    x = F.pad(x, (0, wide * dilation - w, 0, high * dilation - h)).permute(0, 2, 3, 1)
    x = x.reshape(n, high, dilation, wide, dilation, c).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(n * dilation**2, high, wide, c).permute(0, 3, 1, 2)


def _joined(phases: Tensor, dilation: int, like: Tensor) -> Tensor:
    """What ``_phases`` took apart, at the size of ``like``."""
    n, c, h, w = like.shape
    _, _, high, wide = phases.shape
    x = phases.permute(0, 2, 3, 1).reshape(n, dilation, dilation, high, wide, c).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(n, high * dilation, wide * dilation, c)[:, :h, :w].permute(0, 3, 1, 2)


class AtrousConv2d(DepthwiseConv2d):
    """Depthwise 3x3 convolution with dilation and zero padding; the same function, weights and names as
    ``nn.Conv2d``.

    Args:
        channels: channels of the input and of the output.
        dilation: 1 or more.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__(channels, 3, dilation)

    def forward(self, x: Tensor) -> Tensor:
        dilation = self.dilation[0]
        if dilation == 1 or not trains_on_cpu(self, x):
            return super().forward(x)
        out: Tensor = _AtrousConvolution.apply(*cast(self, x), dilation)  # type: ignore[no-untyped-call]
        return out
