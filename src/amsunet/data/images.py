"""Read and write image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.atomic_io import atomic_write
from amsunet.data import tiff
from amsunet.data.containers import find_address
from amsunet.data.image_file import ORIENTATION, is_tiff, open_picture, open_tiff, read_errors
from amsunet.data.image_header import claim_of_page, refuse_claim
from amsunet.data.missing_rows import refuse_missing_rows
from amsunet.errors import InputError
from amsunet.optional import require

Array = npt.NDArray[Any]


def read_image(path: Path) -> Array:
    """Read an image, upright, without its alpha channel.

    Args:
        path: An image file with one page, or the address of an image in a file of several, see ``containers``.

    Returns:
        (H, W, 1) for grey and (H, W, 3) for colour; uint8, uint16 or float32, see ``as_supported``.

    Raises:
        InputError: If the file cannot be read as one image.
    """
    array = _read(path, palette_as_colour=True)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] in (2, 4):
        array = array[..., :-1]
    return as_supported(array, str(path))


def as_supported(array: Array, name: str) -> Array:
    """Convert an image to a supported type.

    Args:
        array: The values of an image, of any shape.
        name: The file's name, for the error.

    Returns:
        uint8 and uint16 as they are; truth values as uint8, 0 and 255; signed and longer types as float32, which holds
        integers of up to 24 bits exactly.

    Raises:
        InputError: If the values are not finite real numbers.
    """
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype in (np.uint8, np.uint16):
        return array
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} holds {array.dtype} values: save it as grey or RGB with real numbers")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds values that are not finite numbers: replace them and save it again")
    return array


def write_image(path: Path, array: Array) -> None:
    """Write an image atomically: on an error the old file, or none, stays.

    Args:
        path: The file; its suffix gives the format.
        array: (H, W) or (H, W, 3) of uint8, or (H, W) of uint16.
    """
    # Not durable: masks are many, and each is made again within a moment if power fails.
    with atomic_write(path, durable=False) as temporary:
        # Pillow's default level takes four times as long for a colour PNG, to save a seventh of its size.
        Image.fromarray(np.ascontiguousarray(array)).save(temporary, compress_level=1 if array.ndim == 3 else 6)


def _read(path: Path, *, palette_as_colour: bool) -> Array:
    address = find_address(path)
    with read_errors(path):
        if address is not None:
            array = address.reader.read(*address)
        else:
            array = _decode(path, palette_as_colour=palette_as_colour)
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"its pixels have the shape {array.shape}")
        return array


def _decode(path: Path, *, palette_as_colour: bool) -> Array:
    try:
        with open_picture(path) as picture:
            return decode_picture(picture, path, palette_as_colour=palette_as_colour)
    except UnidentifiedImageError:
        if not is_tiff(path):
            raise
    return decode_tiff(path, palette_as_colour=palette_as_colour)  # Pillow cannot open every TIFF


def decode_picture(picture: ImageFile.ImageFile, path: Path, *, palette_as_colour: bool) -> Array:
    """Decode an opened picture.

    Args:
        picture: As Pillow opened it.
        path: Its file.
        palette_as_colour: Convert an indexed picture to its colours; otherwise its indices are returned.

    Returns:
        Upright pixels, (H, W) or (H, W, C), with alpha if the file has it.

    Raises:
        InputError: If it is too large, has several pages, or has channels that are not read.
    """
    if isinstance(picture, TiffImageFile):
        return decode_tiff(path, picture, palette_as_colour=palette_as_colour)
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a photograph with its preview
        raise InputError(f"{path} holds {frames} pages: save each page as a file of its own")
    if isinstance(picture, PngImageFile) and "RGB" in picture.mode and (kind := _wide_kind(picture)):
        pixels = _wide_grey(picture) if "LA" in kind else _wide_colours(path, picture.mode)
        return tiff.upright(pixels, picture.getexif().get(ORIENTATION, 1))
    picture.load()
    refuse_missing_rows(path, picture)
    array = _by_pillow(picture, palette_as_colour=palette_as_colour)
    # Pillow opens some 16-bit files in its 32-bit mode "I".
    return array.astype(np.uint16) if array.dtype == np.int32 else array


def _by_pillow(picture: ImageFile.ImageFile, *, palette_as_colour: bool) -> Array:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "P":
        if not palette_as_colour:
            return np.array(upright)
        upright = upright.convert("RGB")
    if upright.mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "RGBa", "La"):
        upright = upright.convert("RGB")
    array = np.array(upright)  # a writable copy
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _wide_kind(picture: PngImageFile) -> str:
    """The raw mode of a PNG with 16 bits a channel, of which Pillow keeps only the high bytes; empty for another."""
    return next((str(tile.args) for tile in picture.tile if "16" in str(tile.args)), "")


def _wide_colours(path: Path, mode: str) -> Array:
    return np.asarray(require("kornia_rs.io").read_image_png_u16(str(path), mode.lower()))


def _wide_grey(picture: PngImageFile) -> Array:
    """Grey with alpha in 16 bits: its four bytes are unpacked as if they were four channels."""
    picture.tile = [tile._replace(args="RGBA") for tile in picture.tile]
    return np.array(picture).view(">u2").astype(np.uint16)


def decode_tiff(path: Path, picture: TiffImageFile | None = None, *, palette_as_colour: bool = False) -> Array:
    """Decode a TIFF, by Pillow if that keeps all of its values, else by tifffile.

    Args:
        path: The file.
        picture: As Pillow opened it; None if Pillow cannot.
        palette_as_colour: Convert an indexed picture to its colours; otherwise its indices are returned.

    Returns:
        Upright pixels of the file's type, (H, W) or (H, W, C).

    Raises:
        InputError: If it has several pages, channels that are not read, or an unsupported compression.
    """
    with open_tiff(path) as file:
        page = tiff.only_page(file, path)
        refuse_claim(path, claim_of_page(page))
        if (obstacle := tiff.channel_obstacle(page)) and not tiff.is_filled_up(page):
            raise InputError(f"{path} {obstacle}", code="channels")
        if picture is not None:
            picture.seek(page.index)
            if tiff.keeps_all(page, len(picture.getbands())):
                array = tiff.with_sign(_by_pillow(picture, palette_as_colour=palette_as_colour), page)
                if tiff.is_truth(page):
                    return np.invert(array)
                # Up to 8 bits, Pillow has inverted the values already.
                return tiff.black_as_zero(array, page, path) if page.bitspersample > 8 else array
        try:
            return tiff.unpacked(page, path, palette_as_colour=palette_as_colour)
        except Exception as error:
            if obstacle := tiff.compression_obstacle(page, error):
                raise InputError(f"{path} {obstacle}") from None
            raise
