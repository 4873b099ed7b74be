"""RSC: residual spatial and channel attention for skip connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RSC(nn.Module):
    """Weigh a skip connection over space and over channels in parallel, and keep the original beside it::

        spatial = x * sigmoid(conv1x1(x))                                 one map, no bias
        channel = x * sigmoid(conv1x1(ReLU(conv1x1(mean over H, W of x))))
        output  = x + spatial * channel

    The channel gate averages over the whole input, so a tile of an image sees its own average.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: channels of the input and of the output, at least ``reduction``.
        reduction: how many times fewer channels the channel gate has inside.
        residual: keep x beside the weighed map; otherwise output = spatial * channel.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the channel gate without channels.
    """

    def __init__(self, channels: int, reduction: int = 4, *, residual: bool = True) -> None:
        super().__init__()
        if not 1 <= reduction <= channels:
            raise ValueError(f"RSC: reduction must lie between 1 and channels ({channels}), not {reduction}")
        self.residual = residual
        self.spatial = nn.Conv2d(channels, 1, 1, bias=False)
        self.squeeze = nn.Conv2d(channels, channels // reduction, 1)
        self.excite = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        spatial = x * torch.sigmoid(self.spatial(x))
        pooled = x.mean(dim=(2, 3), keepdim=True)
        channel = x * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
        return torch.addcmul(x, spatial, channel) if self.residual else spatial * channel
