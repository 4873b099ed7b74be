"""Objects and holes of a mask that are too small to be true."""

from __future__ import annotations

import numpy as np

from amsunet.data.components import number_objects
from amsunet.data.images import Array
from amsunet.data.table import BAND, look_up


def without_small(mask: Array, smallest: float) -> Array:
    """Drop objects, and then fill holes, of fewer than ``smallest`` pixels; neighbours share an edge.

    Args:
        mask: (H, W) of bool.
    """
    return ~_large(~_large(mask, smallest), smallest)


def _large(mask: Array, smallest: float) -> Array:
    numbered, count = number_objects(mask)
    sizes = np.zeros(count + 1, np.int64)
    for start in range(0, len(mask), BAND):  # NumPy makes eight bytes of every pixel on the way
        sizes += np.bincount(numbered[start : start + BAND].ravel(), minlength=count + 1)
    large = sizes >= smallest
    large[0] = False
    return look_up(large, numbered)
