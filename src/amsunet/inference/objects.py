"""The objects of a segmentation: each piece of a class with a number of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amsunet.data.components import number_objects
from amsunet.data.images import Array
from amsunet.data.watershed import find_basins


@dataclass(frozen=True)
class Objects:
    """Objects of one image.

    Attributes:
        numbers: (H, W) of int32: the number of each object, from 1 on, and 0 for the background.
        classes: (n,) of uint8: the class of each object, that of the object 1 first.
    """

    numbers: Array
    classes: Array

    def __len__(self) -> int:
        return len(self.classes)


def find_objects(mask: Array, separation: float = 0.0) -> Objects:
    """Find the objects of each class: its connected components, or these parted at their waists.

    Args:
        mask: (H, W) of uint8 with class numbers, 0 for background.
        separation: Where objects touch they are parted at waists that are so many pixels less deep than the smaller
            one of the two, as ``Basins.merge`` has it; 0 for connected components, whose neighbours share an edge.
    """
    numbers = np.zeros(mask.shape, np.int32)
    classes: list[int] = []
    for label in np.unique(mask[mask > 0]).tolist():
        here = mask == label
        numbered, count = find_basins(here).merge(separation) if separation else number_objects(here)
        numbers[numbered > 0] = numbered[numbered > 0] + len(classes)
        classes += [label] * count
    return Objects(numbers, np.array(classes, np.uint8))
