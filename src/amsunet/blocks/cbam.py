"""CBAM: convolutional block attention module."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CBAM(nn.Module):
    """Weigh channels, then places::

        y      = x * sigmoid(MLP(mean over H, W of x) + MLP(max over H, W of x))
        output = y * sigmoid(conv7x7([max over C of y, mean over C of y]))

    Source:
        Woo et al., ECCV 2018, arXiv 1807.06521.

    Args:
        channels: channels of the input and of the output, at least ``reduction``.
        reduction: how many times fewer channels the MLP has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the MLP without channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"CBAM: reduction must lie between 1 and channels ({channels}), not {reduction}")
        hidden = channels // reduction
        self.mlp = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        mean, largest = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        x = x * torch.sigmoid(self.mlp(mean) + self.mlp(largest))
        maps = torch.cat((x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)), dim=1)
        return x * torch.sigmoid(self.spatial(maps))
