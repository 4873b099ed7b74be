"""Reading mask files: the numbers, colours and transparency that they hold, whatever these mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ImageFile, ImageOps, UnidentifiedImageError

from amsunet.data import images
from amsunet.data.containers import find_address
from amsunet.data.image_file import is_tiff, open_picture, read_errors
from amsunet.data.images import Array
from amsunet.data.missing_rows import refuse_missing_rows
from amsunet.data.readers import outlines
from amsunet.errors import InputError
from amsunet.regular_file import read_regular

Reading = Literal["stored", "colours", "alpha", "visible"]
"""Which part of a file is its mask: ``stored`` the numbers, of a palette its indices; ``colours`` those of the palette;
``alpha`` the opacity; ``visible`` the colours, black where transparent."""


_EDGE = 0.1
"""Largest share of half-opaque pixels with equal neighbours, if only edges are half-opaque."""
_JPEG_IN_TIFF = (6, 7)


@dataclass(frozen=True)
class MaskFile:
    """A mask file as it is: ``pixels`` (H, W) of numbers or (H, W, 3) of uint8, and what belongs to them."""

    pixels: Array
    palette: Array | None = None
    """(n, 3) of uint8: the colours of the numbers."""
    alpha: Array | None = None
    """(H, W) of uint8: 255 is opaque."""
    lossy: bool = False
    """Whether the file's compression changes values a little."""
    shared: tuple[int, int] | None = None
    """Pixels that both of two files mark, and that either does, where two are joined."""

    def read_as(self, reading: Reading) -> Array:
        """The mask in one reading; several are the same for a file without a palette or alpha.

        Args:
            reading: Which part of the file is the mask.

        Returns:
            (H, W) of numbers, or (H, W, 3) of uint8.
        """
        if reading == "alpha" and self.alpha is not None:
            return self.alpha
        if reading == "stored" or (self.palette is None and reading == "colours"):
            return self.pixels
        colours = self.pixels if self.palette is None else _grey_if_grey(self.palette[self.pixels])
        if reading == "visible" and self.alpha is not None:
            shown = is_opaque(self.alpha)
            return _grey_if_grey(colours * (shown if colours.ndim == 2 else shown[..., None]))
        return colours


