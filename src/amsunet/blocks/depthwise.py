"""Depthwise convolutions as they train on a CPU: what those share that take their gradient another way."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def trains_on_cpu(module: nn.Module, x: Tensor) -> bool:
    """Whether a gradient will be taken of a channels_last map on a CPU."""
    trains = module.training and torch.is_grad_enabled() and x.device.type == "cpu"
    return trains and x.is_contiguous(memory_format=torch.channels_last)


def cast(module: nn.Conv2d, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Input, weight and bias in the type that autocast takes for convolutions, if it is on."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    return x.to(dtype), module.weight.to(dtype), None if module.bias is None else module.bias.to(dtype)


def depthwise_backward(
    gradient: Tensor, x: Tensor, weight: Tensor, padding: tuple[int, int], mask: list[bool]
) -> list[Tensor | None]:
    """Gradients of input, weight and bias of a depthwise convolution without dilation, as far as ``mask`` asks."""
    channels = len(weight)
    return list(
        torch.ops.aten.convolution_backward(
            gradient, x, weight, [channels], [1, 1], padding, [1, 1], False, [0, 0], channels, mask
        )
    )
