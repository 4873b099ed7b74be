"""Look pixels up in a table."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array

BAND = 256
"""Rows of a large image that are processed at a time."""


def look_up(table: Array, pixels: Array) -> Array:
    """Compute ``table[pixels]`` in bands of rows, for NumPy needs eight bytes per index meanwhile.

    Args:
        table: One entry per value, (values, ...).
        pixels: (H, W, ...) of unsigned integers.

    Returns:
        The entries, (H, W, ...) of the table's type.
    """
    out = np.empty((*pixels.shape, *table.shape[1:]), table.dtype)
    for start in range(0, len(pixels), BAND):
        out[start : start + BAND] = table[pixels[start : start + BAND]]
    return out