def is_opaque(alpha: Array) -> Array:
    """Find where something is drawn: at any opacity in see-through drawings, from half on where only edges are soft.

    Args:
        alpha: (H, W) of opacity.

    Returns:
        (H, W) of bool.
    """
    top = int(alpha.max(initial=0))
    between = (alpha > 0) & (alpha < top)
    inner = between[1:-1, 1:-1]
    flat = inner & _has_equal_neighbours(alpha)
    drawn: Array = alpha > (0 if flat.sum() > _EDGE * inner.sum() else (top - 1) // 2)
    return drawn


def _has_equal_neighbours(array: Array) -> Array:
    """Whether the pixels above, below, left and right are the same; (H - 2, W - 2), without the border."""
    middle = array[1:-1, 1:-1]
    near = (array[:-2, 1:-1], array[2:, 1:-1], array[1:-1, :-2], array[1:-1, 2:])
    same: Array = np.logical_and.reduce([middle == one for one in near])
    return same


def read_mask(path: Path, reading: Reading = "stored") -> Array:
    """Read a mask file.

    Args:
        path: The mask file.
        reading: Which part of the file is the mask.

    Returns:
        (H, W) of numbers, or (H, W, 3) of uint8 for colours. Numbers are as stored, signed ones and fractions too;
        whole numbers of a float file become integers.

    Raises:
        InputError: If the file cannot be read as one mask.
    """
    return open_mask(path).read_as(reading)


def read_region(path: Path) -> Array:
    """Read a black and white mask of a field of view.

    Args:
        path: The mask file.

    Returns:
        (H, W) of bool, True inside.

    Raises:
        InputError: If the file cannot be read, or holds colours.
    """
    raw = read_mask(path, "colours")
    if raw.ndim == 3:
        raise InputError(
            f"{path} marks no field of view in black and white: save it as 0 outside, 255 inside",
            code="no-field-of-view",
        )
    inside: Array = raw > raw.max(initial=0) / 2
    return inside


def open_mask(path: Path) -> MaskFile:
    """Read a mask file with its palette and transparency.

    Args:
        path: The mask file.

    Returns:
        The pixels and what belongs to them.

    Raises:
        InputError: If the file cannot be read as one mask.
    """
    address = find_address(path)
    with read_errors(path):
        if address is not None:
            return MaskFile(_whole_numbers(address.reader.read_labels(*address), path))
        try:
            with open_picture(path) as picture:
                lossy = _is_lossy(picture, path)
                opened = _open_indexed(picture, path) if picture.mode == "P" else _open_picture(picture, path)
                return replace(opened, lossy=lossy)
        except UnidentifiedImageError:
            if not is_tiff(path):
                raise
        return _of_channels(images.decode_tiff(path), path)


def read_objects(path: Path) -> Array:
    """The numbers of the objects that outlines make a mask of, (H, W) of int32; 0 where there is none.

    Args:
        path: For which ``containers.is_outlined`` holds.
    """
    address = find_address(path)
    assert address is not None
    with read_errors(path):
        return outlines.read_objects(*address)


def _is_lossy(picture: ImageFile.ImageFile, path: Path) -> bool:
    if picture.format == "WEBP":
        return _is_lossy_webp(read_regular(path))
    if picture.format == "TIFF":
        return picture.tag_v2.get(259) in _JPEG_IN_TIFF  # type: ignore[attr-defined]
    return picture.format in ("JPEG", "MPO")


def _is_lossy_webp(content: bytes) -> bool:
    """Whether, of the chunks of a WebP file, that of the pixels is ``VP8``; that without loss is ``VP8L``."""
    start = 12
    while start + 8 <= len(content):
        name, size = content[start : start + 4], int.from_bytes(content[start + 4 : start + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        start += 8 + size + size % 2
    return False


def _whole_numbers(array: Array, path: Path) -> Array:
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {array.dtype} values, where a mask holds numbers: save one number a pixel")
    if array.dtype.kind != "f":
        return array
    if array.dtype == np.float16:
        array = array.astype(np.float32)  # as SciPy's filters need it
    if not np.isfinite(array).all():
        raise InputError(f"{path} holds values that are not finite numbers: replace them and save it again")
    return array.astype(np.int32) if np.array_equal(array, np.round(array)) else array


def _open_indexed(picture: ImageFile.ImageFile, path: Path) -> MaskFile:
    if getattr(picture, "n_frames", 1) > 1:
        raise InputError(f"{path} holds {picture.n_frames} pages: save each page as a file of its own")  # type: ignore[attr-defined]
    picture.load()
    refuse_missing_rows(path, picture)
    upright = ImageOps.exif_transpose(picture)
    indices = np.array(upright)
    table = np.zeros((256, 3), np.uint8)
    known = np.asarray(upright.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    table[: len(known)] = known
    alpha = np.asarray(upright.convert("RGBA"))[..., 3] if "transparency" in picture.info else None
    return MaskFile(indices, table, alpha)


def _open_picture(picture: ImageFile.ImageFile, path: Path) -> MaskFile:
    mode = picture.mode
    if mode in ("PA", "La", "RGBa"):
        upright = np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))
        return MaskFile(_grey_if_grey(upright[..., :3]), alpha=upright[..., 3])
    return _of_channels(images.decode_picture(picture, path, as_image=False), path)


def _of_channels(array: Array, path: Path) -> MaskFile:
    """A mask of pixels as decoded: (H, W) of numbers, or (H, W, C) of which an even number ends in alpha."""
    if array.ndim == 2:
        return MaskFile(_whole_numbers(array, path))
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path} has {array.dtype} pixels of the shape {array.shape}: save it as grey or RGB")
    has_alpha = array.shape[2] in (2, 4)
    pixels = _grey_if_grey(array[..., :-1] if has_alpha else array)
    return MaskFile(
        pixels if pixels.ndim == 2 else in_eight_bits(pixels),
        alpha=in_eight_bits(array[..., -1]) if has_alpha else None,
    )


def in_eight_bits(array: Array) -> Array:
    """Reduce 16 bits to 8; values of at most 255 stay as they are."""
    if array.dtype == np.uint8 or array.max(initial=0) <= 255:
        return array.astype(np.uint8)
    return (array >> 8).astype(np.uint8)


def _grey_if_grey(array: Array) -> Array:
    """Colours (H, W, C) as numbers (H, W) where all of them are grey."""
    return array[..., 0] if array.ndim == 3 and (array == array[..., :1]).all() else array
