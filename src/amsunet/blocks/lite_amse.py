"""LiteAMSE, AMSE in fewer passes over the map: AMS composed to one kernel, and the blocks around it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.depthwise import DepthwiseConv2d, depthwise_conv2d
from amsunet.blocks.layers import PointwiseConv2d

_DILATIONS = (2, 3)
_STRIPS = (5, 7)
_SIDE = 7


class ComposedAMS(nn.Module):
    """The kernels of AMS added up to one 7x7 depthwise kernel before they meet the map::

        output = conv7x7(x), whose kernel is
        local 3x3 + atrous 3x3 (dilation 2) + atrous 3x3 (dilation 3) + column5 x row5 + column7 x row7

    AMS runs eight depthwise convolutions one after another, each of which reads and writes the whole map, and on a CPU
    that is what they cost. Side by side instead of one after another, and none wider than 7, they are one convolution:
    in training too, and exactly so at the border.

    Source:
        The kernels: AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120. That a dilated kernel is a
        larger one with zeros, and goes into it: UniRepLKNet, CVPR 2024, arXiv 2311.15599.

    Args:
        channels: Channels of the input and of the output.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> ComposedAMS(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local = nn.Parameter(torch.empty(channels, 1, 3, 3))
        self.atrous = nn.ParameterList(torch.empty(channels, 1, 3, 3) for _ in _DILATIONS)
        self.rows = nn.ParameterList(torch.empty(channels, 1, 1, length) for length in _STRIPS)
        self.columns = nn.ParameterList(torch.empty(channels, 1, length, 1) for length in _STRIPS)
        self.bias = nn.Parameter(torch.zeros(channels))
        # As torch starts a convolution: a kernel of n taps within 1 / sqrt(n).
        for weight in (self.local, *self.atrous, *self.rows, *self.columns):
            nn.init.uniform_(weight, -(bound := 1 / math.sqrt(weight[0].numel())), bound)

    def kernel(self) -> Tensor:
        """The one kernel that all parts make.

        Returns:
            (channels, 1, 7, 7).
        """
        parts = [_centred(self.local), *map(_dilated, self.atrous, _DILATIONS)]
        parts += [_centred(column * row) for column, row in zip(self.columns, self.rows, strict=True)]
        return torch.stack(parts).sum(0)

    def as_convolution(self) -> nn.Conv2d:
        """The same function as a plain convolution, for networks that are no longer trained."""
        plain = DepthwiseConv2d(len(self.local), _SIDE).to(self.local).eval()
        with torch.no_grad():
            plain.weight.copy_(self.kernel())
            if plain.bias is not None:
                plain.bias.copy_(self.bias)
        return plain

    def forward(self, x: Tensor) -> Tensor:
        return depthwise_conv2d(x, self.kernel(), self.bias)


def _centred(kernel: Tensor) -> Tensor:
    """With zeros around it, so that it is 7x7."""
    high, wide = ((_SIDE - side) // 2 for side in kernel.shape[2:])
    return F.pad(kernel, (wide, wide, high, high))


def _dilated(kernel: Tensor, dilation: int) -> Tensor:
    """A 3x3 kernel with zeros between its taps, centred in 7x7."""
    spread = F.pad(kernel[..., None, :, None], (0, dilation - 1, 0, 0, 0, dilation - 1)).flatten(4).flatten(2, 3)
    side = 2 * dilation + 1
    return _centred(spread[..., :side, :side])


class LiteAMSE(nn.Module):
    """AMSE with the map read as few times as can be::

        output = ReLU(x + BatchNorm(conv1x1(ReLU(BatchNorm(conv1x1(BatchNorm(mixer(x))))))))

    It keeps the paper's rules: neighbourhoods at several scales, then a feed-forward network, ONE residual, an
    activation after the sum. It departs from AMSE, each time for the time that it takes on a CPU:

    - AMS is one kernel, and nothing is multiplied by its output, so that it needs no 1x1 of its own.
    - The feed-forward network widens two times, not four, and has no depthwise convolution: the mixer is one.
    - ReLU for GELU, which costs a runtime as much as a convolution.

    Args:
        channels: Channels of the input and of the output.
        mixer: ``ams``, or ``plain`` for a plain depthwise kernel.
        kernel_size: Of the plain kernel, odd.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> LiteAMSE(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int, mixer: str = "ams", kernel_size: int = _SIDE) -> None:
        super().__init__()
        mix = ComposedAMS(channels) if mixer == "ams" else DepthwiseConv2d(channels, kernel_size)
        self.body = nn.Sequential(
            mix,
            nn.BatchNorm2d(channels),
            PointwiseConv2d(channels, 2 * channels, bias=False),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(inplace=True),
            PointwiseConv2d(2 * channels, channels, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class GatedAMSE(nn.Module):
    """LiteAMSE with AMS's product in place of the feed-forward network::

        output = ReLU(x + BatchNorm(conv1x1(BatchNorm(mixer(BatchNorm(conv1x1(x)))) * ReLU(BatchNorm(conv1x1(x))))))

    AMS multiplies a map by what surrounds it. Here one half of a 1x1's output is weighed by the other half's
    surroundings, with two 1x1 where AMSE has five.

    Source:
        The gate: MambaOut, CVPR 2025, arXiv 2405.07992.

    Args:
        channels: Channels of the input and of the output.
        mixer: As in ``LiteAMSE``.
        kernel_size: As in ``LiteAMSE``.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> GatedAMSE(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int, mixer: str = "ams", kernel_size: int = _SIDE) -> None:
        super().__init__()
        mix = ComposedAMS(channels) if mixer == "ams" else DepthwiseConv2d(channels, kernel_size)
        self.enter = nn.Sequential(
            PointwiseConv2d(channels, channels, bias=False), nn.BatchNorm2d(channels), mix, nn.BatchNorm2d(channels)
        )
        self.gate = nn.Sequential(
            PointwiseConv2d(channels, channels, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.leave = nn.Sequential(PointwiseConv2d(channels, channels, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.leave(self.enter(x) * self.gate(x)))
