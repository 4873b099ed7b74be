"""AMSUnet: a light U-shaped network with AMSE blocks and RSC on the skip connections."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks import AMSE, RSC
from amsunet.models.registry import register_model
from amsunet.models.size import check_size, pad_to


class Up(nn.Module):
    """One decoder step: upsample, attend to the skip, fuse, refine.

    Shape: decoder map (N, in_channels, h, w) and skip (N, skip_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.attention = RSC(skip_channels)
        self.fuse = nn.Conv2d(skip_channels + in_channels, out_channels, 1)
        self.block = AMSE(out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = pad_to(F.interpolate(self.norm(x), scale_factor=2, mode="bilinear", align_corners=True), skip)
        out: Tensor = self.block(self.fuse(torch.cat((self.attention(skip), x), dim=1)))
        return out


@register_model("amsunet")
class AMSUnet(nn.Module):
    """AMSUnet with five encoder stages and four decoder steps; 2,619,898 parameters at the defaults.

    Source: AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        in_channels: channels of the image.
        num_classes: classes, background included.
        base_channels: width of the first stage, a multiple of 4; the stages have 1, 2, 4, 8 and 8 times that.
        dilations: of the AMSE in each of the five encoder stages.

    Shape: (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 16 and more.
    Raises: ValueError for a smaller input, with the smallest size that works.
    """

    minimum_size = 16

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 2,
        base_channels: int = 32,
        *,
        dilations: Sequence[int] = (1, 1, 1, 3, 5),
    ) -> None:
        super().__init__()
        if base_channels < 4 or base_channels % 4:
            raise ValueError(f"AMSUnet: base_channels must be a multiple of 4, not {base_channels}")
        if len(dilations) != 5:
            raise ValueError(f"AMSUnet: dilations needs five numbers, one for each stage, not {len(dilations)}")
        widths = [base_channels * factor for factor in (1, 2, 4, 8, 8)]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, padding_mode="reflect"),
            nn.BatchNorm2d(widths[0]),
            nn.GELU(),
            AMSE(widths[0], dilations[0]),
        )
        self.downs = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(narrow), nn.Conv2d(narrow, wide, 2, stride=2), AMSE(wide, dilation))
            for narrow, wide, dilation in zip(widths, widths[1:], dilations[1:], strict=False)
        )
        steps = zip((8, 4, 2, 1), (8, 4, 2, 1), (4, 2, 1, 1), strict=True)
        self.ups = nn.ModuleList(Up(*(base_channels * factor for factor in step)) for step in steps)
        self.head = nn.Conv2d(base_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        check_size(self, x)
        features = [self.stem(x)]
        for down in self.downs:
            features.append(down(features[-1]))
        x = features.pop()
        for up in self.ups:
            x = up(x, features.pop())
        logits: Tensor = self.head(x)
        return logits
