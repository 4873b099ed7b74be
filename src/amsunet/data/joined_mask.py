"""A mask read from the files that hold it: one, or several that are joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from amsunet.data.images import Array
from amsunet.data.mask_files import MaskFile, open_mask
from amsunet.data.sample import Sample
from amsunet.errors import InputError

_SAME_OBJECT = 0.5
"""Intersection over union from which on two masks mark one object twice."""
_HARD = 20
"""Values of a mask without soft edges, at most."""


def open_sample_mask(sample: Sample, name: str, *, apart: bool = False) -> MaskFile:
    """Open the mask of one class of a sample, '' where there are no class folders.

    Several files are joined: what any of them marks is foreground.

    Args:
        apart: number the objects of several files 1, 2, ... in their order.

    Raises: InputError if files cannot be read or joined.
    """
    first, more = sample.masks[name], sample.more_masks.get(name, ())
    file = open_mask(first)
    if not more:
        return file
    paths, tops = (first, *more), set()
    numbers = np.zeros(file.pixels.shape[:2], np.uint16)
    joined = np.zeros(file.pixels.shape[:2], file.pixels.dtype)
    for number, path in enumerate(paths, start=1):
        one = (file if path == first else open_mask(path)).read_as("visible")
        _refuse_to_join(one, path, joined, first)
        values = np.unique(one)
        soft = len(values) > _HARD
        here = one > values[-1] / 2 if soft else one != 0
        _refuse_same_object(numbers, here, path, paths)
        numbers[here] = number
        joined = np.maximum(joined, one)
        tops |= {int(values[-1])} if soft else set(values.tolist())
    tops -= {0}
    if len(tops) > 1 and tops != {1, 255}:  # of one bit and of eight
        raise InputError(
            f"{first} and {len(more)} more masks of {sample.image} mark with the values "
            f"{', '.join(map(str, sorted(tops)[:4]))}, which cannot be joined: save all with one value"
        )
    if apart:
        return MaskFile(numbers)
    return MaskFile(np.where(joined == 1, 255, joined).astype(joined.dtype) if tops == {1, 255} else joined)


def _refuse_to_join(one: Array, path: Path, joined: Array, first: Path) -> None:
    if one.shape != joined.shape:
        raise InputError(f"{path} and {first} are masks of one image, but not of one size and kind: save them alike")


def _refuse_same_object(numbers: Array, here: Array, path: Path, paths: tuple[Path, ...]) -> None:
    """Two masks of one object are those of two observers: to join them would be neither's."""
    below = np.bincount(numbers[here], minlength=1)
    below[0] = 0
    if not below.any():
        return
    other = int(below.argmax())
    either = int((numbers == other).sum()) + int(here.sum()) - int(below[other])
    if below[other] > _SAME_OBJECT * either:
        raise InputError(
            f"{path} and {paths[other - 1]} mark the same object: keep one of them if they are two observers', or "
            "name one for each image in a manifest.csv with the columns image,mask"
        )
