"""Depthwise convolution that is fast on a GPU too, and what those share that take their gradient another way."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

try:
    from amsunet.blocks.depthwise_triton import DepthwiseConvolution, convolve
except ImportError:  # builds of torch for the CPU come without Triton
    DepthwiseConvolution = None  # type: ignore[assignment, misc]

_BY_TRITON = (torch.float32, torch.float16, torch.bfloat16)
_MOST_TAPS = 32
_LARGEST = 2**31
"""Numbers of one image that Triton's 32-bit places can tell apart."""


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with zero padding that keeps the size of the map; the same function, weights and names as
    ``nn.Conv2d``. A channels_last map on a GPU goes through a Triton kernel.

    Args:
        channels: channels of the input and of the output.
        kernel_size: odd; of height and width, or one for each.
        dilation: 1 or more.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, kernel_size: int | tuple[int, int], dilation: int = 1) -> None:
        high, wide = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        padding = (dilation * (high // 2), dilation * (wide // 2))
        super().__init__(channels, channels, (high, wide), padding=padding, dilation=dilation, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        if DepthwiseConvolution is None or not self._suits_triton(x):
            return super().forward(x)
        if torch.is_autocast_enabled("cuda"):
            x = x.to(torch.get_autocast_dtype("cuda"))
        given = (x, self.weight, self.bias, self.dilation[0])
        if not torch.is_grad_enabled():
            return convolve(*given)  # autograd's part takes longer than a small map
        out: Tensor = DepthwiseConvolution.apply(*given)  # type: ignore[no-untyped-call]
        return out

    def _suits_triton(self, x: Tensor) -> bool:
        if not (x.is_cuda and x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)):
            return False
        if x.device.index != torch.cuda.current_device():  # where Triton launches
            return False
        fits = x.numel() > 0 and math.prod(x.shape[1:]) < _LARGEST and math.prod(self.kernel_size) <= _MOST_TAPS
        # torch has the words for a wrong number of channels.
        return fits and x.dtype in _BY_TRITON and x.shape[1] == self.in_channels


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
