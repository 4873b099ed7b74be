"""Instance masks: objects by numbers or colours, or a file for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from amsunet.data.components import number_objects
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention, colour_numbers
from amsunet.data.masks.labels import read_labels
from amsunet.data.masks.mask_cache import MaskCache


def has_instances(samples: Iterable[Sample], convention: MaskConvention) -> bool:
    """Whether masks are instance masks, and show where one object ends and the next one begins, also where they touch.

    Args:
        samples: Of the data set.
        convention: How its masks are read.
    """
    if convention.kind == "instances" and convention.threshold is None:
        return True
    return any(sample.more_masks for sample in samples)


class Instances(NamedTuple):
    """The objects of a sample's masks."""

    numbers: Array
    """(H, W) of int32: the number of each pixel's object, from 1 on; 0 for the background and what is ignored."""
    classes: Array
    """(n,) of uint8: the class of each object."""
    counted: Array
    """(H, W) of bool: False where pixels are ignored."""


def read_instances(sample: Sample, convention: MaskConvention, masks: MaskCache | None = None) -> Instances:
    """Read the objects of a sample's masks; where these are no instance masks, connected components.

    Args:
        sample: The sample.
        convention: How its masks are read.
        masks: Files that were read before are kept here.

    Raises:
        InputError: If a file cannot be read.
    """
    masks = masks or MaskCache()
    labels = read_labels(sample, convention, masks)
    numbers = np.zeros(labels.shape, np.int32)
    classes: list[int] = []
    names = convention.folder_names if convention.kind == "folders" else ("",) * (convention.num_classes - 1)
    for label, name in enumerate(names, start=1):
        here = labels == label
        marks = _read_marks(sample, convention, name or next(iter(sample.masks)), masks)
        if marks is None:
            of_class, count = number_objects(here)
        else:
            held, places = np.unique(marks[here], return_inverse=True)
            of_class, count = np.zeros(labels.shape, np.int32), len(held)
            of_class[here] = places + 1
        numbers[here] = of_class[here] + len(classes)
        classes += [label] * count
    return Instances(numbers, np.array(classes, np.uint8), labels != IGNORE_INDEX)


def _read_marks(sample: Sample, convention: MaskConvention, name: str, masks: MaskCache) -> Array | None:
    """What differs from object to object in the mask of a class, (H, W); None where nothing does."""
    if sample.more_masks.get(name):
        return masks.open(sample, name, apart=True).pixels
    if convention.kind != "instances" or convention.threshold is not None:
        return None
    raw = masks.open(sample, name, apart=True).read_as(convention.reading)
    return colour_numbers(raw) if raw.ndim == 3 else raw
