"""What is known of each object of a result."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array
from amsunet.data.overlay import colour_of
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation


class ObjectValues(NamedTuple):
    """Values of all objects of one image, that of the object 1 first."""

    pixels: Array
    probabilities: Array
    """The mean probability of the object's class over its pixels."""
    class_names: list[str]
    colours: list[tuple[int, int, int]]
    """Of their classes: red, green and blue."""


def measure_objects(result: Segmentation, objects: Objects) -> ObjectValues:
    """Measure each object.

    Args:
        result: The segmentation.
        objects: Its objects.
    """
    places = np.flatnonzero(objects.numbers)
    owners = objects.numbers.ravel()[places] - 1
    pixels = np.bincount(owners, minlength=len(objects))
    of_class = result.probability.reshape(len(result.probability), -1)[objects.classes[owners], places]
    sums = np.bincount(owners, of_class, minlength=len(objects))
    classes = objects.classes.tolist()
    colours = {label: (int(red), int(green), int(blue)) for label in {*classes}
               for red, green, blue in [colour_of(label)]}  # fmt: skip
    return ObjectValues(
        pixels,
        sums / np.maximum(pixels, 1),
        [result.class_names[label] for label in classes],
        [colours[label] for label in classes],
    )
