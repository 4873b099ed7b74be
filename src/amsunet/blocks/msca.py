"""MSCA: SegNeXt's multi-scale convolutional attention."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import GELU
from amsunet.blocks.strip import StripPairs


class MSCA(nn.Module):
    """Weigh a feature map by its neighbourhood at several scales; all convolutions but the last are depthwise::

        local   = conv5x5(x)
        context = local + sum over k of conv_kx1(conv_1xk(local))
        output  = x * conv1x1(context)

    Source:
        SegNeXt, NeurIPS 2022, arXiv 2209.08575.

    Args:
        channels: Channels of the input and of the output.
        strip_sizes: Lengths k of the strip pairs, odd.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> import torch
        >>> MSCA(32)(torch.rand(1, 32, 24, 24)).shape
        torch.Size([1, 32, 24, 24])
    """

    def __init__(self, channels: int, *, strip_sizes: Sequence[int] = (7, 11, 21)) -> None:
        super().__init__()
        self.local = DepthwiseConv2d(channels, 5)
        self.strips = StripPairs(channels, strip_sizes)
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.project(self.strips(self.local(x)))
        return x * weights


class MSCAAttention(nn.Module):
    """MSCA between two 1x1 convolutions, with a shortcut: x + conv1x1(MSCA(GELU(conv1x1(x)))).

    Source:
        SegNeXt, NeurIPS 2022, arXiv 2209.08575.

    Args:
        channels: Channels of the input and of the output.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> import torch
        >>> MSCAAttention(32)(torch.rand(1, 32, 24, 24)).shape
        torch.Size([1, 32, 24, 24])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.activation = GELU()
        self.msca = MSCA(channels)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.leave(self.msca(self.activation(self.enter(x))))
        return out
