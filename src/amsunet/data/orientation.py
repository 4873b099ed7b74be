"""Which way up an image is stored, and how it is turned upright."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def known_orientation(value: Any) -> int:
    """The value of tag 274 as one of the eight that are defined; cameras write 0 where they do not know, 1 here."""
    return int(value) if value in range(1, 9) else 1


def orientation_of_page(page: Any) -> int:
    """The orientation of a stored page of a TIFF; 1 is upright."""
    tag = page.tags.get(274)
    return known_orientation(tag.value if tag else 1)


def upright(array: Array, orientation: int) -> Array:
    """Turn an image upright.

    Args:
        array: (H, W, ...) as stored.
        orientation: The value of tag 274 of TIFF and EXIF.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
