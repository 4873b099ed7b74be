"""Reading and writing image files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.errors import InputError
from amsunet.files import whole_file
from amsunet.packages import needed

Array = npt.NDArray[Any]

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf"})
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"}
WHITE_IS_ZERO = 0
"""Of a TIFF, what its tag 262 says of grey."""
MAXIMUM_PIXELS = 500_000_000

# The size is checked against our own limit before a pixel is decoded, with a sentence that says what to do.
Image.MAX_IMAGE_PIXELS = None
# What is wrong with a file is said once, by us.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def is_image(path: Path) -> bool:
    """Whether the name is that of an image we read, and not of a hidden file."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def count_pixels(path: Path) -> int:
    """Pixels of an image by its header alone; ``MAXIMUM_PIXELS`` where that does not tell."""
    try:
        with Image.open(path) as picture:
            return picture.width * picture.height
    except Exception:  # as when reading, where it is said what is wrong
        return MAXIMUM_PIXELS


def read_image(path: Path) -> Array:
    """Read an image, upright, without its alpha channel.

    Returns: (H, W, 1) for grey and (H, W, 3) for colour; uint8, uint16 or float32 as the file has it.
    Raises: InputError if the file cannot be read as one image.
    """
    array = _read(path, palette_as_colour=True)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.ndim == 2:
        array = array[..., None]
    channels = array.shape[2]
    if channels in (2, 4):
        array = array[..., : channels - 1]
    elif channels not in (1, 3):
        raise InputError(f"{path} has {channels} channels: save it as grey or RGB")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path} holds values that are not finite numbers: replace them and save it again")
    return array


def write_image(path: Path, array: Array) -> None:
    """Write (H, W) or (H, W, 3) of uint8, or (H, W) of uint16, in the format of the path's suffix, or nothing."""
    with whole_file(path) as temporary:
        # Pillow's usual effort takes four times as long for a photograph as PNG, and saves a seventh of its size.
        Image.fromarray(np.ascontiguousarray(array)).save(temporary, compress_level=1 if array.ndim == 3 else 6)


def _read(path: Path, *, palette_as_colour: bool) -> Array:
    with told_errors(path):
        array = _decode(path, palette_as_colour=palette_as_colour)
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"its pixels have the shape {array.shape}")
        return array


@contextmanager
def told_errors(path: Path) -> Iterator[None]:
    """Whatever a decoder stumbles over within becomes an InputError that names the file."""
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes): copy it again from where it came")
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
                return _decode_tiff(path)
            raise
        return _pixels(picture, path, palette_as_colour=palette_as_colour)


def _pixels(picture: ImageFile.ImageFile, path: Path, *, palette_as_colour: bool) -> Array:
    _refuse_oversize(path, picture.height, picture.width)
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a telephone's photograph with its preview
        raise InputError(f"{path} holds {frames} pages: save each page as a file of its own")
    if "RGB" in picture.mode and (_bits(picture) > 8 or picture.info.get("compression") == "webp"):
        # Of the first, Pillow keeps the high bytes alone; of the second, in a TIFF, nothing.
        return _decode_tiff(path) if isinstance(picture, TiffImageFile) else _decode_wide_png(path, picture.mode)
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "P":
        if not palette_as_colour:
            return np.array(upright)
        upright = upright.convert("RGB")
    if upright.mode in ("CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "RGBa", "La"):
        upright = upright.convert("RGB")
    array = np.array(upright)  # a copy, which may be written to
    if array.dtype == np.int32:
        # Pillow's mode "I" is how 16-bit files without a mode of their own come.
        if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint16).max):
            raise InputError(f"{path} has more than 16 bits a pixel: save it with 8 or 16")
        array = array.astype(np.uint16)
    if array.dtype.kind == "u" and array.itemsize == 2 and _is_white_zero(picture):
        array = ~array  # of 8 bits Pillow has done so
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _is_white_zero(picture: ImageFile.ImageFile) -> bool:
    return isinstance(picture, TiffImageFile) and picture.tag_v2.get(262) == WHITE_IS_ZERO


def _bits(picture: ImageFile.ImageFile) -> int:
    """Bits of one channel, as far as they matter here: of colour PNG and TIFF."""
    if isinstance(picture, TiffImageFile):
        return int(picture.tag_v2[258][0])
    return 16 if isinstance(picture, PngImageFile) and any("16" in str(tile.args) for tile in picture.tile) else 8


def _decode_wide_png(path: Path, mode: str) -> Array:
    return np.asarray(needed("kornia_rs.io", "kornia_rs").read_image_png_u16(str(path), mode.lower()))


def _decode_tiff(path: Path) -> Array:
    with tifffile.TiffFile(path) as tiff:
        if len(tiff.pages) != 1:
            raise InputError(f"{path} holds {len(tiff.pages)} pages: save each page as a file of its own")
        page = tiff.pages[0]
        _refuse_oversize(path, page.imagelength, page.imagewidth)
        try:
            array: Array = page.asarray()
        except Exception as error:
            if obstacle := compression_obstacle(page, error):
                raise InputError(f"{path} {obstacle}") from None
            raise
        if page.axes == "SYX":
            array = np.moveaxis(array, 0, 2)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{path} stores {array.dtype} pixels: save it with 8 or 16 bits")
    return ~array if page.photometric == WHITE_IS_ZERO and array.dtype.kind == "u" else array


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


def _refuse_oversize(path: Path, height: int, width: int) -> None:
    if height * width > MAXIMUM_PIXELS:
        raise InputError(
            f"{path} claims {width} x {height} pixels, more than the {MAXIMUM_PIXELS // 10**6} million that are read "
            "at once: cut it into tiles, or to predict it as it is, save it as a tiled TIFF"
        )
