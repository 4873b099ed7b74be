"""Read and write image files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.atomic_io import atomic_write
from amsunet.data import tiff
from amsunet.errors import InputError
from amsunet.optional import require
from amsunet.process_state import Borrowed, quiet

Array = npt.NDArray[Any]

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf"})
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"}
MAXIMUM_PIXELS = 500_000_000
"""Pixels of the largest image that is read as a whole."""
_ORIENTATION = 0x0112
"""Tag of EXIF for the orientation."""


def _limit(pixels: int | None) -> None:
    Image.MAX_IMAGE_PIXELS = pixels


# The size is checked against MAXIMUM_PIXELS before a pixel is decoded, with an error that advises what to do. Pillow's
# own limit can only be lifted globally; it is restored after each file.
_ANY_SIZE = Borrowed(lambda: Image.MAX_IMAGE_PIXELS, _limit, None)


@contextmanager
def reading() -> Iterator[None]:
    """Lift Pillow's size limit and silence tifffile's logger; a broken file is reported once, by an InputError."""
    with _ANY_SIZE(), quiet("tifffile", level=logging.CRITICAL):
        yield


def is_image(path: Path) -> bool:
    """Whether a file is an image of a format that is read, by its name; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def count_pixels(path: Path) -> int:
    """Number of pixels of an image, from its header alone; ``MAXIMUM_PIXELS`` if the header cannot be read."""
    try:
        with reading(), Image.open(path) as picture:
            return picture.width * picture.height
    except Exception:  # decoders raise anything; read_image reports the reason
        return MAXIMUM_PIXELS


def orientation_of(path: Path) -> int:
    """The orientation of a stored image by EXIF: 1 is upright, from 5 on it lies on its side."""
    with suppress(Exception), reading():  # decoders raise anything; read_image reports the reason
        if path.suffix.lower() in TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as file:
                return tiff.orientation(tiff.only_page(file, path))
        with Image.open(path) as picture:
            return int(Image.Image.getexif(picture).get(_ORIENTATION, 1))  # that of PNG would read all pixels
    return 1


def read_image(path: Path) -> Array:
    """Read an image, upright, without its alpha channel.

    Args:
        path: An image file with one page.

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
    with read_errors(path):
        array = _decode(path, palette_as_colour=palette_as_colour)
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"its pixels have the shape {array.shape}")
        return array


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn any error of a decoder within into an InputError.

    Args:
        path: The file that is read.

    Raises:
        InputError: If it is missing, empty, damaged or no image; the message names it.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): copy it again from where it came")
        with reading():
            yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path") from None
    except PermissionError:
        raise InputError(f"{path} may not be read: change its permissions") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not an image, despite its suffix: remove it or save it again") from None
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # A damaged file makes decoders raise anything: struct.error, TypeError, IndexError, ...
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is damaged ({reason}): copy it again from where it came") from error


def _decode(path: Path, *, palette_as_colour: bool) -> Array:
    # An open file, not its path: Pillow scrambles turned TIFFs when it maps them into memory.
    with path.open("rb") as file:
        try:
            picture = Image.open(file)
        except UnidentifiedImageError:
            # Pillow cannot open every TIFF.
            if path.suffix.lower() in TIFF_SUFFIXES:
                return decode_tiff(path, palette_as_colour=palette_as_colour)
            raise
        return decode_picture(picture, path, palette_as_colour=palette_as_colour)


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
    refuse_oversize(path, picture.height, picture.width)
    if isinstance(picture, TiffImageFile):
        return decode_tiff(path, picture, palette_as_colour=palette_as_colour)
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a photograph with its preview
        raise InputError(f"{path} holds {frames} pages: save each page as a file of its own")
    if isinstance(picture, PngImageFile) and "RGB" in picture.mode and (kind := _wide_kind(picture)):
        pixels = _wide_grey(picture) if "LA" in kind else _wide_colours(path, picture.mode)
        return tiff.upright(pixels, picture.getexif().get(_ORIENTATION, 1))
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
    with tifffile.TiffFile(path) as file:
        page = tiff.only_page(file, path)
        refuse_oversize(path, page.imagelength, page.imagewidth)
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


def refuse_oversize(path: Path, height: int, width: int) -> None:
    """Refuse an image that is too large to be read as a whole.

    Args:
        path: The file, for the error.
        height: In pixels.
        width: In pixels.

    Raises:
        InputError: If it has more than ``MAXIMUM_PIXELS``.
    """
    if height * width > MAXIMUM_PIXELS:
        raise InputError(
            f"{path} has {width} x {height} pixels, more than the {MAXIMUM_PIXELS // 10**6} million that are read "
            "at once: cut it into tiles, or to predict it as it is, save it as a tiled TIFF"
        )
