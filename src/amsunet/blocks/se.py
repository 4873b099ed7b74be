"""SE: squeeze and excitation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SE(nn.Module):
    """Weigh channels by their averages: x * sigmoid(conv1x1(ReLU(conv1x1(mean over H, W of x)))).

    Source:
        Hu et al., CVPR 2018, arXiv 1709.01507.

    Args:
        channels: channels of the input and of the output, at least ``reduction``.
        reduction: how many times fewer channels the gate has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the gate without channels.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"SE: reduction must lie between 1 and channels ({channels}), not {reduction}")
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
