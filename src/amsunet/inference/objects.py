"""Objects and holes of a mask that are too small to be true."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array
from amsunet.packages import needed


def without_small(mask: Array, smallest: float) -> Array:
    """Drop objects, and then fill holes, of fewer than ``smallest`` pixels; neighbours share an edge.

    Args:
        mask: (H, W) of bool.
    """
    return ~_large(~_large(mask, smallest), smallest)


def _large(mask: Array, smallest: float) -> Array:
    numbered, _ = needed("scipy.ndimage", "scipy").label(mask)
    large = np.bincount(numbered.ravel()) >= smallest
    large[0] = False
    return np.asarray(large[numbered])
