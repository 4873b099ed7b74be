"""HDF5 as slices and volumes are passed on for training: ``image`` and ``label`` in one file.

The address of a slice is ``case.h5/image``, of one of a stack ``case.h5/image/003``; its mask has ``label`` in place of
``image``. Which axis of three is the slices or the channels, the label tells: it has none for channels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from amsunet.data.image_header import DEFLATE, MAXIMUM_PIXELS, Claim, refuse_claim
from amsunet.errors import InputError
from amsunet.optional import require
from amsunet.regular_file import refuse_irregular
from amsunet.safe_text import one_line

Array = npt.NDArray[Any]
IMAGE, LABEL = "image", "label"
_NAMES = {IMAGE: ("image", "img", "data", "raw"), LABEL: ("label", "mask", "seg", "gt")}
"""What the datasets are called, best first, in any case."""
_PLACE = re.compile(r"(image|label)(?:/(\d+))?")
_NUMBERS = "buif"
"""Kinds of values, of NumPy, that are numbers."""
_COLOURS = 3
_FEW = 4
"""A last axis so short is no side of an image."""
_MOST_SLICES = 100_000
_MOST_NAMES = 10
"""Of the names in a file, those that an error repeats."""
_COPIES = 4
"""Times that reading takes what the values take."""


class _Layout(NamedTuple):
    """How the image of a file lies."""

    stack: int
    """Slices; 0 of a single image."""
    channels: Literal["none", "first", "last"]
    height: int
    width: int


def places(file: Path) -> list[str]:
    """The images in a file: ``image``, or ``image/000`` and so on."""
    with _opened(file) as content:
        layout = _layout(file, content)
    return [f"{IMAGE}/{index:03}" for index in range(layout.stack)] if layout.stack else [IMAGE]


def has_labels(file: Path) -> bool:
    """Whether a file holds a mask too."""
    with _opened(file) as content:
        return _find(content, LABEL) is not None


def label_place(place: str) -> str:
    """Where the mask of an image lies in the same file."""
    return place.replace(IMAGE, LABEL, 1)


def size(file: Path, place: str) -> tuple[int, int]:
    """Rows and columns, from the header."""
    with _opened(file) as content:
        layout = _layout(file, content)
    return layout.height, layout.width


def read(file: Path, place: str) -> Array:
    """An image, (H, W) or (H, W, C)."""
    with _opened(file) as content:
        layout = _layout(file, content)
        array = _slice(file, content, IMAGE, place, layout)
        return np.moveaxis(array, 0, -1) if layout.channels == "first" else array


def read_labels(file: Path, place: str) -> Array:
    """A mask, (H, W)."""
    with _opened(file) as content:
        return _slice(file, content, LABEL, place, _layout(file, content))


def spacing(file: Path, place: str) -> None:
    """Nothing: these files do not tell the size of a pixel."""


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    refuse_irregular(file)
    h5py = require("h5py")
    try:
        with h5py.File(file, "r", locking=False) as content:  # it is only read
            yield content
    except (InputError, MemoryError):
        raise
    except Exception:  # of a damaged file anything, wherever it is first read
        raise InputError(f"{file} is no HDF5 file, or damaged: copy it again from where it came") from None


def _find(content: Any, kind: str) -> Any:
    """The dataset of images or labels; None where there is none."""
    by_name = {str(name).lower(): name for name in content}
    name = next((by_name[name] for name in _NAMES[kind] if name in by_name), None)
    link = None if name is None else type(content.get(name, getlink=True)).__name__
    found = content.get(name) if link == "HardLink" else None
    if link not in (None, "HardLink") or getattr(found, "external", None) or getattr(found, "is_virtual", False):
        raise InputError(f"{content.filename} has its {kind} in another file: save it in one")
    return found if hasattr(found, "shape") else None


def _layout(file: Path, content: Any) -> _Layout:
    """Find how an image lies.

    Raises:
        InputError: If there is none, or its axes may mean several things.
    """
    image, label = _find(content, IMAGE), _find(content, LABEL)
    if image is None:
        names = one_line(", ".join(str(name)[:40] for name in islice(content, _MOST_NAMES))) or "none"
        raise InputError(f"{file} holds no dataset image (its names are {names}): call it so, and the mask label")
    if image.shape is None or image.dtype.kind not in _NUMBERS:
        raise InputError(f"{file} has an image that is no array of numbers: save it as numbers, one a pixel")
    shape = tuple(map(int, image.shape))
    if not math.prod(shape) or (shape or (0,))[0] > _MOST_SLICES or math.prod(shape[-2:]) > MAXIMUM_PIXELS:
        raise InputError(f"{file} claims an image of {_text(shape)} pixels, which is not read: save it in parts")
    of_label = tuple(map(int, label.shape or ())) if label is not None else None
    if of_label is not None and of_label not in (shape, shape[:-1], shape[1:]):
        raise InputError(
            f"{file} has an image of {_text(shape)} and a label of {_text(of_label)}: save both for the same pixels"
        )
    if len(shape) == 2:
        return _Layout(0, "none", *shape)
    if len(shape) != 3:
        raise InputError(f"{file} has an image of {len(shape)} dimensions ({_text(shape)}): save slices, or a stack")
    if of_label == shape and shape[-1] <= _FEW:
        raise InputError(f"{file} has a label of {_text(shape)}: save it as numbers, one a pixel")
    if of_label == shape:
        return _Layout(shape[0], "none", *shape[1:])
    if of_label == shape[1:] and (of_label != shape[:-1] or shape[-1] != _COLOURS):
        return _Layout(0, "first", *shape[1:])
    if of_label == shape[:-1] or (of_label is None and shape[-1] == _COLOURS):
        return _Layout(0, "last", *shape[:-1])
    raise InputError(
        f"{file} has an image of {_text(shape)} and no label, so whether the first axis is slices or channels is not "
        "known: save one image a file"
    )


def _slice(file: Path, content: Any, kind: str, place: str, layout: _Layout) -> Array:
    found, dataset = _PLACE.fullmatch(place), _find(content, kind)
    wanted = found is not None and (found[2] is not None) == bool(layout.stack)
    if found is None or not wanted or (found[2] and int(found[2]) >= layout.stack) or dataset is None:
        raise InputError(f"{file / place} does not exist: name an image in {file}, as {places(file)[0]}")
    _refuse_claim(file, dataset, layout)
    array = np.asarray(dataset[int(found[2])] if found[2] else dataset[()])
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _refuse_claim(file: Path, dataset: Any, layout: _Layout) -> None:
    """Refuse what a file cannot hold, or memory: values that were never written take no room in it, and to read one
    value its whole chunk is unpacked.
    """
    if dataset.dtype.kind not in _NUMBERS:
        raise InputError(f"{file} has a label that is no array of numbers: save it as numbers, one a pixel")
    pixels, size = layout.height * layout.width, dataset.dtype.itemsize
    values = math.prod(dataset.shape) // (layout.stack or 1)
    of_chunk = math.prod(dataset.chunks) * size if dataset.chunks else 0
    ratio = DEFLATE if dataset.compression == "gzip" else None if dataset.chunks else 1
    memory = -(-max(_COPIES * values * size, of_chunk + values * size) // pixels)
    refuse_claim(file, Claim(layout.height, layout.width, 8 * values * size // pixels, memory, ratio))


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
