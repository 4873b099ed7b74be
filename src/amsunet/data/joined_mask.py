"""A mask read from the files that hold it: one, or several that are joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from amsunet.data.images import Array, read_mask
from amsunet.data.sample import Sample
from amsunet.errors import InputError

_SAME_OBJECT = 0.5
"""Intersection over union from which on two masks mark one object twice."""


def read_sample_mask(sample: Sample, name: str, *, apart: bool = False) -> Array:
    """Read the mask of one class of a sample, '' where there are no class folders.

    Several files are joined: what any of them marks is foreground.

    Args:
        apart: number the objects of several files 1, 2, ... in their order.

    Raises: InputError if files cannot be read or joined.
    """
    first, more = sample.masks[name], sample.more_masks.get(name, ())
    raw = read_mask(first)
    if not more:
        return raw
    marked, values = [], set()
    for path in (first, *more):
        one = raw if path == first else read_mask(path)
        _refuse_to_join(one, path, raw, first)
        values |= set(np.unique(one).tolist()) - {0}
        marked.append(one != 0)
    if len(values) > 1 and values != {1, 255}:  # of one bit and of eight
        raise InputError(
            f"{first} and {len(more)} more masks of {sample.image} mark with the values "
            f"{', '.join(map(str, sorted(values)[:4]))}, which cannot be joined: save all with one value"
        )
    numbers = np.zeros(raw.shape, np.uint16)
    for number, (here, path) in enumerate(zip(marked, (first, *more), strict=True), start=1):
        _refuse_same_object(numbers, here, path, (first, *more))
        numbers[here] = number
    if apart:
        return numbers
    joined: Array = np.where(numbers != 0, max(values, default=0), 0).astype(raw.dtype)
    return joined


def _refuse_to_join(one: Array, path: Path, raw: Array, first: Path) -> None:
    if one.shape != raw.shape or one.ndim != 2:
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
