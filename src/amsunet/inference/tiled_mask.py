"""Labels in a file to masks as tiled TIFF, in the convention of the training masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

from amsunet.data.components import number_objects
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.inference.slide_state import FileArray
from amsunet.inference.tiled_objects import SIDE, number_tiled_objects, parts_of

_CLASSIC_TIFF = (1 << 32) - (1 << 25)
"""Bytes, before compression, above which a file is a BigTIFF."""
_AT_ONCE = 1 << 24
"""Bytes that are compressed at a time."""


def largest_size(convention: MaskConvention, height: int, width: int) -> int:
    """Bytes that the masks take at the most."""
    files = convention.num_classes - 1 if convention.kind == "folders" else 1
    sample = convention.encode(np.zeros((1, 1), np.uint8))
    a_pixel = 4 if convention.kind == "instances" else sample.nbytes  # objects may need 32 bits for their numbers
    return files * a_pixel * height * width


def write_masks(paths: list[Path], labels: FileArray, convention: MaskConvention) -> None:
    """Write labels (1, H, W) as masks, Deflate-compressed, to as many files as ``outputs.mask_paths`` names."""
    if convention.kind == "folders":
        for label, path in enumerate(paths, start=1):
            _write(path, labels, np.dtype(np.uint8), partial(_as_binary, label))
    elif convention.kind == "instances":
        numbers, _ = number_tiled_objects(labels)
        _write(paths[0], labels, numbers[-1].dtype, lambda tile, part: numbers[tile][number_objects(part)[0]])
    else:
        dtype = convention.encode(np.zeros((1, 1), np.uint8)).dtype
        _write(paths[0], labels, dtype, lambda _, part: convention.encode(part))


def _as_binary(label: int, _: int, part: Array) -> Array:
    return np.where(part == label, np.uint8(255), np.uint8(0))


def _write(path: Path, labels: FileArray, dtype: np.dtype, encode: Callable[[int, Array], Array]) -> None:
    """Write what ``encode`` makes of each tile's number and labels (h, w)."""

    def tiles() -> Iterator[Array]:
        for tile, part in enumerate(parts_of(labels)):
            encoded = encode(tile, labels.read(*part)[0])
            missing = [(0, SIDE - side) for side in encoded.shape[:2]]
            yield np.pad(encoded, [*missing, (0, 0)][: encoded.ndim])

    _, height, width = labels.shape
    colours = encode(0, np.zeros((1, 1), np.uint8)).shape[2:]
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
        )
