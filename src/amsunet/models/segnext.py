"""SegNeXt-T: the MSCAN-T encoder with the LightHam decoder."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks import FFN, Hamburger, LayerNorm2d, MSCAAttention
from amsunet.blocks.layers import GELU
from amsunet.models.registry import register_model
from amsunet.models.size import check_size


class MSCANBlock(nn.Module):
    """Two residuals, each scaled by a learned weight per channel: attention, then FFN.

    Args:
        channels: Channels of the input and of the output.
        expansion: How many times wider the inner map of the FFN is.

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.attention, self.ffn = MSCAAttention(channels), FFN(channels, expansion)
        self.scale1 = nn.Parameter(torch.full((channels, 1, 1), 1e-2))
        self.scale2 = nn.Parameter(torch.full((channels, 1, 1), 1e-2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.scale1 * self.attention(self.norm1(x))
        out: Tensor = x + self.scale2 * self.ffn(self.norm2(x))
        return out


def _reduce(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), nn.BatchNorm2d(out_channels))


class MSCAN(nn.Module):
    """Encoder of four stages at strides 4, 8, 16 and 32; 3,903,584 parameters at the defaults (MSCAN-T).

    Source:
        Guo et al., NeurIPS 2022, arXiv 2209.08575.

    Args:
        in_channels: Channels of the image.
        widths: Channels of each stage.
        depths: Blocks of each stage.
        expansions: Of the FFN in each stage's blocks.

    Shape:
        (N, in_channels, H, W) to four maps of the stages' widths.

    Example:
        >>> [tuple(x.shape[1:]) for x in MSCAN()(torch.rand(1, 3, 64, 64))]
        [(32, 16, 16), (64, 8, 8), (160, 4, 4), (256, 2, 2)]
    """

    def __init__(
        self,
        in_channels: int = 3,
        widths: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (3, 3, 5, 2),
        expansions: Sequence[int] = (8, 8, 4, 4),
    ) -> None:
        super().__init__()
        half = widths[0] // 2
        stem = nn.Sequential(_reduce(in_channels, half), GELU(), _reduce(half, widths[0]))
        reducers = [stem, *(_reduce(narrow, wide) for narrow, wide in itertools.pairwise(widths))]
        self.stages = nn.ModuleList(
            nn.Sequential(reducer, *(MSCANBlock(width, expansion) for _ in range(depth)), LayerNorm2d(width))
            for reducer, width, depth, expansion in zip(reducers, widths, depths, expansions, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


@register_model("segnext", source="NeurIPS 2022, arXiv 2209.08575")
class SegNeXt(nn.Module):
    """SegNeXt-T; 4,225,378 parameters at the defaults.

    The logits are computed at an eighth of the input's size and resized to it bilinearly.

    Source:
        Guo et al., NeurIPS 2022, arXiv 2209.08575.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        decoder_channels: Width of the decoder, a multiple of 32.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 32 and more.

    Raises:
        ValueError: For a smaller input, with the smallest size that works.

    Example:
        >>> SegNeXt(3, 2)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    minimum_size = 32

    def __init__(self, in_channels: int = 3, num_classes: int = 2, *, decoder_channels: int = 256) -> None:
        super().__init__()
        widths = (32, 64, 160, 256)
        self.encoder = MSCAN(in_channels, widths)
        self.squeeze = nn.Sequential(
            nn.Conv2d(sum(widths[1:]), decoder_channels, 1, bias=False), nn.GroupNorm(32, decoder_channels), nn.ReLU()
        )
        self.hamburger = Hamburger(decoder_channels)
        self.align = nn.Sequential(
            nn.Conv2d(decoder_channels, decoder_channels, 1, bias=False), nn.GroupNorm(32, decoder_channels), nn.ReLU()
        )
        self.head = nn.Conv2d(decoder_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        check_size(self, x)
        _, *features = self.encoder(x)
        size = features[0].shape[-2:]
        same = [F.interpolate(feature, size, mode="bilinear", align_corners=False) for feature in features]
        logits: Tensor = self.head(self.align(self.hamburger(self.squeeze(torch.cat(same, dim=1)))))
        return F.interpolate(logits, x.shape[-2:], mode="bilinear", align_corners=False)
