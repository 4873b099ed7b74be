"""AMSUnetLite, a descendant of AMSUnet for CPUs, phones and browsers, and the same network without AMS."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.blocks.attention import RSC
from amsunet.blocks.lite_amse import GatedAMSE, LiteAMSE
from amsunet.models.registry import refuse_unknown, register_model
from amsunet.models.size import pad_to
from amsunet.models.u_shape import UShaped, upsample


class ResidualConv(nn.Module):
    """One or two dense 3x3 convolutions in one residual: ``ReLU(x + BatchNorm(conv3x3(...)))``.

    Args:
        channels: Channels of the input and of the output.
        convolutions: 1 or 2; BatchNorm and ReLU stand between two.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> ResidualConv(16, 2)(torch.rand(1, 16, 8, 8)).shape
        torch.Size([1, 16, 8, 8])
    """

    def __init__(self, channels: int, convolutions: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
            layers.append(nn.ReLU(inplace=True))
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


_BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "conv": lambda channels, **_: ResidualConv(channels),
    "double": lambda channels, **_: ResidualConv(channels, 2),
    "amse": LiteAMSE,
    "gated": GatedAMSE,
}


class LiteUp(nn.Module):
    """One decoder step: narrow, upsample, add the skip, refine.

    The sum needs half the numbers of a concatenation, and the 1x1 before the upsampling a quarter of the pixels.

    Shape:
        decoder map (N, in_channels, h, w) and skip (N, out_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, block: nn.Module, attention: nn.Module) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
        self.attention = attention
        self.block = block

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.block(self.attention(skip) + pad_to(upsample(self.narrow(x)), skip))
        return out


