"""The tokenised MLP block of UNeXt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import GELU, LayerNorm2d

_REACH = 2


class TokenisedMLP(nn.Module):
    """Mix pixels by shifting channel groups, along the height and then along the width::

        y      = shift_H(LayerNorm(x))
        output = x + linear(shift_W(GELU(conv3x3(linear(y)))))

    conv3x3 is depthwise; five groups of channels are shifted by -2, -1, 0, 1, 2 pixels, zeros fill the gap.

    Source:
        UNeXt, MICCAI 2022, arXiv 2203.04967.

    Args:
        channels: Channels of the input and of the output.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> TokenisedMLP(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm2d(channels)
        self.enter = nn.Conv2d(channels, channels, 1)
        self.depthwise = DepthwiseConv2d(channels, 3)
        self.activation = GELU()
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.depthwise(self.enter(_shift(self.norm(x), dim=2))))
        out: Tensor = x + self.leave(_shift(y, dim=3))
        return out


def _shift(x: Tensor, dim: int) -> Tensor:
    """Shift five groups of channels along ``dim`` by -2 ... 2, zeros fill the gap."""
    padded = F.pad(x, (0, 0, _REACH, _REACH) if dim == 2 else (_REACH, _REACH))
    groups = padded.chunk(2 * _REACH + 1, dim=1)
    # Few channels make fewer than five groups. Group i, shifted by i - 2 starts 4 - i pixels into the padded map.
    starts = range(2 * _REACH, -1, -1)
    moved = (group.narrow(dim, start, x.shape[dim]) for group, start in zip(groups, starts, strict=False))
    return torch.cat(tuple(moved), dim=1)
