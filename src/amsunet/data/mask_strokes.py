"""Masks of two values that hold no areas: outlines that were never filled, and greys dithered to black and white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.data.mask_steps import is_even
from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.data.mask_summary import MaskSummary

Strokes = Literal["", "outline", "dithered"]
_EVEN = 0.4
"""Share of the pixels that lie in an area of one value, unless a mask is dithered; of thin vessels it is more."""
_CORES = 0.05
"""Share of the marked pixels in cores, of outlines at most."""
_BETWEEN = 0.8
"""Share of the marked pixels with a hole on one side and what is around on the other, of outlines at least."""
_ENCLOSED = 1
"""Area in outlines, in terms of their own, at least."""
_MOST = 0.8


def find_strokes(marked: Array) -> Strokes:
    """Tell what a mask (H, W) of bool holds in place of areas; nothing of the usual one."""
    even = is_even(marked)
    if min(marked.shape) > 8 and even[1:-1, 1:-1].mean() < _EVEN:
        return "dithered"
    count = int(marked.sum())
    if not count or (even & marked).sum() > _CORES * count:
        return ""
    holes = ndimage.binary_fill_holes(marked) & ~marked
    if holes.sum() < _ENCLOSED * count:
        return ""
    near_holes, near_outside = (_near(side) for side in (holes, ~(marked | holes)))
    return "outline" if (near_holes & near_outside & marked).sum() >= _BETWEEN * count else ""


def _near(here: Array) -> Array:
    """Where something lies at most two pixels away: an outline may be that thick."""
    near: Array = ndimage.binary_dilation(here, np.ones((3, 3), np.bool_), iterations=2)
    return near


def refuse_strokes(masks: Sequence[MaskSummary], as_it_is: str) -> None:
    """Refuse a data set of outlines or of dithered masks.

    Args:
        as_it_is: the option that takes the masks as they are.

    Raises: InputError that names one of them.
    """
    held = [mask for mask in masks if mask.foreground]
    for kind, told in (
        ("outline", "hold thin closed lines around nothing: fill them if they are the outlines of objects"),
        (
            "dithered",
            "hold black and white dots that stand for greys (dithered): save them again in black and white "
            "without dithering",
        ),
    ):
        odd = [mask for mask in held if mask.strokes == kind]
        if odd and len(odd) >= _MOST * len(held):
            raise InputError(
                f"{odd[0].path} and {len(odd) - 1} other masks {told}, or say {as_it_is} if they are right as they are"
            )
