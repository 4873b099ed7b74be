"""UNeXt: a small U-shaped network of convolutions and tokenised MLPs."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks import LayerNorm2d, TokenisedMLP
from amsunet.models.registry import register_model
from amsunet.models.size import check_size

_STRIDE = 32


@register_model("unext", source="MICCAI 2022, arXiv 2203.04967")
class UNeXt(nn.Module):
    """UNeXt; 1,471,921 parameters at 3 input channels and 1 class.

    Source:
        Valanarasu and Patel, MICCAI 2022, arXiv 2203.04967.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        widths: Of the five stages.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 32 and more; sides that 32 does not
        divide are padded inside.

    Raises:
        ValueError: For a smaller input, with the smallest size that works.

    Example:
        >>> UNeXt(3, 2)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    minimum_size = 32

    def __init__(
        self, in_channels: int = 3, num_classes: int = 2, *, widths: tuple[int, ...] = (16, 32, 128, 160, 256)
    ) -> None:
        super().__init__()
        ins = (in_channels, *widths[:2])
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(narrow, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.MaxPool2d(2), nn.ReLU())
            for narrow, wide in zip(ins, widths[:3], strict=True)
        )
        self.embeddings = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(narrow, wide, 3, stride=2, padding=1),
                LayerNorm2d(wide),
                TokenisedMLP(wide),
                LayerNorm2d(wide),
            )
            for narrow, wide in itertools.pairwise(widths[2:])
        )
        back = widths[::-1]
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(wide, narrow, 3, padding=1),
                nn.BatchNorm2d(narrow),
                nn.Upsample(scale_factor=2, mode="bilinear"),
                nn.ReLU(),
            )
            for wide, narrow in itertools.pairwise(back)
        )
        self.refiners = nn.ModuleList(nn.Sequential(TokenisedMLP(width), LayerNorm2d(width)) for width in back[1:3])
        self.last = nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.head = nn.Conv2d(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        check_size(self, x)
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % _STRIDE, 0, -height % _STRIDE))
        features = []
        for stage in (*self.convolutions, *self.embeddings):
            x = stage(x)
            features.append(x)
        features.pop()
        for step, decoder in enumerate(self.decoders):
            x = decoder(x) + features.pop()
            if step < len(self.refiners):
                x = self.refiners[step](x)
        x = torch.relu(F.interpolate(self.last(x), scale_factor=2, mode="bilinear"))
        logits: Tensor = self.head(x)
        return logits[..., :height, :width]
