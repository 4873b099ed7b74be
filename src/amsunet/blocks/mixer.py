"""Token mixers to stand in the place of AMS."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.ams import AMS
from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.design import AMSEDesign
from amsunet.blocks.msca import MSCA


class Pooling(nn.Module):
    """What a 3x3 mean adds to the pixel: mean(x) - x, without parameters.

    Source:
        MetaFormer, CVPR 2022, arXiv 2111.11418.

    Shape:
        (N, C, H, W) to the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) - x


def make_mixer(channels: int, dilation: int, design: AMSEDesign) -> nn.Module:
    """The mixer that a design names; ``dilation`` is heard by AMS alone. Shape: (N, channels, H, W) to the same."""
    if design.mixer == "msca":
        return MSCA(channels)
    if design.mixer == "depthwise":
        return DepthwiseConv2d(channels, 7)
    if design.mixer == "pooling":
        return Pooling()
    return AMS(
        channels,
        dilation,
        strip_sizes=design.strip_sizes,
        kernel_size=design.kernel_size,
        local=design.local,
        strips=design.strips,
    )
