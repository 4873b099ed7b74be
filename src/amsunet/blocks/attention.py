"""Channel and spatial attention: SE, SCSE, CBAM, and AMSUnet's RSC for skip connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SE(nn.Module):
    """Squeeze and excitation, a gate on the channels::

        output = x * sigmoid(conv1x1(ReLU(conv1x1(mean over H, W of x))))

    Source:
        Hu et al., CVPR 2018, arXiv 1709.01507.

    Args:
        channels: Channels of the input and of the output, at least ``reduction``.
        reduction: How many times fewer channels the gate has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the gate without channels.

    Example:
        >>> SE(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = _hidden("SE", channels, reduction)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))


class SCSE(nn.Module):
    """Concurrent spatial and channel squeeze and excitation: two gates in parallel, of which the larger result counts::

        output = max(SE(x), x * sigmoid(conv1x1(x)))

    Source:
        Roy et al., MICCAI 2018, arXiv 1803.02579.

    Args:
        channels: Channels of the input and of the output, at least ``reduction``.
        reduction: How many times fewer channels the channel gate has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the channel gate without channels.

    Example:
        >>> SCSE(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    def __init__(self, channels: int, reduction: int = 2) -> None:
        super().__init__()
        self.channel = SE(channels, reduction)
        self.spatial = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(self.channel(x), x * torch.sigmoid(self.spatial(x)))


class CBAM(nn.Module):
    """Convolutional block attention module: a gate on the channels, then one on the pixels::

        y      = x * sigmoid(MLP(mean over H, W of x) + MLP(max over H, W of x))
        output = y * sigmoid(conv7x7([max over C of y, mean over C of y]))

    Source:
        Woo et al., ECCV 2018, arXiv 1807.06521.

    Args:
        channels: Channels of the input and of the output, at least ``reduction``.
        reduction: How many times fewer channels the MLP has inside.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the MLP without channels.

    Example:
        >>> CBAM(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = _hidden("CBAM", channels, reduction)
        self.mlp = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        mean, largest = x.mean(dim=(2, 3), keepdim=True), x.amax(dim=(2, 3), keepdim=True)
        x = x * torch.sigmoid(self.mlp(mean) + self.mlp(largest))
        maps = torch.cat((x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)), dim=1)
        return x * torch.sigmoid(self.spatial(maps))


class RSC(nn.Module):
    """Residual spatial and channel attention for skip connections: two gates in parallel, the input added::

        spatial = x * sigmoid(conv1x1(x))                                 one map, no bias
        channel = x * sigmoid(conv1x1(ReLU(conv1x1(mean over H, W of x))))
        output  = x + spatial * channel

    The channel gate averages over the whole input, so each tile of an image has its own average.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: Channels of the input and of the output, at least ``reduction``.
        reduction: How many times fewer channels the channel gate has inside.
        residual: Add x to the product; otherwise output = spatial * channel.

    Shape:
        (N, channels, H, W) to the same.

    Raises:
        ValueError: If ``reduction`` leaves the channel gate without channels.

    Example:
        >>> RSC(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    def __init__(self, channels: int, reduction: int = 4, *, residual: bool = True) -> None:
        super().__init__()
        hidden = _hidden("RSC", channels, reduction)
        self.residual = residual
        self.spatial = nn.Conv2d(channels, 1, 1, bias=False)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        spatial = x * torch.sigmoid(self.spatial(x))
        pooled = x.mean(dim=(2, 3), keepdim=True)
        channel = x * torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
        return torch.addcmul(x, spatial, channel) if self.residual else spatial * channel


def _hidden(block: str, channels: int, reduction: int) -> int:
    """Channels inside a gate."""
    if not 1 <= reduction <= channels:
        raise ValueError(f"{block}: reduction must lie between 1 and channels ({channels}), not {reduction}")
    return channels // reduction
