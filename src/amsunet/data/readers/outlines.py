"""Masks that are outlines: what annotation programs write, drawn into pixels at the size of the image.

The address of such a mask is FILE/HEIGHTxWIDTH, then ``image=NAME`` where a file has the outlines of several images,
and ``class=NAME`` where a mask is that of one class: ``cells.geojson/512x640``, ``coco.json/512x640/image=a.png``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import quote, unquote

import numpy as np

from amsunet.data.image_file import memory_errors, read_errors
from amsunet.data.images import Array
from amsunet.data.readers.polygon_fill import OutlineError, OutsideError, Piece, number_pieces
from amsunet.errors import InputError
from amsunet.text_files import read_json

_MODULES = {
    ".roi": "amsunet.data.readers.imagej_rois",
    ".zip": "amsunet.data.readers.imagej_rois",
    ".geojson": "amsunet.data.readers.geojson",
}
_JSON = ("amsunet.data.readers.coco", "amsunet.data.readers.labelme", "amsunet.data.readers.geojson")
"""Which of these a file of JSON is for shows in its content."""
_LARGEST = 1 << 29
"""Bytes of a file; what Python makes of JSON takes ten times as much."""
_LONGEST = 400
"""Characters of what is wrong."""
_opening = threading.Lock()


class OutlineReader(Protocol):
    """The functions of a module that reads outlines."""

    def parse(self, content: Any) -> Any:
        """What the other functions take, made of the content of a file; None if that has another format."""
        ...

    def find(self, parsed: Any) -> Mapping[str, Sequence[str]]:
        """The classes of the objects of each image, by its name; by ``""`` if the file belongs to one image.

        Objects without a class have the class ``""``.
        """
        ...

    def draw(self, parsed: Any, image: str, size: tuple[int, int]) -> Iterator[Piece]:
        """The objects of an image.

        Raises:
            OutlineError: For what cannot be drawn.
        """
        ...


class _Opened(NamedTuple):
    reader: OutlineReader
    parsed: Any


class _Place(NamedTuple):
    size: tuple[int, int]
    image: str
    class_name: str | None


def find(file: Path) -> Mapping[str, Sequence[str]] | None:
    """The classes of the objects of each image that a file outlines.

    Args:
        file: A file with the suffix of one of the formats.

    Returns:
        As ``OutlineReader.find``; None for JSON or a ZIP of something else.

    Raises:
        InputError: If the file cannot be read.
    """
    if (opened := _open(file)) is None:
        return None
    with _as_sentence(file):
        return opened.reader.find(opened.parsed)


def address_of(file: Path, size: tuple[int, int], image: str = "", class_name: str | None = None) -> Path:
    """The address of a mask that outlines make, see above.

    Args:
        file: The file of outlines.
        size: Height and width of the image.
        image: Its name in a file for several.
        class_name: Of the objects that are in the mask; all are if it is None.
    """
    parts = [f"{size[0]}x{size[1]}"]
    parts += [f"image={_quoted(image)}"] if image else []
    parts += [f"class={_quoted(class_name)}"] if class_name is not None else []
    return file.joinpath(*parts)


def places(file: Path) -> list[str]:
    """None: outlines are masks, and no images."""
    return []


def size(file: Path, place: str) -> tuple[int, int]:
    """See ``containers.Reader``."""
    return _parse(place).size


def read(file: Path, place: str) -> Array:
    """Outlines are no image."""
    raise InputError(f"{file} holds outlines, and no image: name the image")


def read_labels(file: Path, place: str) -> Array:
    """Draw the mask: (H, W) of uint8, 255 where an object is."""
    return (read_objects(file, place) > 0).astype(np.uint8) * np.uint8(255)


def read_objects(file: Path, place: str) -> Array:
    """Draw the objects of a mask.

    Returns:
        (H, W) of int32: the number of the object at each pixel.

    Raises:
        InputError: If the file cannot be read, or an object leaves the image.
    """
    wanted, opened = _parse(place), _open(file)
    if opened is None:
        raise InputError(f"{file} holds no outlines of a kind that is read: see the documentation of data sets")
    with _as_sentence(file):
        pieces = opened.reader.draw(opened.parsed, wanted.image, wanted.size)
        return number_pieces((one for one in pieces if wanted.class_name in (None, one.class_name)), wanted.size)


def spacing(file: Path, place: str) -> tuple[float, float] | None:
    """None: that of the image counts."""
    return None


def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")


def _parse(place: str) -> _Place:
    first, *parts = place.split("/")
    height, width = map(int, first.split("x"))
    known = {key: unquote(value, errors="surrogatepass") for key, _, value in (part.partition("=") for part in parts)}
    return _Place((height, width), known.get("image", ""), known.get("class"))


def _open(file: Path) -> _Opened | None:
    """What a file holds, kept for its next mask; None of JSON or a ZIP of something else."""
    known = file.stat() if file.is_file() else None
    if known is not None and known.st_size > _LARGEST:
        raise InputError(f"{file} has {known.st_size / 1e6:,.0f} MB of outlines: split it into files for fewer images")
    with _opening:  # threads that ask for one file at a time read it once
        return _load(file, (known.st_size, known.st_mtime_ns) if known else None)


@lru_cache(maxsize=4)
def _load(file: Path, _stamp: object) -> _Opened | None:
    suffix = file.suffix.lower()
    if suffix in (".roi", ".zip"):
        with read_errors(file):
            content = import_module(_MODULES[suffix]).load(file)
    else:
        content = read_json(file, damaged="export it again")
    with _as_sentence(file):
        for name in [_MODULES[suffix]] if suffix in _MODULES else _JSON:
            reader = cast(OutlineReader, import_module(name))
            if (parsed := reader.parse(content)) is not None:
                return _Opened(reader, parsed)
    return None


@contextmanager
def _as_sentence(file: Path) -> Iterator[None]:
    """Turn what is wrong with the content of a file into a sentence about it."""
    try:
        with memory_errors(file):
            yield
    except OutsideError as error:
        raise InputError(
            f"{file}: {error}: it is of another image, or of another size of it; export it from this image, in pixels "
            "of its full size",
            code="size",
        ) from None
    except OutlineError as error:
        raise InputError(f"{file} {error!s:.{_LONGEST}}") from None  # which may quote names
    except InputError:
        raise
    except Exception as error:  # what stands in it makes decoders raise anything: SyntaxError, struct.error, ...
        raise InputError(f"{file} is not as its format asks for ({error!r:.80}): export it again") from None
