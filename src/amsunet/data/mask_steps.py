"""Whether numbers of a mask were smoothed as if they were greys: rims of the numbers between lie around the larger."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array

_STEPPED = 0.5
"""Share of borders with such rims, above which a mask was smoothed."""
_STEPS = 20


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


def is_even(numbers: Array) -> Array:
    """(H, W) of bool: where all eight neighbours are the same."""
    even = np.zeros(numbers.shape, np.bool_)
    rows = (numbers[:-2] == numbers[1:-1]) & (numbers[2:] == numbers[1:-1])
    square = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    middle = numbers[1:-1, 1:-1]
    even[1:-1, 1:-1] = square & (middle == numbers[1:-1, :-2]) & (middle == numbers[1:-1, 2:])
    return even
