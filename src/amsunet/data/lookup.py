"""Look-up tables over images, in bands of rows that memory has room for."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array

BAND = 256
"""Rows of a large image to be worked on at a time."""


def look_up(table: Array, pixels: Array) -> Array:
    """``table[pixels]`` for pixels (H, W, ...) of unsigned integers.

    In bands of rows: NumPy makes eight bytes of every index on the way, several times the size of the image.
    """
    out = np.empty((*pixels.shape, *table.shape[1:]), table.dtype)
    for start in range(0, len(pixels), BAND):
        out[start : start + BAND] = table[pixels[start : start + BAND]]
    return out
