"""AMS: atrous multi-scale convolutional attention."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import PointwiseConv2d
from amsunet.blocks.strip import StripPairs


class AMS(nn.Module):
    """Weigh a feature map by its neighbourhood at several scales.

    All convolutions but the last are depthwise::

        local   = conv3x3(x)
        atrous  = conv3x3(local), dilated
        context = local + atrous + sum over k of conv_kx1(conv_1xk(atrous))
        output  = x * conv1x1(context)

    The plain 3x3 goes first because a dilated convolution alone skips pixels; a 1xk and a kx1 strip replace a k x k
    kernel at a fraction of its cost. Padding is zeros. With the default strips the receptive field is
    13 + 2 * dilation pixels.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: Channels of the input and of the output.
        dilation: Dilation of the atrous 3x3, 1 or more.
        strip_sizes: Lengths k of the strip pairs, odd.
        kernel_size: Of the plain convolution, odd.
        local: With the plain convolution; without it the atrous one is applied to x, and ``context`` lacks ``local``.
        strips: Strip pairs; otherwise full k x k kernels in their place.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> import torch
        >>> AMS(32, dilation=3)(torch.rand(1, 32, 24, 24)).shape
        torch.Size([1, 32, 24, 24])
    """

    def __init__(
        self,
        channels: int,
        dilation: int = 1,
        *,
        strip_sizes: Sequence[int] = (5, 7, 11),
        kernel_size: int = 3,
        local: bool = True,
        strips: bool = True,
    ) -> None:
        super().__init__()
        self.local = DepthwiseConv2d(channels, kernel_size) if local else None
        self.atrous = DepthwiseConv2d(channels, 3, dilation)
        self.strips = (
            StripPairs(channels, strip_sizes)
            if strips
            else nn.ModuleList(DepthwiseConv2d(channels, size) for size in strip_sizes)
        )
        self.project = PointwiseConv2d(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        local = None if self.local is None else self.local(x)
        atrous = self.atrous(x if local is None else local)
        if isinstance(self.strips, StripPairs):
            context = self.strips(atrous, local)
        else:
            context = atrous if local is None else local + atrous
            for kernel in self.strips:
                context = context + kernel(atrous)
        weights: Tensor = self.project(context)
        return x * weights
