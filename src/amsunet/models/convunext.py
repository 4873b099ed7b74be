"""ConvUNeXt: a U-shaped network of ConvNeXt blocks with gated skip connections."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks import ConvUNeXtBlock, SkipGate
from amsunet.blocks.layers import GELU
from amsunet.models.registry import register_model
from amsunet.models.size import check_size, pad_to
from amsunet.models.u_shape import UShaped


class Up(nn.Module):
    """One decoder step: upsample, gate the skip, fuse, refine.

    Shape:
        decoder map (N, channels, h, w) and skip (N, channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.gate = SkipGate(channels)
        self.fuse = nn.Conv2d(2 * channels, out_channels, 1)
        self.block = ConvUNeXtBlock(out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = pad_to(F.interpolate(self.norm(x), scale_factor=2, mode="bilinear", align_corners=True), skip)
        out: Tensor = self.block(self.fuse(torch.cat((self.gate(skip, x), x), dim=1)))
        return out


@register_model("convunext", source="Knowl.-Based Syst. 2022, doi 10.1016/j.knosys.2022.109512")
class ConvUNeXt(UShaped):
    """ConvUNeXt; 3,505,730 parameters at the defaults.

    Source:
        Knowledge-Based Systems 2022, doi 10.1016/j.knosys.2022.109512.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        base_channels: Width of the first stage; the stages have 1, 2, 4, 8 and 8 times that.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 32 and more; sides below 64 are
        padded inside.

    Raises:
        ValueError: For a smaller input, with the smallest size that works.

    Example:
        >>> ConvUNeXt(3, 2)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    minimum_size = 32

    def __init__(self, in_channels: int = 3, num_classes: int = 2, base_channels: int = 32) -> None:
        super().__init__()
        widths = [base_channels * factor for factor in (1, 2, 4, 8, 8)]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 7, padding=3, padding_mode="reflect"),
            nn.BatchNorm2d(widths[0]),
            GELU(),
            ConvUNeXtBlock(widths[0]),
        )
        self.downs = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(narrow),
                nn.Conv2d(narrow, wide, 2, stride=2),
                *(ConvUNeXtBlock(wide) for _ in range(depth)),
            )
            for narrow, wide, depth in zip(widths, widths[1:], (1, 1, 3, 1), strict=False)
        )
        self.ups = nn.ModuleList(
            Up(base_channels * skip, base_channels * out) for skip, out in ((8, 4), (4, 2), (2, 1), (1, 1))
        )
        self.head = nn.Conv2d(base_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        check_size(self, x)
        height, width = x.shape[-2:]
        # The deepest stage is padded by reflection of three pixels, so it must have four.
        x = F.pad(x, (0, max(0, 64 - width), 0, max(0, 64 - height)), mode="replicate")
        return super().forward(x)[..., :height, :width]
