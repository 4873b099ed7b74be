"""Objects of a mask that lies in a file: numbered, and left out where small, with a tile in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from amsunet.data.components import lowest_joined, number_objects
from amsunet.data.images import Array
from amsunet.inference.slide_state import FileArray

SIDE = 512
"""Of a tile."""

Part = tuple[slice, slice]


def parts_of(labels: FileArray) -> Iterator[Part]:
    """Tiles row by row."""
    _, height, width = labels.shape
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            yield slice(top, min(top + SIDE, height)), slice(left, min(left + SIDE, width))


def number_tiled_objects(labels: FileArray, *, holes: bool = False) -> tuple[list[Array], Array]:
    """Number the objects, or the holes, over all tiles.

    Each tile's objects are found by themselves and joined where they touch across a border. Memory: some tens of
    bytes an object, and eight a column.

    Returns:
        For each tile the number in the whole image of each of its own objects, 0 for what is none, and the pixels of
        each object in the whole image.
    """
    counts, sizes, pairs, total = [], [np.zeros(1, np.int64)], [np.empty((2, 0), np.int64)], 0
    above, left = np.zeros(labels.shape[2], np.int64), np.empty(0, np.int64)
    for rows, columns in parts_of(labels):
        part = labels.read(rows, columns)[0]
        own, count = number_objects(part == 0 if holes else part)
        sizes.append(np.bincount(own.ravel(), minlength=count + 1)[1:])
        objects = np.where(own, own.astype(np.int64) + total, 0)
        counts.append(count)
        total += count
        if rows.start:
            pairs.append(_touching(above[columns], objects[0]))
        if columns.start:
            pairs.append(_touching(left, objects[:, 0]))
        above[columns], left = objects[-1], objects[:, -1]
    first, second = np.concatenate(pairs, axis=1)
    # What is no object, the number 0, touches nothing: it stays 0.
    found, numbers = np.unique(lowest_joined(total + 1, first, second), return_inverse=True)
    pixels = np.bincount(numbers, weights=np.concatenate(sizes))
    count = len(found)
    numbers = numbers.astype(np.uint8 if count <= 1 << 8 else np.uint16 if count <= 1 << 16 else np.uint32)
    ends = np.cumsum(counts).tolist()
    of_tiles = [np.append(numbers[:1], numbers[end - n + 1 : end + 1]) for end, n in zip(ends, counts, strict=True)]
    return of_tiles, pixels


def drop_small(labels: FileArray, smallest: float) -> None:
    """Drop objects, and then fill holes, of fewer than ``smallest`` pixels: ``without_small`` for labels 0 and 1.

    What was done once may be done again: the labels stay as they are then.
    """
    for holes in (False, True):
        numbers, pixels = number_tiled_objects(labels, holes=holes)
        small = pixels < smallest
        small[0] = False
        for (rows, columns), own_numbers in zip(parts_of(labels), numbers, strict=True):
            if small[own_numbers].any():
                part = labels.read(rows, columns)[0]
                own, _ = number_objects(part == 0 if holes else part)
                part[small[own_numbers][own]] = holes
                labels.write(rows, columns, part)


def _touching(one: Array, other: Array) -> Array:
    """Pairs (2, n) of objects that lie side by side along a border."""
    both = (one > 0) & (other > 0)
    return np.unique(np.stack((one[both], other[both])), axis=1)
