"""U-Net and its residual twin."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.models.registry import register_model
from amsunet.models.size import check_size, pad_to


class DoubleConv(nn.Sequential):
    """Twice 3x3 convolution, BatchNorm, ReLU.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, hidden: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class ResidualDoubleConv(nn.Module):
    """``DoubleConv`` with a shortcut before its last ReLU: 1x1 convolution and BatchNorm where widths differ.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*list(DoubleConv(in_channels, out_channels, hidden).children())[:-1])
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


@register_model("unet", source="MICCAI 2015, arXiv 1505.04597")
class UNet(nn.Module):
    """U-Net; 4,318,434 parameters at the defaults.

    With BatchNorm, max-pooling, bilinear upsampling and a bottleneck of eight times the base width.

    Source:
        Ronneberger et al., MICCAI 2015, arXiv 1505.04597, in the form that AMSUnet is compared with.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        base_channels: Width of the first stage, even; the stages have 1, 2, 4, 8 and 8 times that.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 16 and more.

    Raises:
        ValueError: For a smaller input, with the smallest size that works.

    Example:
        >>> UNet(3, 2)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    minimum_size = 16
    block: type[DoubleConv] | type[ResidualDoubleConv] = DoubleConv

    def __init__(self, in_channels: int = 3, num_classes: int = 2, base_channels: int = 32) -> None:
        super().__init__()
        if base_channels < 2 or base_channels % 2:
            raise ValueError(f"{type(self).__name__}: base_channels must be an even number, not {base_channels}")
        widths = [base_channels * factor for factor in (1, 2, 4, 8, 8)]
        self.stem = self.block(in_channels, widths[0], widths[0])
        self.downs = nn.ModuleList(self.block(narrow, wide, wide) for narrow, wide in itertools.pairwise(widths))
        self.ups = nn.ModuleList(
            self.block(2 * base_channels * skip, base_channels * out, base_channels * skip)
            for skip, out in ((8, 4), (4, 2), (2, 1), (1, 1))
        )
        self.head = nn.Conv2d(base_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        check_size(self, x)
        features = [self.stem(x)]
        for down in self.downs:
            features.append(down(F.max_pool2d(features[-1], 2)))
        x = features.pop()
        for up in self.ups:
            skip = features.pop()
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = up(torch.cat((skip, pad_to(x, skip)), dim=1))
        logits: Tensor = self.head(x)
        return logits


@register_model("resunet", source="residual twin of unet, this project")
class ResUNet(UNet):
    """The residual twin of ``UNet``: the same network with a shortcut in every block.

    The ResUnet that the AMSUnet paper compares with has 5.54 M parameters. No public configuration has that size:
    this one has 4,451,074 at the defaults and is not the paper's.
    """

    block = ResidualDoubleConv
