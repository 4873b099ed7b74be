"""Bright objects on dark, or dark ones on bright: where an image leaves it open, the network is asked."""

from __future__ import annotations

from collections.abc import Callable

from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange
from amsunet.wording import setting

_SIDE = 1024
"""Pixels, on a side, of the middle of an image that are looked at."""


def choose_range(
    found: IntensityRange, view: Callable[[IntensityRange], Array], expected_dice: Callable[[Array], float]
) -> IntensityRange:
    """The intensity range by which a network expects to be right, of two where there are two.

    A network that was trained to see bright objects on dark is less sure of what it finds in the gaps between objects.
    What the image itself shows counts too: the other range must be better by the lead of the first.

    Args:
        found: The range that the image suggests, with its inverse if that is uncertain.
        view: Makes the image (h, w, C) of uint8 that the network sees by a range.
        expected_dice: One minus the uncertainty of the network's mask of such an image.
    """
    if found.other is None:
        return found
    first, other = (expected_dice(_middle(view(one))) for one in (found, found.other))
    return found if first + found.lead >= other else found.other


def describe_polarity(found: IntensityRange, chosen: IntensityRange) -> str:
    """What was in doubt, and how it was taken; empty if nothing was."""
    if found.other is None:
        return ""
    dark, bright = ("dark objects on bright", "bright-on-dark"), ("bright objects on dark", "dark-on-bright")
    taken, other = dark if chosen.low > chosen.high else bright
    return (
        f"may show bright objects on dark or dark ones on bright, taken as {taken}: if that is wrong, predict with "
        f"{setting(polarity=other)}"
    )


def _middle(view: Array) -> Array:
    top, left = (max(0, (side - _SIDE) // 2) for side in view.shape[:2])
    return view[top : top + _SIDE, left : left + _SIDE]
