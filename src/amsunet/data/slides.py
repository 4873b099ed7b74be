"""Read large images in parts: TIFF, pyramids of levels, and the slide formats of OpenSlide."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from PIL import Image

from amsunet.data.image_file import is_tiff, open_tiff, reading
from amsunet.data.image_header import MAXIMUM_PIXELS, claim_of_page, refuse_impossible
from amsunet.data.images import Array, as_supported
from amsunet.data.spacing import Spacing, of_tiff_page, parse_spacing
from amsunet.data.tiff import (
    becomes_rgb,
    black_as_zero,
    compression_obstacle,
    holds_channels,
    image_obstacle,
    kept_samples,
)
from amsunet.errors import InputError
from amsunet.memory import is_out_of_memory
from amsunet.optional import require
from amsunet.regular_file import refuse_irregular

LARGE_PIXELS = 50_000_000
"""An image with more pixels is predicted in parts if its file can be read in parts; as a whole it needs over 2 GiB."""
SLIDE_SUFFIXES = frozenset({".bif", ".mrxs", ".ndpi", ".scn", ".svs", ".svslide", ".vms", ".vmu"})
_LARGEST_BLOCK = 1 << 26
"""Most bytes of an unpacked strip or tile."""
_KEPT_BLOCKS = 1 << 26
"""Bytes of unpacked blocks that are cached, for neighbouring parts need them again."""


class SlideError(InputError):
    """A slide that cannot be read."""


class Slide(Protocol):
    """An image that can be read in parts. Use it in a ``with`` block."""

    path: Path
    sizes: list[tuple[int, int]]
    """Height and width of every level, the finest first."""
    spacing: Spacing | None
    """Millimetres a pixel of the finest level, down and across, where the file says so."""

    def read(self, level: int, rows: slice, columns: slice) -> Array:
        """Read a part of a level.

        Args:
            level: Index into ``sizes``.
            rows: In pixels of the level.
            columns: In pixels of the level.

        Returns:
            (h, w, C) of uint8, uint16 or float32, without transparency.

        Raises:
            SlideError: If the file is damaged there.
        """
        ...

    def __enter__(self) -> Slide: ...

    def __exit__(self, *_: object) -> None: ...


def is_slide(path: Path) -> bool:
    """Whether an image is predicted in parts: a pyramid, or one too large to be predicted as a whole.

    Args:
        path: An image file; only its header is read.
    """
    suffix = path.suffix.lower()
    if suffix in SLIDE_SUFFIXES:
        return True
    if not is_tiff(path):
        return False
    try:
        with reading(), open_tiff(path) as tiff:
            pages = _levels(tiff)
            pixels = pages[0].imagelength * pages[0].imagewidth
            readable = len(pages) == 1 and pixels > LARGE_PIXELS and _obstacle(pages[0]) is None
            return len(pages) > 1 or pixels > MAXIMUM_PIXELS or readable
    except Exception:  # a damaged file makes tifffile raise anything; read_image reports the reason
        return False


def open_slide(path: Path) -> Slide:
    """Open a slide.

    Args:
        path: A TIFF, or a file in a format of OpenSlide.

    Returns:
        The slide, to be used in a ``with`` block.

    Raises:
        SlideError: If it is not found, cannot be read in parts, or needs a package that is not installed.
    """
    try:
        refuse_irregular(path)
    except FileNotFoundError:
        raise SlideError(f"{path} does not exist: check the path") from None
    except PermissionError:
        raise SlideError(f"{path} may not be read: change its permissions") from None
    except InputError as error:
        raise SlideError(str(error)) from None
    return OpenSlideSlide(path) if path.suffix.lower() in SLIDE_SUFFIXES else TiffSlide(path)


class TiffSlide:
    """A TIFF or BigTIFF in tiles or strips, with or without the levels of a pyramid."""

    @reading()
    def __init__(self, path: Path) -> None:
        self.path = path
        self._blocks: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._kept = 0
        try:
            with open_tiff(path):  # refused or not, see there
                self._tiff = tifffile.TiffFile(path, _multifile=False)
        except Exception as error:  # a damaged file makes tifffile raise anything
            raise _damaged(path, error) from error
        try:
            self._pages = _levels(self._tiff)
            for page in self._pages:
                refuse_impossible(path, claim_of_page(page))
                if obstacle := _obstacle(page):
                    raise SlideError(f"{path} {obstacle}")
        except SlideError:
            self._tiff.close()
            raise
        except Exception as error:
            self._tiff.close()
            raise _damaged(path, error) from error
        self.sizes = [(page.imagelength, page.imagewidth) for page in self._pages]
        self.spacing = of_tiff_page(self._pages[0], self._tiff.pages.first.description)

    @reading()
    def read(self, level: int, rows: slice, columns: slice) -> Array:
        """Read a part of a level, see ``Slide.read``."""
        page = self._pages[level]
        try:
            part = _from_map(page, rows, columns) if page.is_memmappable else self._from_blocks(level, rows, columns)
        except Exception as error:
            raise _damaged(self.path, error) from error
        try:
            part = as_supported(black_as_zero(part, page, self.path), str(self.path))
        except InputError as error:
            raise SlideError(str(error)) from None
        return part[..., kept_samples(page) if holds_channels(page) else slice(1 if part.shape[2] < 3 else 3)]

    def _from_blocks(self, level: int, rows: slice, columns: slice) -> Array:
        page = self._pages[level]
        height, width, across = _block_size(page)
        planes = page.samplesperpixel if page.axes == "SYX" else 1
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start, page.samplesperpixel), page.dtype)
        per_plane = across * -(-page.imagelength // height)
        for row in range(rows.start // height, -(-rows.stop // height)):
            for column in range(columns.start // width, -(-columns.stop // width)):
                top, left = row * height, column * width
                here = slice(max(rows.start, top), min(rows.stop, top + height))
                there = slice(max(columns.start, left), min(columns.stop, left + width))
                into = _moved(here, -rows.start), _moved(there, -columns.start)
                for plane in range(planes):
                    block = self._block(level, plane * per_plane + row * across + column)
                    channels = slice(plane, plane + 1) if planes > 1 else slice(None)
                    out[(*into, channels)] = block[_moved(here, -top), _moved(there, -left)]
        return out

    def _block(self, level: int, index: int) -> Array:
        """One strip or tile, unpacked, (h, w, channels)."""
        if (level, index) not in self._blocks:
            self._blocks[level, index] = _unpacked(self._pages[level], index)
            self._kept += self._blocks[level, index].nbytes
            while self._kept > _KEPT_BLOCKS:
                self._kept -= self._blocks.popitem(last=False)[1].nbytes
        self._blocks.move_to_end((level, index))
        return self._blocks[level, index]

    def __enter__(self) -> TiffSlide:
        return self

    def __exit__(self, *_: object) -> None:
        self._tiff.close()


class OpenSlideSlide:
    """A slide in a format of OpenSlide; areas that were not scanned get the slide's background colour."""

    def __init__(self, path: Path) -> None:
        try:
            openslide = require("openslide")
        except InputError as error:
            raise SlideError(f"{path} cannot be read, for {error}") from None
        self.path = path
        try:
            self._slide: Any = openslide.OpenSlide(path)
        except openslide.OpenSlideError as error:
            raise _damaged(path, error) from error
        self._background = "#" + self._slide.properties.get("openslide.background-color", "ffffff")
        self.sizes = [(height, width) for width, height in self._slide.level_dimensions]
        self.spacing: Spacing | None = None
        with suppress(KeyError, InputError):
            down, across = (float(self._slide.properties[f"openslide.mpp-{axis}"]) / 1000 for axis in "yx")
            self.spacing = parse_spacing((down, across))

    def read(self, level: int, rows: slice, columns: slice) -> Array:
        """Read a part of a level, see ``Slide.read``."""
        size = columns.stop - columns.start, rows.stop - rows.start
        by = self._slide.level_downsamples[level]
        try:
            part = self._slide.read_region((round(columns.start * by), round(rows.start * by)), level, size)
        except Exception as error:
            raise _damaged(self.path, error) from error
        canvas = Image.new("RGB", size, self._background)
        canvas.paste(part, mask=part.getchannel("A"))
        return np.asarray(canvas)

    def __enter__(self) -> OpenSlideSlide:
        return self

    def __exit__(self, *_: object) -> None:
        self._slide.close()


