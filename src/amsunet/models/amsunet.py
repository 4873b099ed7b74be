"""AMSUnet: a lightweight U-shaped network with AMSE blocks and RSC on the skip connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.blocks import AMSE, CBAM, RSC, SCSE, SE, AMSEDesign
from amsunet.blocks.amse import whole_numbers
from amsunet.blocks.layers import PointwiseConv2d
from amsunet.models.registry import refuse_unknown, register_model
from amsunet.models.size import pad_to
from amsunet.models.u_shape import UShaped, upsample

_DILATIONS = (1, 1, 1, 3, 5)
_SKIP_ATTENTIONS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "se": lambda channels: SE(channels, min(16, channels)),
    "cbam": lambda channels: CBAM(channels, min(16, channels)),
    "scse": SCSE,
    "rsc": RSC,
    "rsc_without_residual": lambda channels: RSC(channels, residual=False),
}


class Up(nn.Module):
    """One decoder step: upsample, attend to the skip, fuse, refine.

    Shape:
        decoder map (N, in_channels, h, w) and skip (N, skip_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(
        self, in_channels: int, skip_channels: int, out_channels: int, attention: nn.Module, design: AMSEDesign
    ) -> None:
        super().__init__()
        self.norm = design.make_norm(in_channels)
        self.attention = attention
        self.fuse = PointwiseConv2d(skip_channels + in_channels, out_channels)
        self.block = AMSE(out_channels, design=design)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = pad_to(upsample(self.norm(x)), skip)
        out: Tensor = self.block(self.fuse(torch.cat((self.attention(skip), x), dim=1)))
        return out


@register_model("amsunet", source="Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120")
class AMSUnet(UShaped):
    """AMSUnet with five encoder stages and four decoder steps; 2,619,898 parameters at the defaults.

    Source:
        AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        in_channels: Channels of the image.
        num_classes: Classes, background included.
        base_channels: Width of the first stage, a multiple of 4; the stages have 1, 2, 4, 8 and 8 times that.
        dilations: Of the AMSE in each of the five encoder stages; the decoder's have 1.
        skip_attention: On the skip connections: none, se, cbam, scse, rsc or rsc_without_residual.
        design: Fields of ``AMSEDesign``, the paper's alternatives for all blocks; norm and activation for the stem
            and the steps between the blocks too.

    Shape:
        (N, in_channels, H, W) to logits (N, num_classes, H, W), for every H, W of 16 and more.

    Raises:
        ValueError: For settings that are unknown or exclude each other, and for a smaller input, with the smallest
            size that works.

    Example:
        >>> import amsunet, torch
        >>> network = amsunet.AMSUnet(3, 2)
        >>> network(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 2,
        base_channels: int = 32,
        *,
        dilations: Sequence[int] = _DILATIONS,
        skip_attention: str = "rsc",
        **design: Any,
    ) -> None:
        super().__init__()
        made = _check(base_channels, dilations, skip_attention, design)
        widths = [base_channels * factor for factor in (1, 2, 4, 8, 8)]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, padding_mode="reflect"),
            made.make_norm(widths[0]),
            made.make_activation(),
            AMSE(widths[0], dilations[0], made),
        )
        self.downs = nn.ModuleList(
            nn.Sequential(made.make_norm(narrow), nn.Conv2d(narrow, wide, 2, stride=2), AMSE(wide, dilation, made))
            for narrow, wide, dilation in zip(widths, widths[1:], dilations[1:], strict=False)
        )
        steps = [(base_channels * wide, base_channels * narrow) for wide, narrow in ((8, 4), (4, 2), (2, 1), (1, 1))]
        attend = _SKIP_ATTENTIONS[skip_attention]
        self.ups = nn.ModuleList(Up(wide, wide, narrow, attend(wide), made) for wide, narrow in steps)
        self.head = nn.Conv2d(base_channels, num_classes, 1)


def _check(base_channels: int, dilations: Sequence[int], skip_attention: str, design: dict[str, Any]) -> AMSEDesign:
    if type(base_channels) is not int or base_channels < 4 or base_channels % 4:
        raise ValueError(f"AMSUnet: base_channels must be a multiple of 4, not {base_channels!r}")
    if len(whole_numbers(dilations)) != 5:
        raise ValueError(f"AMSUnet: dilations needs five numbers from 1 on, one for each stage, not {dilations!r}")
    if not isinstance(skip_attention, str) or skip_attention not in _SKIP_ATTENTIONS:
        raise ValueError(
            f"AMSUnet: skip_attention must be one of {', '.join(_SKIP_ATTENTIONS)}, not {skip_attention!r}"
        )
    known = [field.name for field in fields(AMSEDesign)]
    refuse_unknown("AMSUnet", design, [*known, "dilations", "skip_attention", "base_channels"])
    made = AMSEDesign(**design)
    if made.mixer != "ams" and tuple(dilations) != _DILATIONS:
        raise ValueError(f"AMSUnet: dilations are a setting of AMS and mixer is {made.mixer!r}: leave one out")
    return made


@register_model("amsunet_s", source="amsunet at 20 base channels, this project")
def amsunet_s(in_channels: int = 3, num_classes: int = 2, base_channels: int = 20, **settings: Any) -> AMSUnet:
    """AMSUnet at a width that takes less than half of its multiplications."""
    return AMSUnet(in_channels, num_classes, base_channels, **settings)


@register_model("amsunet_xs", source="amsunet at 12 base channels, this project")
def amsunet_xs(in_channels: int = 3, num_classes: int = 2, base_channels: int = 12, **settings: Any) -> AMSUnet:
    """AMSUnet at a width that takes less than half of the multiplications of ``amsunet_s``."""
    return AMSUnet(in_channels, num_classes, base_channels, **settings)
