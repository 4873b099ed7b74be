"""The way through a U-shaped network, which AMSUnet, AMSUnetLite and ConvUNeXt have in common."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.models.size import check_size


class UShaped(nn.Module):
    """Stem, one ``down`` a stage, one ``up`` a skip connection, head: a subclass makes these.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W).

    Raises:
        ValueError: For a smaller input than ``minimum_size``, which the message names.
    """

    minimum_size = 16
    stem: nn.Module
    downs: nn.ModuleList
    """Each halves the sides of its input."""
    ups: nn.ModuleList
    """Each takes the decoder's map and the skip of its size, the coarsest first."""
    head: nn.Module

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


def upsample(x: Tensor) -> Tensor:
    """Resize to twice the size, bilinear with aligned corners, in the precision of x.

    Autocast would compute this, and the sum or concatenation after it, in float32.

    Shape:
        (N, C, H, W) to (N, C, 2 H, 2 W).
    """
    with torch.autocast(x.device.type, enabled=False) if torch.is_autocast_enabled(x.device.type) else nullcontext():
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
