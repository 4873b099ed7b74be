"""Masks with a class for the border between objects that touch, and the way back from such masks to objects."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.inference.objects import find_objects

INSIDE, BORDER = 1, 2
NARROWEST, WIDEST, OF_DIAMETER = 2, 6, 1 / 8


def border_classes(numbers: Array) -> Array:
    """Background 0, inside 1 and border 2 of numbered objects, (H, W) of uint8.

    The border is what of an object lies within the width of another one: an eighth of its diameter, as that of a circle
    of the same area, but two pixels at least and six at most. So all foreground is inside or border, and no gap between
    objects is. An object of which less than half would be left inside, and which might then not be found at all, stays
    whole.
    """
    near = np.zeros(numbers.shape, np.uint8)
    areas = np.bincount(numbers.ravel())
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        if place is None:
            continue
        diameter = 2 * np.sqrt(areas[number] / np.pi)
        width = int(np.clip(round(diameter * OF_DIAMETER), NARROWEST, WIDEST))
        around = tuple(slice(max(0, side.start - width), side.stop + width) for side in place)
        near[around] += ndimage.distance_transform_edt(numbers[around] != number) <= width
    border = (near > 1) & (numbers > 0)
    whole = 2 * np.bincount(numbers[~border], minlength=len(areas)) < areas
    whole[0] = False
    border &= ~whole[numbers]
    return np.where(border, BORDER, np.where(numbers > 0, INSIDE, 0)).astype(np.uint8)


def objects_of(mask: Array, separation: float) -> Array:
    """Number the objects of a mask: pieces of the inside, parted at waists, that grow into the border.

    Args:
        mask: (H, W) of 0, 1 and 2; without 2 it is an ordinary mask of foreground.
        separation: As for ``find_objects``.
    """
    numbers = find_objects((mask == INSIDE).astype(np.uint8), separation).numbers
    if not numbers.any():
        return numbers
    distance, nearest = ndimage.distance_transform_edt(numbers == 0, return_indices=True)
    grown: Array = np.where((mask == BORDER) & (distance <= WIDEST), numbers[tuple(nearest)], numbers)
    return grown


def without_small(numbers: Array, smallest: int) -> Array:
    """Leave out objects of fewer pixels; the others keep their numbers."""
    small = np.bincount(numbers.ravel()) < smallest
    return np.where(small[numbers], 0, numbers)
