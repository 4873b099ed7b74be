"""The choices that the AMSUnet paper compares, as one checked record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin, get_type_hints

from torch import nn

from amsunet.blocks.gelu import GELU
from amsunet.blocks.norm import LayerNorm2d

Mixer = Literal["ams", "msca", "depthwise", "pooling"]


@dataclass(frozen=True)
class AMSEDesign:
    """How an AMSE block is built; the defaults are the paper's block.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120, sections 3.1 to 3.3; mixers in the sense
        of MetaFormer, CVPR 2022, arXiv 2111.11418.

    Raises:
        ValueError: For a value that does not exist, and for two settings that exclude each other.
    """

    mixer: Mixer = "ams"
    """What looks at the neighbourhood, between two 1x1 convolutions. One of AMS, SegNeXt's MSCA, a 7x7 depthwise
    convolution, and the 3x3 mean less the pixel itself."""
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
    """Activation behind the last sum."""

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
        """A normalisation of this kind. Shape: (N, channels, H, W) to the same."""
        return nn.BatchNorm2d(channels) if self.norm == "batch" else LayerNorm2d(channels)

    def make_activation(self) -> nn.Module:
        """An activation of this kind."""
        return GELU() if self.activation == "gelu" else nn.ReLU()


_OF_AMS = ("kernel_size", "local", "strip_sizes", "strips")


def whole_numbers(values: object) -> tuple[int, ...]:
    """The values as a tuple if they are a list of whole numbers from 1 on, else nothing."""
    if not isinstance(values, list | tuple):
        return ()
    return tuple(values) if all(type(value) is int and value > 0 for value in values) else ()