class AMSUnetLite(UShaped):
    """AMSUnet with dense convolutions where maps are large and one-kernel AMSE blocks where they are small.

    What it departs from AMSUnet in, and why (docs/light.md has the figures):

    - Dense 3x3 at full and half size: there AMSE is bound by memory, and a dense convolution of 16 channels by
      arithmetic, of which a CPU has plenty.
    - ``LiteAMSE`` in place of AMSE from a quarter of the size on, where a 7x7 kernel sees far.
    - Skips are added to the decoder's map, not concatenated; one block a decoder step.
    - Widths are multiples of 16, which fill a CPU's vectors; ReLU for GELU.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        base_channels: What ``widths`` are multiples of.
        widths: Of the five stages.
        encoder: The kind of block of each stage: ``conv`` (dense 3x3), ``double`` (two), ``amse`` or ``gated``.
        depths: How many blocks each stage has.
        decoder: The kind of block of the four steps, the coarsest first.
        mixer: Of ``amse`` and ``gated``: ``ams`` or ``plain``.
        kernel_size: Of the plain mixer.
        coarse_attention: RSC on the skips of the second and third coarsest stages.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 16 and more.

    Raises:
        ValueError: For settings that are unknown, and for a smaller input, with the smallest size that works.

    Example:
        >>> import torch
        >>> AMSUnetLite(3, 2)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 2,
        base_channels: int = 16,
        *,
        widths: Sequence[int] = (1, 2, 4, 8, 12),
        encoder: Sequence[str] = ("conv", "double", "amse", "amse", "amse"),
        depths: Sequence[int] = (1, 1, 2, 2, 2),
        decoder: Sequence[str] = ("amse", "amse", "conv", "conv"),
        mixer: str = "ams",
        kernel_size: int = 7,
        coarse_attention: bool = False,
    ) -> None:
        super().__init__()
        _check(base_channels, widths, encoder, depths, decoder, mixer)
        channels = [base_channels * factor for factor in widths]
        made: dict[str, Any] = {"mixer": mixer, "kernel_size": kernel_size}
        stages = [
            [_BLOCKS[kind](width, **made) for _ in range(depth)]
            for kind, width, depth in zip(encoder, channels, depths, strict=True)
        ]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
            *stages[0],
        )
        self.downs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(narrow, wide, 2, stride=2, bias=False), nn.BatchNorm2d(wide), *blocks)
            for (narrow, wide), blocks in zip(itertools.pairwise(channels), stages[1:], strict=True)
        )
        steps = list(itertools.pairwise(reversed(channels)))
        self.ups = nn.ModuleList(
            LiteUp(wide, narrow, _BLOCKS[kind](narrow, **made), RSC(narrow) if is_coarse else nn.Identity())
            for (wide, narrow), kind, is_coarse in zip(
                steps, decoder, (coarse_attention, coarse_attention, False, False), strict=True
            )
        )
        self.head = nn.Conv2d(channels[0], num_classes, 1)


def _check(
    base_channels: int,
    widths: Sequence[int],
    encoder: Sequence[str],
    depths: Sequence[int],
    decoder: Sequence[str],
    mixer: str,
) -> None:
    if type(base_channels) is not int or base_channels < 1:
        raise ValueError(f"AMSUnetLite: base_channels must be a whole number from 1 on, not {base_channels!r}")
    for name, values, length in (("widths", widths, 5), ("depths", depths, 5)):
        if len(values) != length or any(type(value) is not int for value in values) or min(values) < (name == "widths"):
            raise ValueError(f"AMSUnetLite: {name} needs five whole numbers, one for each stage, not {values!r}")
    for name, kinds, length in (("encoder", encoder, 5), ("decoder", decoder, 4)):
        if len(kinds) != length or set(kinds) - set(_BLOCKS):
            raise ValueError(
                f"AMSUnetLite: {name} needs {length} kinds of block of {', '.join(_BLOCKS)}, not {kinds!r}"
            )
    if mixer not in ("ams", "plain"):
        raise ValueError(f"AMSUnetLite: mixer must be ams or plain, not {mixer!r}")


def _made(in_channels: int, num_classes: int, base_channels: int, settings: dict[str, Any]) -> AMSUnetLite:
    refuse_unknown("AMSUnetLite", settings, inspect.signature(AMSUnetLite).parameters)
    return AMSUnetLite(in_channels, num_classes, base_channels, **settings)


_SOURCE = "this project, after AMSUnet; docs/light.md"


@register_model("amsunet_lite", source=_SOURCE)
def amsunet_lite(in_channels: int = 3, num_classes: int = 2, base_channels: int = 16, **settings: Any) -> AMSUnetLite:
    """AMSUnetLite in its middle size."""
    return _made(in_channels, num_classes, base_channels, settings)


@register_model("amsunet_lite_xs", source=_SOURCE)
def amsunet_lite_xs(
    in_channels: int = 3, num_classes: int = 2, base_channels: int = 16, **settings: Any
) -> AMSUnetLite:
    """AMSUnetLite in the smallest size: half as wide at the coarse stages, with fewer blocks."""
    small: dict[str, Any] = {
        "widths": (1, 1, 2, 4, 6), "encoder": ("conv", "conv", "amse", "amse", "amse"), "depths": (1, 1, 1, 2, 2),
    }  # fmt: skip
    return _made(in_channels, num_classes, base_channels, small | settings)


@register_model("amsunet_lite_m", source=_SOURCE)
def amsunet_lite_m(in_channels: int = 3, num_classes: int = 2, base_channels: int = 16, **settings: Any) -> AMSUnetLite:
    """AMSUnetLite in the largest size: twice as wide but for full resolution."""
    return _made(in_channels, num_classes, base_channels, {"widths": (1, 4, 8, 16, 16)} | settings)


@register_model("resunet_lite", source="this project: amsunet_lite without AMS")
def resunet_lite(in_channels: int = 3, num_classes: int = 2, base_channels: int = 16, **settings: Any) -> AMSUnetLite:
    """The same design without AMS, dense residual convolutions at all stages: what AMS has to beat."""
    dense: dict[str, Any] = {
        "widths": (1, 2, 4, 8, 8), "encoder": ("conv", *["double"] * 4), "depths": (1,) * 5, "decoder": ("conv",) * 4,
    }  # fmt: skip
    return _made(in_channels, num_classes, base_channels, dense | settings)
