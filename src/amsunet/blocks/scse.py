"""SCSE: concurrent spatial and channel squeeze and excitation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amsunet.blocks.se import SE


class SCSE(nn.Module):
    """Weigh channels and places in parallel and keep the larger: max(SE(x), x * sigmoid(conv1x1(x))).

    Source:
        Roy et al., MICCAI 2018, arXiv 1803.02579.

    Args:
        channels: channels of the input and of the output, at least ``reduction``.
        reduction: how many times fewer channels the channel gate has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the channel gate without channels.
    """

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        self.channel = SE(channels, reduction)
        self.spatial = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(self.channel(x), x * torch.sigmoid(self.spatial(x)))
