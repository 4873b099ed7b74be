"""Masks that were changed when they were saved: interpolated class numbers, dithering, lossy compression.

Class numbers that are resized or blurred as if they were greys get rims of the numbers between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.data.masks.convention import name_numbers
from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.data.masks.summary import MaskSummary

_STEPPED = 0.5
"""Share of borders with rims of values in between, above which a mask was interpolated."""
_STEPS = 20
_RIMMED = 0.25
_RAMPED = 0.9
_LARGEST_CLASS = 20
_WIDEST = 3
"""Width of the widest rim, in pixels."""
_EVEN = 0.4
"""Least share of the pixels that lie in an area of one value, unless a mask is dithered; thin vessels have more."""
_SMALLEST_SIDE = 32
"""Least side of a mask, in pixels, that is checked for dithering."""
_DITHERED = 0.8
"""Least share of dithered masks in a data set that is refused."""
SMALLEST_GREY = 32
"""Largest values below this are numbers, not greys."""
_CROSS, _SQUARE = ndimage.generate_binary_structure(2, 1), np.ones((3, 3), np.bool_)


def is_smoothed(raw: Array) -> bool:
    """Whether a mask looks like class numbers that were interpolated: values are surrounded by steps up to them.

    Args:
        raw: (H, W) of numbers.
    """
    largest = int(raw.max())
    return _is_stepped(raw) or _is_rimmed(raw) or (largest <= _LARGEST_CLASS and _is_ramped(raw))


def _is_rimmed(raw: Array) -> bool:
    """Whether borders of values from 2 on are often lined with single pixels of values in between."""
    lowest, highest = ndimage.minimum_filter(raw, 3), ndimage.maximum_filter(raw, 3)
    areas = ndimage.binary_dilation(is_even(raw), _SQUARE)
    rims = int((~areas & (lowest < raw) & (raw < highest)).sum())
    borders = int((areas & (raw > 1) & (lowest < raw)).sum())
    return rims > _STEPS and rims > _RIMMED * borders


def _is_stepped(raw: Array) -> bool:
    """Whether thin rims of values in between separate values from 2 on from others, which hardly ever touch."""
    sharp = stepped = 0
    for values in (raw, raw.T):
        even = is_even(values)
        for reach in (4, 5):
            one, other = values[:-reach], values[reach:]
            apart = even[:-reach] & even[reach:] & (one != other) & (np.maximum(one, other) > 1)
            if not apart.any():
                continue
            low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
            middle = np.stack([values[step : step - reach][apart] for step in range(2, reach - 1)])
            between = ((middle > low) & (middle < high)).any(axis=0)
            within = ((middle >= low) & (middle <= high)).all(axis=0)
            stepped += int((between & within).sum())
            sharp += int((~between).sum())
    return stepped > _STEPS and stepped > _STEPPED * (stepped + sharp)


def _is_ramped(raw: Array) -> bool:
    """Whether narrow rims of all values in between lead up to values from 2 on, as in enlarged or blurred masks.

    Hardly any border skips a value, and the values in between form no areas.
    """
    top = int(raw.max())
    if top < 2 or int(raw.min()) < 0:
        return False
    jumps = rims = 0
    above = [raw >= value for value in range(top + 1)]
    for value in range(1, top):
        ground, inner = above[value], above[value + 1]
        if not inner.any() or not (ground & ~inner).any():
            continue
        near = ndimage.binary_dilation(inner, _CROSS) & ~inner
        # Pixels beside an inner part: how far away the lower values are.
        jumps += int((near & ~ground).sum())
        away = ndimage.binary_erosion(ground, _SQUARE, iterations=_WIDEST, border_value=1)
        rims += int((near & ground & ~away).sum())
        jumps += int((near & away).sum())
    return rims > _STEPS and rims > _RAMPED * (rims + jumps)


def is_even(numbers: Array) -> Array:
    """Find pixels whose eight neighbours have the same value.

    Args:
        numbers: (H, W) of numbers.

    Returns:
        (H, W) of bool; False on the border.
    """
    even = np.zeros(numbers.shape, np.bool_)
    rows = (numbers[:-2] == numbers[1:-1]) & (numbers[2:] == numbers[1:-1])
    square = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    middle = numbers[1:-1, 1:-1]
    even[1:-1, 1:-1] = square & (middle == numbers[1:-1, :-2]) & (middle == numbers[1:-1, 2:])
    return even


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
    if odd and len(odd) >= _DITHERED * len(held):
        raise InputError(
            f"{odd[0].path} and {len(odd) - 1} other masks hold black and white dots that stand for greys (dithered): "
            f"save them again in black and white without dithering, or set {as_it_is} if they are right as they are"
        )


def refuse_lossy_numbers(masks: Sequence[MaskSummary], ignore: float | None = None) -> None:
    """Refuse class numbers in files with lossy compression, even where only a few values are left.

    Args:
        masks: The masks of a data set, in the reading that was chosen.
        ignore: The value of ignored pixels.

    Raises:
        InputError: If a lossy file holds class numbers: compression changes values that small.
    """
    held = sorted({value for mask in masks for value in mask.counts} - {ignore})
    odd = next((mask for mask in masks if mask.lossy and not mask.colour and mask.foreground), None)
    if odd is not None and held[-1] < SMALLEST_GREY and all(value % 1 == 0 for value in held):
        kind = "a JPEG" if odd.path.suffix.lower() in (".jpg", ".jpeg") else "compressed with loss, as a JPEG is"
        raise InputError(
            f"{odd.path} is {kind}, which changes numbers as small as class numbers ({name_numbers(held[:6])}): "
            "save the masks as PNG from where they came"
        )
