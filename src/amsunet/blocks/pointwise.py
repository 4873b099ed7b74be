"""1x1 convolution that is fast on a GPU too."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.memory_format import is_channels_last

_HALVES = (torch.bfloat16, torch.float16)
"""In float32 cuDNN is the faster one: it may round to TF32, which matrix products are not allowed to."""


class PointwiseConv2d(nn.Conv2d):
    """1x1 convolution; the same function, weights and names as ``nn.Conv2d``. A channels_last map of 16-bit
    numbers on a GPU goes through a matrix product, which adds the bias as it writes: cuDNN's convolution reads and
    writes the map once more for it.

    Shape: (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if is_channels_last(x) and x.is_cuda and (x.dtype in _HALVES or torch.is_autocast_enabled("cuda")):
            return F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)
        return super().forward(x)
