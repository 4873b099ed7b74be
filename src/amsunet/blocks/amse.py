"""AMSE: the encoder block of AMSUnet, AMS attention followed by a feed-forward network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.design import AMSEDesign
from amsunet.blocks.gelu import GELU
from amsunet.blocks.memory_format import is_channels_last
from amsunet.blocks.mixer import make_mixer
from amsunet.blocks.pointwise import PointwiseConv2d

_PAPER = AMSEDesign()
_BAND = 16 << 20
"""Bytes of an image's wide map that are made at a time where it is over twice as large."""


class AMSAttention(nn.Sequential):
    """AMS between two 1x1 convolutions: 1x1, GELU, AMS, 1x1, without a shortcut of its own.

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, dilation: int = 1, design: AMSEDesign = _PAPER) -> None:
        super().__init__()
        self.enter = PointwiseConv2d(channels, channels)
        self.activation = design.make_activation()
        self.mixer = make_mixer(channels, dilation, design)
        self.leave = PointwiseConv2d(channels, channels)


class FFN(nn.Sequential):
    """Convolutional feed-forward network: 1x1 to a wider map, 3x3 depthwise, GELU, 1x1 back.

    The convolution and GELU may run as one, without their modules' hooks, and on a CPU without gradients a large wide
    map is made in bands, for which the modules are called one after another: it would be most of the memory that a
    network takes (AMSUnet on a tile of 512 x 512 in float32: two maps of 134 MB).

    Args:
        activation: of each number by itself; GELU if not given.

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, expansion: int = 4, activation: nn.Module | None = None) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = PointwiseConv2d(channels, hidden)
        self.depthwise = DepthwiseConv2d(hidden, 3)
        self.activation = activation or GELU()
        self.project = PointwiseConv2d(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        rows = self._rows_at_a_time(x)
        if rows is None:
            out: Tensor = self.project(self._widened(x))
            return out
        tops = range(0, x.shape[2], rows)
        images = [torch.cat([self._band(image, top, rows) for top in tops], 2) for image in x.chunk(len(x))]
        return torch.cat(images) if len(images) > 1 else images[0]

    def _widened(self, x: Tensor) -> Tensor:
        wide: Tensor = self.expand(x)
        return self.depthwise.gelu_of(wide) if type(self.activation) is GELU else self.activation(self.depthwise(wide))

    def _band(self, image: Tensor, top: int, rows: int) -> Tensor:
        """Some rows of the output, from those and their neighbours."""
        reach = self.depthwise.kernel_size[0] // 2
        above = min(top, reach)
        wide = self._widened(image[:, :, top - above : top + rows + reach])
        out: Tensor = self.project(wide[:, :, above : above + rows])
        return out

    def _rows_at_a_time(self, x: Tensor) -> int | None:
        """How many rows of an image make a band; none if the map goes through whole."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not is_channels_last(x):
            return None
        row = self.depthwise.in_channels * x.shape[3] * x.element_size()
        large = row * x.shape[2] > 2 * _BAND and len(x) > 0
        return max(1, _BAND // row) if large and x.device.type == "cpu" else None


class AMSE(nn.Module):
    """Encoder block with ONE residual around attention and FFN, and an activation after the sum::

        output = GELU(x + FFN(BatchNorm(attention(BatchNorm(x)))))

    A Transformer block, and SegNeXt's, have two residuals and no closing activation; the paper found
    that features which pass a residual unactivated did harm.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: channels of the input and of the output.
        dilation: dilation of the atrous convolution in AMS, 1 or more.
        design: the paper's alternatives.

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, dilation: int = 1, design: AMSEDesign = _PAPER) -> None:
        super().__init__()
        self.norm_place, self.residual = design.norm_place, design.residual
        self.norm1 = design.make_norm(channels)
        self.attention = AMSAttention(channels, dilation, design)
        self.norm2 = design.make_norm(channels)
        self.ffn = FFN(channels, activation=design.make_activation())
        self.activation = design.make_activation() if design.closing_activation else nn.Identity()
        if self.residual == "mscan":
            self.scale1 = nn.Parameter(torch.full((channels, 1, 1), 1e-2))
            self.scale2 = nn.Parameter(torch.full((channels, 1, 1), 1e-2))

    def forward(self, x: Tensor) -> Tensor:
        if self.residual == "amse":
            x = x + self._transform(self._mix(x))
        elif self.residual == "transformer":
            x = x + self._mix(x)
            x = x + self._transform(x)
        else:
            x = x + self.scale1 * self._mix(x)
            x = x + self.scale2 * self._transform(x)
        out: Tensor = self.activation(x)
        return out

    def _mix(self, x: Tensor) -> Tensor:
        inner = self.norm1(x) if self.norm_place == "before" else x
        mixed = self.attention(inner)
        if self.residual == "mscan":
            mixed = inner + mixed
        out: Tensor = mixed if self.norm_place == "before" else self.norm1(mixed)
        return out

    def _transform(self, x: Tensor) -> Tensor:
        out: Tensor = self.ffn(self.norm2(x)) if self.norm_place == "before" else self.norm2(self.ffn(x))
        return out
