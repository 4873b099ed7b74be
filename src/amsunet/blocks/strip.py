"""Pairs of strips in place of large depthwise kernels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from amsunet.blocks.depthwise import DepthwiseConv2d


def strip_pairs(channels: int, lengths: Sequence[int]) -> nn.ModuleList:
    """For each length k a 1 x k and then a k x 1 depthwise convolution, which stand for a k x k one."""
    return nn.ModuleList(
        nn.Sequential(DepthwiseConv2d(channels, (1, k)), DepthwiseConv2d(channels, (k, 1))) for k in lengths
    )