def _levels(tiff: Any) -> list[Any]:
    """The levels of the largest image in a TIFF, the finest first."""
    series = max(tiff.series, key=lambda one: one.keyframe.imagelength * one.keyframe.imagewidth)
    if series.axes not in ("YX", "YXS", "SYX"):
        raise SlideError(f"{tiff.filehandle.path} holds several pages: save each page as a file of its own")
    return [level.keyframe for level in series.levels]


def _obstacle(page: Any) -> str | None:
    """Why a page cannot be read in parts, and what to do: the end of a sentence; None if it can."""
    if page.dtype is None or page.dtype.kind not in "iuf":
        return f"stores {page.dtype} pixels: save it with 8 or 16 bits"
    if not becomes_rgb(page):
        return "is neither grey nor RGB: save it so"
    if obstacle := image_obstacle(page):
        return obstacle
    if 274 in page.tags and page.tags[274].value != 1:
        return "is stored turned: save it upright"
    if page.is_memmappable:
        return None
    height, width, _ = _block_size(page)
    if height * width * page.samplesperpixel * page.dtype.itemsize > _LARGEST_BLOCK:
        return f"is packed in blocks of {width} x {height} pixels, too large to be read in parts: save it in tiles"
    try:
        _unpacked(page, 0)
    except Exception as error:
        if obstacle := compression_obstacle(page, error):
            return obstacle
        raise
    return None


def _block_size(page: Any) -> tuple[int, int, int]:
    """Height and width of the tiles or strips, and their number across the page."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth, -(-page.imagewidth // page.tilewidth)
    return min(page.rowsperstrip, page.imagelength), page.imagewidth, 1


def _unpacked(page: Any, index: int) -> Array:
    packed = None
    if page.databytecounts[index]:
        file = page.parent.filehandle
        file.seek(page.dataoffsets[index])
        packed = file.read(page.databytecounts[index])
    tables = {"jpegtables": page.jpegtables} if page.jpegtables else {}
    block, _, shape = page.decode(packed, index, **tables)
    if block is None:  # an empty tile is not stored
        block = np.full(shape, page.nodata, page.dtype)
    unpacked: Array = block[0]
    return unpacked


def _from_map(page: Any, rows: slice, columns: slice) -> Array:
    """Read a part of uncompressed pixels; the file is mapped for each part, so that memory is released."""
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    pixels = np.memmap(page.parent.filehandle.path, dtype, "r", page.dataoffsets[0], page.shape)
    part = np.moveaxis(pixels[:, rows, columns], 0, 2) if page.axes == "SYX" else pixels[rows, columns]
    part = np.array(part, page.dtype.newbyteorder("="))
    return part if part.ndim == 3 else part[..., None]


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _damaged(path: Path, error: Exception) -> Exception:
    """What a reader stumbles over is damage, unless memory ran out."""
    if is_out_of_memory(error):
        return error
    if isinstance(error, InputError):
        return SlideError(str(error))
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return SlideError(f"{path} is damaged ({reason}): copy it again from where it came")
