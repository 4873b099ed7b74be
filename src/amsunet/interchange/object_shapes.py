"""Shapes of objects, all of an image measured together: area, place, box, circularity, and whether they are cut off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array

_LINES = {(0, 1): 1.0, (1, 0): 1.0, (1, 1): 0.5**0.5, (1, -1): 0.5**0.5}
"""Directions in which lines cross an image, and how far apart neighbouring lines are."""


class Shapes(NamedTuple):
    """Of each object, that of the number 1 first."""

    areas: Array
    """(n,): pixels."""
    centroids: Array
    """(n, 2): row and column, of pixels whose centres are whole numbers."""
    boxes: Array
    """(n, 4): the first row and column, and the first ones beyond."""
    perimeters: Array
    """(n,): with the borders of holes, in pixels."""
    touches_border: Array
    """(n,) of bool: of the image."""

    @property
    def circularity(self) -> Array:
        """4 pi area / perimeter**2, at most 1, which a disc has."""
        found: Array = np.minimum(1.0, 4 * np.pi * self.areas / np.maximum(self.perimeters, 1e-9) ** 2)
        return found


def measure_shapes(numbers: Array, count: int) -> Shapes:
    """Measure objects.

    Args:
        numbers: (H, W): the number of each pixel's object, 0 for the background.
        count: Of objects, which are numbered from 1 on; each has a pixel.
    """
    rows, columns = np.nonzero(numbers)
    owners = numbers[rows, columns].astype(np.int64) - 1
    areas = np.bincount(owners, minlength=count)
    sums = [np.bincount(owners, places, count) for places in (rows, columns)]
    boxes = np.empty((count, 4), np.int64)
    boxes[:, :2], boxes[:, 2:] = max(numbers.shape), 0
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(boxes[:, axis], owners, places)
        np.maximum.at(boxes[:, 2 + axis], owners, places + 1)
    on_border = (boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == np.array(numbers.shape)).any(axis=1)
    return Shapes(
        areas, np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None], boxes, _perimeters(numbers, count), on_border
    )


def _perimeters(numbers: Array, count: int) -> Array:
    """Perimeters by the formula of Crofton: from how often lines in four directions cross the border of an object.

    Source: Legland et al., Bioinformatics 2016 (MorphoLibJ). The edges of pixels together are a quarter too long.
    """
    padded = np.pad(numbers, 1)
    height, width = padded.shape
    total = np.zeros(count + 1)
    for (down, across), apart in _LINES.items():
        one = padded[: height - down, max(0, -across) : width - max(0, across)]
        other = padded[down:, max(0, across) : width - max(0, -across)]
        crossed = one != other
        for side in (one, other):
            total += apart * np.bincount(side[crossed], minlength=count + 1)
    return np.pi / 8 * total[1:]
