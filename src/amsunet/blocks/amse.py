"""AMSE, the encoder block of AMSUnet: AMS attention, then a feed-forward network; and the paper's alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.blocks.ams import AMS
from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import GELU, LayerNorm2d, PointwiseConv2d, is_channels_last
from amsunet.blocks.msca import MSCA

_BAND = 16 << 20
"""Bytes of an image's wide map that are computed at a time where it is over twice as large."""
_OF_AMS = ("kernel_size", "local", "strip_sizes", "strips")


def whole_numbers(values: object) -> tuple[int, ...]:
    """The values as a tuple if they are a list of whole numbers from 1 on, else an empty one."""
    if not isinstance(values, list | tuple):
        return ()
    return tuple(values) if all(type(value) is int and value > 0 for value in values) else ()


@dataclass(frozen=True)
class AMSEDesign:
    """How an AMSE block is built; the defaults are the paper's block.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120, sections 3.1 to 3.3; mixers in the sense
        of MetaFormer, CVPR 2022, arXiv 2111.11418.

    Raises:
        ValueError: For an unknown value, and for two settings that exclude each other.

    Example:
        >>> AMSEDesign(residual="transformer").mixer
        'ams'
    """

    mixer: Literal["ams", "msca", "depthwise", "pooling"] = "ams"
    """What mixes neighbouring pixels between two 1x1 convolutions, one of AMS, SegNeXt's MSCA, a 7x7 depthwise
    convolution, or the 3x3 mean less the pixel itself."""
    kernel_size: Literal[3, 5, 7] = 3
    """Of the plain convolution in AMS."""
    local: bool = True
    """AMS with its plain convolution before the atrous one."""
    strip_sizes: Sequence[int] = (5, 7, 11)
    strips: bool = True
    """AMS with strip pairs; otherwise with full k x k kernels."""
    norm: Literal["batch", "layer"] = "batch"
    norm_place: Literal["before", "after"] = "before"
    """Before or after attention and FFN, inside the residual."""
    residual: Literal["amse", "transformer", "mscan"] = "amse"
    """One over both parts; one over each; one over each with a learned scale, and another one in the attention."""
    activation: Literal["gelu", "relu"] = "gelu"
    closing_activation: bool = True
    """Activation after the last sum."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value, known = getattr(self, name), get_args(hint)
            if hint is bool and not isinstance(value, bool):
                raise ValueError(f"{name} must be true or false, not {value!r}")
            if get_origin(hint) is Literal and (value not in known or type(value) is not type(known[0])):
                raise ValueError(f"{name} must be one of {', '.join(map(str, known))}, not {value!r}")
        sizes = whole_numbers(self.strip_sizes)
        if not sizes or any(size % 2 == 0 for size in sizes):
            raise ValueError(f"strip_sizes must be a list of odd numbers, not {self.strip_sizes!r}")
        object.__setattr__(self, "strip_sizes", sizes)  # a list and a tuple mean the same
        if self.mixer != "ams":
            for field in fields(self):
                if field.name in _OF_AMS and getattr(self, field.name) != field.default:
                    raise ValueError(f"{field.name} is a setting of AMS and mixer is {self.mixer!r}: leave one out")
        if not self.local and self.kernel_size != 3:
            raise ValueError("kernel_size is that of the plain convolution and local is false: leave one out")

    def make_norm(self, channels: int) -> nn.Module:
        """A normalisation of this kind.

        Shape:
            (N, channels, H, W) to the same.
        """
        return nn.BatchNorm2d(channels) if self.norm == "batch" else LayerNorm2d(channels)

    def make_activation(self) -> nn.Module:
        """An activation of this kind."""
        return GELU() if self.activation == "gelu" else nn.ReLU()

    def make_mixer(self, channels: int, dilation: int) -> nn.Module:
        """A mixer of this kind.

        Args:
            channels: Channels of the input and of the output.
            dilation: Of AMS; the other mixers have none.

        Shape:
            (N, channels, H, W) to the same.
        """
        if self.mixer == "msca":
            return MSCA(channels)
        if self.mixer == "depthwise":
            return DepthwiseConv2d(channels, 7)
        if self.mixer == "pooling":
            return Pooling()
        settings = {name: getattr(self, name) for name in _OF_AMS}
        return AMS(channels, dilation, **settings)


_PAPER = AMSEDesign()


class Pooling(nn.Module):
    """What a 3x3 mean adds to the pixel: mean(x) - x, without parameters.

    Source:
        MetaFormer, CVPR 2022, arXiv 2111.11418.

    Shape:
        (N, C, H, W) to the same.

    Example:
        >>> Pooling()(torch.ones(1, 1, 3, 3)).sum()
        tensor(0.)
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) - x


class AMSAttention(nn.Sequential):
    """A mixer, AMS by default, between two 1x1 convolutions: 1x1, GELU, AMS, 1x1, without a shortcut.

    Args:
        channels: Channels of the input and of the output.
        dilation: Dilation of the atrous convolution in AMS, 1 or more.
        design: The paper's alternatives.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> AMSAttention(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
    """

    def __init__(self, channels: int, dilation: int = 1, design: AMSEDesign = _PAPER) -> None:
        super().__init__()
        self.enter = PointwiseConv2d(channels, channels)
        self.activation = design.make_activation()
        self.mixer = design.make_mixer(channels, dilation)
        self.leave = PointwiseConv2d(channels, channels)


class FFN(nn.Sequential):
    """Convolutional feed-forward network: 1x1 to a wider map, 3x3 depthwise, GELU, 1x1 back.

    The convolution and GELU may run as one, without their modules' hooks. On a CPU without gradients a large wide map
    is computed in bands of rows, one after another: it would be most of the memory that a network takes (AMSUnet on a
    tile of 512 x 512 in float32: two maps of 134 MB).

    Args:
        channels: Channels of the input and of the output.
        expansion: How many times wider the inner map is.
        activation: Of each number by itself; GELU if not given.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> FFN(32)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
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
        """How many rows of an image make a band; None if the map is computed whole."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or not is_channels_last(x):
            return None
        row = self.depthwise.in_channels * x.shape[3] * x.element_size()
        large = row * x.shape[2] > 2 * _BAND and len(x) > 0
        return max(1, _BAND // row) if large and x.device.type == "cpu" else None


class AMSE(nn.Module):
    """Encoder block with ONE residual around attention and FFN, and an activation after the sum::

        output = GELU(x + FFN(BatchNorm(attention(BatchNorm(x)))))

    A Transformer block, and SegNeXt's, have two residuals and no closing activation; the paper found that features
    which pass a residual without an activation did harm.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: Channels of the input and of the output.
        dilation: Dilation of the atrous convolution in AMS, 1 or more.
        design: The paper's alternatives.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> AMSE(32, dilation=3)(torch.rand(1, 32, 16, 16)).shape
        torch.Size([1, 32, 16, 16])
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
