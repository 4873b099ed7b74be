"""Reading and writing image files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
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
from amsunet.host import Borrowed, quiet
from amsunet.optional import require

Array = npt.NDArray[Any]

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf"})
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"}
MAXIMUM_PIXELS = 500_000_000
BAND = 256
"""Rows of a large image to be worked on at a time."""
_ORIENTATION = 0x0112
"""Tag of EXIF."""


def _limit(pixels: int | None) -> None:
    Image.MAX_IMAGE_PIXELS = pixels


# The size is checked against our own limit before a pixel is decoded, with a sentence that says what to do. Pillow's
# guard, which knows no other way to be passed, is up again after each file.
_ANY_SIZE = Borrowed(lambda: Image.MAX_IMAGE_PIXELS, _limit, None)


@contextmanager
def reading() -> Iterator[None]:
    """Read images of any size within; what is wrong with a file is told once, by us, and not by tifffile's logger."""
    with _ANY_SIZE(), quiet("tifffile", level=logging.CRITICAL):
        yield


def is_image(path: Path) -> bool:
    """Whether the name is that of an image we read, and not of a hidden file."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def count_pixels(path: Path) -> int:
    """Pixels of an image by its header alone; ``MAXIMUM_PIXELS`` where that does not tell."""
    try:
        with reading(), Image.open(path) as picture:
            return picture.width * picture.height
    except Exception:  # as when reading, where it is said what is wrong
        return MAXIMUM_PIXELS


def orientation_of(path: Path) -> int:
    """How an image is stored turned, as EXIF counts it: 1 is upright, more than 4 lies on its side."""
    with suppress(Exception), reading():  # as when reading, where it is said what is wrong
        if path.suffix.lower() in TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as file:
                return tiff.orientation(tiff.only_page(file, path))
        with Image.open(path) as picture:
            return int(Image.Image.getexif(picture).get(_ORIENTATION, 1))  # that of PNG would read all pixels
    return 1


def read_image(path: Path) -> Array:
    """Read an image, upright, without its alpha channel.

    Returns: (H, W, 1) for grey and (H, W, 3) for colour; uint8, uint16 or float32, see ``as_supported``.
    Raises: InputError if the file cannot be read as one image.
    """
    array = _read(path, palette_as_colour=True)
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] in (2, 4):
        array = array[..., :-1]
    return as_supported(array, str(path))


def as_supported(array: Array, name: str) -> Array:
    """An image's values as one of the types that images have here: signed and longer ones become float32, which holds
    whole numbers of 24 bits exactly, and black and white 0 and 255.

    Raises: InputError for what are no finite real numbers.
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
    """Write (H, W) or (H, W, 3) of uint8, or (H, W) of uint16, in the format of the path's suffix, or nothing."""
    with atomic_write(path) as temporary:
        # Pillow's usual effort takes four times as long for a photograph as PNG, and saves a seventh of its size.
        Image.fromarray(np.ascontiguousarray(array)).save(temporary, compress_level=1 if array.ndim == 3 else 6)


