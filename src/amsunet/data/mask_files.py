"""Reading mask files: the numbers, colours and transparency that they hold, before anybody says what these mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.data import images
from amsunet.data.images import Array, told_errors
from amsunet.errors import InputError

Reading = Literal["stored", "colours", "alpha", "visible"]
"""What of a file is its mask: ``stored`` the numbers, of a palette its indices; ``colours`` those of the palette;
``alpha`` the opacity; ``visible`` the colours, black where transparent."""

_UNSIGNED = 1
"""Of a TIFF, what its tag 339 says of such numbers."""


@dataclass(frozen=True)
class MaskFile:
    """A mask file as it is: ``pixels`` (H, W) of numbers or (H, W, 3) of uint8, and what belongs to them."""

    pixels: Array
    palette: Array | None = None
    """(n, 3) of uint8: the colours of the numbers."""
    alpha: Array | None = None
    """(H, W) of uint8: 255 is opaque."""

    def read_as(self, reading: Reading) -> Array:
        """The mask in one reading; a file without a palette or alpha is the same in several."""
        if reading == "alpha" and self.alpha is not None:
            return self.alpha
        if reading == "stored" or (self.palette is None and reading == "colours"):
            return self.pixels
        colours = self.pixels if self.palette is None else _grey_if_grey(self.palette[self.pixels])
        if reading == "visible" and self.alpha is not None:
            shown = self.alpha >= 128
            return _grey_if_grey(colours * (shown if colours.ndim == 2 else shown[..., None]))
        return colours


def read_mask(path: Path, reading: Reading = "stored") -> Array:
    """Read a mask: (H, W) of numbers, or (H, W, 3) of uint8 for colours.

    Numbers are as the file has them, signed ones and fractions too; whole numbers of a float file become integers.
    Raises: InputError if the file cannot be read as one mask.
    """
    return open_mask(path).read_as(reading)


def read_region(path: Path) -> Array:
    """Read a black and white mask of a region: (H, W) of bool, bright inside."""
    raw = read_mask(path, "colours")
    if raw.ndim == 3:
        raise InputError(f"{path} marks no field of view in black and white: save it as 0 outside, 255 inside")
    inside: Array = raw > raw.max(initial=0) / 2
    return inside


def open_mask(path: Path) -> MaskFile:
    """Read a mask file with all that it holds.

    Raises: InputError if the file cannot be read as one mask.
    """
    with told_errors(path), path.open("rb") as file:  # not by its name, see images.read_image
        try:
            picture = Image.open(file)
        except UnidentifiedImageError:
            if path.suffix.lower() not in images.TIFF_SUFFIXES:
                raise
            return MaskFile(_whole_numbers(_decode_tiff(path), path))
        if isinstance(picture, TiffImageFile) and not _is_plain(picture):
            return MaskFile(_whole_numbers(_decode_tiff(path), path))
        return _open_indexed(picture, path) if picture.mode == "P" else _open_picture(picture, path)


def _is_plain(picture: TiffImageFile) -> bool:
    """Whether Pillow reads the numbers of a TIFF as they are: no signed ones, none of more than 16 bits."""
    bits, kinds = picture.tag_v2.get(258, (1,)), picture.tag_v2.get(339, (_UNSIGNED,))
    return len(bits) > 1 or (kinds[0] == _UNSIGNED and bits[0] <= 16)


def _decode_tiff(path: Path) -> Array:
    with tifffile.TiffFile(path) as tiff:
        if len(tiff.pages) != 1:
            raise InputError(f"{path} holds {len(tiff.pages)} pages: save each page as a file of its own")
        page = tiff.pages[0]
        images._refuse_oversize(path, page.imagelength, page.imagewidth)
        try:
            array: Array = np.squeeze(page.asarray())
        except Exception as error:
            if obstacle := images.compression_obstacle(page, error):
                raise InputError(f"{path} {obstacle}") from None
            raise
    if array.ndim != 2:
        raise InputError(f"{path} has {array.dtype} pixels of the shape {array.shape}: save it as grey or RGB")
    return ~array if page.photometric == images.WHITE_IS_ZERO and array.dtype.kind == "u" else array


def _whole_numbers(array: Array, path: Path) -> Array:
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype.kind != "f":
        return array
    if not np.isfinite(array).all():
        raise InputError(f"{path} holds values that are not finite numbers: replace them and save it again")
    return array.astype(np.int32) if np.array_equal(array, np.round(array)) else array


def _open_indexed(picture: ImageFile.ImageFile, path: Path) -> MaskFile:
    images._refuse_oversize(path, picture.height, picture.width)
    if getattr(picture, "n_frames", 1) > 1:
        raise InputError(f"{path} holds {picture.n_frames} pages: save each page as a file of its own")  # type: ignore[attr-defined]
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
    array = _whole_numbers(images._pixels(picture, path, palette_as_colour=False), path)
    if array.ndim == 2:
        return MaskFile(array)
    channels = array.shape[2]
    opacity = array[..., -1] if mode in ("LA", "RGBA") and channels in (2, 4) else None
    return MaskFile(
        _eight_bits(_grey_if_grey(array[..., : 1 if channels <= 2 else 3])),
        alpha=None if opacity is None else opacity if opacity.dtype == np.uint8 else (opacity >> 8).astype(np.uint8),
    )


def _eight_bits(array: Array) -> Array:
    """Colours of 16 bits as the same colours of 8; numbers stay what they are."""
    return (array >> 8).astype(np.uint8) if array.ndim == 3 and array.dtype == np.uint16 else array


def _grey_if_grey(array: Array) -> Array:
    """Colours (H, W, C) as numbers (H, W) where all of them are grey."""
    return array[..., 0] if array.ndim == 3 and (array == array[..., :1]).all() else array
