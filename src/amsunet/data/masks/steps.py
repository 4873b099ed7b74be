"""Class numbers that were interpolated as if they were greys: rims of the numbers between lie around the larger."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array

_STEPPED = 0.5
"""Share of borders with such rims, above which a mask was smoothed."""
_STEPS = 20
_RIMMED = 0.25
_RAMPED = 0.9
_MOST = 20
"""Largest number of a class."""
_WIDEST = 3
"""Pixels of the widest rim."""
_CROSS, _SQUARE = ndimage.generate_binary_structure(2, 1), np.ones((3, 3), np.bool_)


def is_smoothed(raw: Array) -> bool:
    """Whether values lead up to others in steps around these, as where class numbers were smoothed."""
    largest = int(raw.max())
    return is_stepped(raw) or is_rimmed(raw) or (largest <= _MOST and is_ramped(raw))


def is_rimmed(raw: Array) -> bool:
    """Whether borders of values from 2 on are often lined with single pixels of the values between."""
    lowest, highest = ndimage.minimum_filter(raw, 3), ndimage.maximum_filter(raw, 3)
    own = ndimage.binary_dilation(is_even(raw), _SQUARE)
    rims = int((~own & (lowest < raw) & (raw < highest)).sum())
    borders = int((own & (raw > 1) & (lowest < raw)).sum())
    return rims > _STEPS and rims > _RIMMED * borders


def is_stepped(raw: Array) -> bool:
    """Whether values from 2 on are set off from others by thin rims of those between, hardly ever side by side."""
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


def is_ramped(raw: Array) -> bool:
    """Whether values from 2 on are reached from lower ones by narrow rims of the values between alone, as where numbers
    were enlarged or blurred: hardly a border jumps, and values between do not lie beside.
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
        # Of pixels beside an inner part: how far it is to what is lower still.
        jumps += int((near & ~ground).sum())
        away = ndimage.binary_erosion(ground, _SQUARE, iterations=_WIDEST, border_value=1)
        rims += int((near & ground & ~away).sum())
        jumps += int((near & away).sum())
    return rims > _STEPS and rims > _RAMPED * (rims + jumps)


def is_even(numbers: Array) -> Array:
    """(H, W) of bool: where all eight neighbours are the same."""
    even = np.zeros(numbers.shape, np.bool_)
    rows = (numbers[:-2] == numbers[1:-1]) & (numbers[2:] == numbers[1:-1])
    square = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    middle = numbers[1:-1, 1:-1]
    even[1:-1, 1:-1] = square & (middle == numbers[1:-1, :-2]) & (middle == numbers[1:-1, 2:])
    return even