def _read(path: Path, *, palette_as_colour: bool) -> Array:
    with read_errors(path):
        array = _decode(path, palette_as_colour=palette_as_colour)
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"its pixels have the shape {array.shape}")
        return array


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Whatever a decoder stumbles over within becomes an InputError that names the file."""
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
        raise InputError(f"{path} is not an image, whatever its name says: remove it or save it again") from None
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # Decoders meet a damaged file with whatever they stumble over: struct.error, TypeError, IndexError, ...
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is damaged ({reason}): copy it again from where it came") from error


def _decode(path: Path, *, palette_as_colour: bool) -> Array:
    # An open file, not its name: Pillow scrambles turned TIFFs when it may map them into memory.
    with path.open("rb") as file:
        try:
            picture = Image.open(file)
        except UnidentifiedImageError:
            # Pillow does not know every TIFF.
            if path.suffix.lower() in TIFF_SUFFIXES:
                return decode_tiff(path, palette_as_colour=palette_as_colour)
            raise
        return decode_picture(picture, path, palette_as_colour=palette_as_colour)


def decode_picture(picture: ImageFile.ImageFile, path: Path, *, palette_as_colour: bool) -> Array:
    """Upright pixels, (H, W) or (H, W, C), with alpha where the file says that it has it."""
    refuse_oversize(path, picture.height, picture.width)
    if isinstance(picture, TiffImageFile):
        return decode_tiff(path, picture, palette_as_colour=palette_as_colour)
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a telephone's photograph with its preview
        raise InputError(f"{path} holds {frames} pages: save each page as a file of its own")
    if isinstance(picture, PngImageFile) and "RGB" in picture.mode and (kind := _wide_kind(picture)):
        pixels = _wide_grey(picture) if "LA" in kind else _wide_colours(path, picture.mode)
        return tiff.upright(pixels, picture.getexif().get(_ORIENTATION, 1))
    array = _by_pillow(picture, palette_as_colour=palette_as_colour)
    # Pillow's mode "I" is how 16-bit files without a mode of their own come.
    return array.astype(np.uint16) if array.dtype == np.int32 else array


def _by_pillow(picture: ImageFile.ImageFile, *, palette_as_colour: bool) -> Array:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "P":
        if not palette_as_colour:
            return np.array(upright)
        upright = upright.convert("RGB")
    if upright.mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "RGBa", "La"):
        upright = upright.convert("RGB")
    array = np.array(upright)  # a copy, which may be written to
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _wide_kind(picture: PngImageFile) -> str:
    """How a colour PNG of 16 bits is packed, of which Pillow keeps the high bytes alone; empty of another."""
    return next((str(tile.args) for tile in picture.tile if "16" in str(tile.args)), "")


def _wide_colours(path: Path, mode: str) -> Array:
    return np.asarray(require("kornia_rs.io", "kornia_rs").read_image_png_u16(str(path), mode.lower()))


def _wide_grey(picture: PngImageFile) -> Array:
    """Grey with alpha: its four bytes are unpacked as if they were four channels."""
    picture.tile = [tile._replace(args="RGBA") for tile in picture.tile]
    return np.array(picture).view(">u2").astype(np.uint16)


def decode_tiff(path: Path, picture: TiffImageFile | None = None, *, palette_as_colour: bool = False) -> Array:
    """Upright pixels with the file's own type, by Pillow where that keeps all of them."""
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
                # Of 8 bits and fewer Pillow has seen to it.
                return tiff.black_as_zero(array, page, path) if page.bitspersample > 8 else array
        try:
            return tiff.unpacked(page, path, palette_as_colour=palette_as_colour)
        except Exception as error:
            if obstacle := compression_obstacle(page, error):
                raise InputError(f"{path} {obstacle}") from None
            raise


def compression_obstacle(page: Any, error: Exception) -> str | None:
    """Why a page of a TIFF cannot be unpacked, if that is for its compression, and what to do: the end of a sentence.

    Args:
        error: what tifffile raised.
    """
    if not any(words in str(error) for words in ("COMPRESSION", "not supported", "not a valid", "No module named")):
        return None
    name = getattr(page.compression, "name", f"number {page.compression}")
    if isinstance(page.compression, tifffile.COMPRESSION) and find_spec("imagecodecs") is None:
        return f'is compressed as {name}: pip install "amsunet[slides]" brings what reads it, or save it with Deflate'
    return f"is compressed as {name}, which cannot be read: save it with Deflate or JPEG compression"


def refuse_oversize(path: Path, height: int, width: int) -> None:
    if height * width > MAXIMUM_PIXELS:
        raise InputError(
            f"{path} claims {width} x {height} pixels, more than the {MAXIMUM_PIXELS // 10**6} million that are read "
            "at once: cut it into tiles, or to predict it as it is, save it as a tiled TIFF"
        )


def look_up(table: Array, pixels: Array) -> Array:
    """``table[pixels]`` for pixels (H, W, ...) of unsigned integers.

    In bands of rows: NumPy makes eight bytes of every index on the way, several times the size of the image.
    """
    out = np.empty((*pixels.shape, *table.shape[1:]), table.dtype)
    for start in range(0, len(pixels), BAND):
        out[start : start + BAND] = table[pixels[start : start + BAND]]
    return out
