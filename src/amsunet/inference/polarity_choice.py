"""Bright objects on dark, or dark ones on bright: where an image leaves it open, the network is asked."""

from __future__ import annotations

from collections.abc import Callable

from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange
from amsunet.wording import setting

_SIDE = 1024
"""Pixels, on a side, of the middle of an image that are looked at."""


def choose_tone(
    tone: IntensityRange, view: Callable[[IntensityRange], Array], expected_dice: Callable[[Array], float]
) -> IntensityRange:
    """The tone by which a network expects to be right, of two where there are two.

    A network that was trained to see bright objects on dark is less sure of what it finds in the gaps between objects.
    What the image itself shows counts too: the other tone must be better by the lead of the first.

    Args:
        view: makes the image (h, w, C) of uint8 that the network sees by a tone.
        expected_dice: one minus the uncertainty of the network's mask of such an image.
    """
    if tone.other is None:
        return tone
    first, other = (expected_dice(_middle(view(one))) for one in (tone, tone.other))
    return tone if first + tone.lead >= other else tone.other


def describe_polarity(tone: IntensityRange, chosen: IntensityRange) -> str:
    """What was in doubt, and how it was taken; empty if nothing was."""
    if tone.other is None:
        return ""
    dark, bright = ("dark objects on bright", "bright-on-dark"), ("bright objects on dark", "dark-on-bright")
    taken, other = dark if chosen.low > chosen.high else bright
    return (
        f"may show bright objects on dark or dark ones on bright, taken as {taken}: if that is wrong, set "
        f"{setting(polarity=other)}"
    )


def _middle(view: Array) -> Array:
    top, left = (max(0, (side - _SIDE) // 2) for side in view.shape[:2])
    return view[top : top + _SIDE, left : left + _SIDE]
