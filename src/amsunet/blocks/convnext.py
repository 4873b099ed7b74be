"""The block and the skip gate of ConvUNeXt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import GELU


class ConvUNeXtBlock(nn.Module):
    """ConvNeXt's block with BatchNorm, a second norm, and an activation after the residual::

        output = GELU(x + BatchNorm(conv1x1(GELU(conv1x1(BatchNorm(conv7x7(x)))))))

    conv7x7 is depthwise with reflection padding; the hidden map has four times the channels.

    Source:
        ConvUNeXt, Knowledge-Based Systems 2022, doi 10.1016/j.knosys.2022.109512.

    Args:
        channels: Channels of the input and of the output.

    Shape:
        (N, channels, H, W) to the same, H and W above 3.

    Example:
        >>> ConvUNeXtBlock(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv2d(channels, 7, padding_mode="reflect")
        self.norm1 = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, 4 * channels, 1)
        self.activation = GELU()
        self.project = nn.Conv2d(4 * channels, channels, 1)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.activation(self.expand(self.norm1(self.depthwise(x)))))
        out: Tensor = self.activation(x + self.norm2(y))
        return out


class SkipGate(nn.Module):
    """ConvUNeXt's gate on a skip connection, controlled by the decoder map g::

        g1, g2, g3 = conv1x1(g)
        output     = conv1x1(sigmoid(conv1x1(g1 + skip)) * skip + sigmoid(g2) * tanh(g3))

    Source:
        ConvUNeXt, Knowledge-Based Systems 2022, doi 10.1016/j.knosys.2022.109512.

    Args:
        channels: Channels of the inputs and of the output.

    Shape:
        skip and g, both (N, channels, H, W), to the same.

    Example:
        >>> SkipGate(32)(torch.rand(1, 32, 16, 16), torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.steer = nn.Conv2d(channels, 3 * channels, 1)
        self.weigh = nn.Conv2d(channels, channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, skip: Tensor, g: Tensor) -> Tensor:
        first, second, third = self.steer(g).chunk(3, dim=1)
        kept = torch.sigmoid(self.weigh(first + skip)) * skip
        out: Tensor = self.leave(kept + torch.sigmoid(second) * torch.tanh(third))
        return out
