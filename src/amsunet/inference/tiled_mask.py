"""Labels in a file to masks as tiled TIFF, in the convention of the training masks, with a tile in memory.

Objects are numbered over all tiles, and left out where they are small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from amsunet.data.components import lowest_joined, number_objects
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.data.spacing import Spacing
from amsunet.inference.slide_state import FileArray

_CLASSIC_TIFF = (1 << 32) - (1 << 25)
"""Bytes, before compression, above which a file is a BigTIFF."""
_AT_ONCE = 1 << 24
"""Bytes that are compressed at a time."""
SIDE = 512
"""Of a tile."""

Part = tuple[slice, slice]


def largest_size(convention: MaskConvention, height: int, width: int) -> int:
    """Bytes that the masks take at the most."""
    files = convention.num_classes - 1 if convention.kind == "folders" else 1
    sample = convention.encode(np.zeros((1, 1), np.uint8))
    a_pixel = 4 if convention.kind == "instances" else sample.nbytes  # objects may need 32 bits for their numbers
    return files * a_pixel * height * width


def write_masks(paths: list[Path], labels: FileArray, convention: MaskConvention, spacing: Spacing | None) -> None:
    """Write labels (1, H, W) as masks, Deflate-compressed, to as many files as ``outputs.mask_paths`` names; with the
    size of a pixel, where it is known, as pixels a centimetre.
    """
    write = partial(_write, labels, spacing)
    if convention.kind == "folders":
        for label, path in enumerate(paths, start=1):
            write(path, np.dtype(np.uint8), partial(_as_binary, label))
    elif convention.kind == "instances":
        numbers, _ = number_tiled_objects(labels)
        write(paths[0], numbers[-1].dtype, lambda tile, part: numbers[tile][number_objects(part)[0]])
    else:
        dtype = convention.encode(np.zeros((1, 1), np.uint8)).dtype
        write(paths[0], dtype, lambda _, part: convention.encode(part))


def _as_binary(label: int, _: int, part: Array) -> Array:
    return np.where(part == label, np.uint8(255), np.uint8(0))


def _write(
    labels: FileArray, spacing: Spacing | None, path: Path, dtype: np.dtype, encode: Callable[[int, Array], Array]
) -> None:
    """Write what ``encode`` makes of each tile's number and labels (h, w)."""

    def tiles() -> Iterator[Array]:
        for tile, part in enumerate(parts_of(labels)):
            encoded = encode(tile, labels.read(*part)[0])
            missing = [(0, SIDE - side) for side in encoded.shape[:2]]
            yield np.pad(encoded, [*missing, (0, 0)][: encoded.ndim])

    _, height, width = labels.shape
    colours = encode(0, np.zeros((1, 1), np.uint8)).shape[2:]
    known = (
        {} if spacing is None else {"resolution": (10 / spacing[1], 10 / spacing[0]), "resolutionunit": "CENTIMETER"}
    )
    large = height * width * dtype.itemsize * (colours or (1,))[0] > _CLASSIC_TIFF
    with tifffile.TiffWriter(path, bigtiff=large) as tiff:
        tiff.write(
            tiles(),
            shape=(height, width, *colours),
            dtype=dtype,
            tile=(SIDE, SIDE),
            photometric="rgb" if colours else "minisblack",
            compression="zlib",
            metadata=None,
            buffersize=_AT_ONCE,
            **known,
        )


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
        local, count = number_objects(part == 0 if holes else part)
        sizes.append(np.bincount(local.ravel(), minlength=count + 1)[1:])
        objects = np.where(local, local.astype(np.int64) + total, 0)
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
        for (rows, columns), whole_numbers in zip(parts_of(labels), numbers, strict=True):
            if small[whole_numbers].any():
                part = labels.read(rows, columns)[0]
                local, _ = number_objects(part == 0 if holes else part)
                part[small[whole_numbers][local]] = holes
                labels.write(rows, columns, part)


def _touching(one: Array, other: Array) -> Array:
    """Pairs (2, n) of objects that lie side by side along a border."""
    both = (one > 0) & (other > 0)
    return np.unique(np.stack((one[both], other[both])), axis=1)
