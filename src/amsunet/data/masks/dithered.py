"""Dithered masks: greys that were saved as black and white dots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amsunet.data.images import Array
from amsunet.data.masks.steps import is_even
from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.data.masks.summary import MaskSummary

_EVEN = 0.4
"""Share of the pixels that lie in an area of one value, unless a mask is dithered; of thin vessels it is more."""
_SMALLEST_SIDE = 32
_MOST = 0.8


def is_dithered(marked: Array) -> bool:
    """Whether a mask holds dots in place of areas.

    Args:
        marked: (H, W) of bool.
    """
    return min(marked.shape) >= _SMALLEST_SIDE and bool(is_even(marked)[1:-1, 1:-1].mean() < _EVEN)


def refuse_dithered(masks: Sequence[MaskSummary], as_it_is: str) -> None:
    """Refuse a data set of dithered masks.

    Args:
        masks: Summaries of all masks.
        as_it_is: The setting that takes the masks as they are.

    Raises:
        InputError: If most masks are dithered; the message names one.
    """
    held = [mask for mask in masks if mask.foreground]
    odd = [mask for mask in held if mask.dithered]
    if odd and len(odd) >= _MOST * len(held):
        raise InputError(
            f"{odd[0].path} and {len(odd) - 1} other masks hold black and white dots that stand for greys (dithered): "
            f"save them again in black and white without dithering, or set {as_it_is} if they are right as they are"
        )
