"""Read and write image files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.atomic_io import atomic_write
from amsunet.choices import MOST_CHANNELS
from amsunet.data import tiff, tiff_pages
from amsunet.data.channel_files import split_channels
from amsunet.data.containers import find_address
from amsunet.data.image_file import ORIENTATION, is_tiff, open_picture, open_tiff, read_errors
from amsunet.data.image_header import claim_of_page, refuse_claim
from amsunet.data.missing_rows import refuse_missing_rows
from amsunet.data.orientation import upright
from amsunet.errors import InputError
from amsunet.optional import require
from amsunet.regular_file import read_regular

Array = npt.NDArray[Any]
_EIGHT_BITS, _SIXTEEN_BITS = 255, 65535
_SHADES = 16
"""Levels of transparency, from more of which on it is a picture and no shape."""


def read_image(path: Path) -> Array:
    """Read an image, upright, without its alpha channel.

    Args:
        path: An image file with one page, the address of an image in a file of several, see ``containers``, or of the
            files of its channels, see ``channel_files``.

    Returns:
        (H, W, 1) for grey, (H, W, 3) for colour, (H, W, C) for C channels; uint8, uint16 or float32, see
        ``as_supported``.

    Raises:
        InputError: If the file cannot be read as one image.
    """
    if parts := split_channels(path):
        return _joined([read_image(part) for part in parts.values()], [*parts.values()])
    array = _read(path)
    return as_supported(array[..., None] if array.ndim == 2 else array, str(path))


def _joined(channels: Sequence[Array], paths: Sequence[Path]) -> Array:
    """The channels of an image, each (H, W, 1) or grey stored as colours, in one array."""
    first = channels[0]
    for channel, path in zip(channels, paths, strict=True):
        if channel.shape[2] > 1 and not (channel == channel[..., :1]).all():
            raise InputError(f"{path} is one channel of an image, and has {channel.shape[2]}: save it as grey")
        if (channel.shape[:2], channel.dtype) != (first.shape[:2], first.dtype):
            sizes = " and ".join(f"{one.shape[1]} x {one.shape[0]} pixels of {one.dtype}" for one in (first, channel))
            raise InputError(
                f"{paths[0]} and {path} are channels of one image, and differ ({sizes}): save both alike",
                code="channels",
            )
    return np.concatenate([channel[..., :1] for channel in channels], axis=2)


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


def _read(path: Path) -> Array:
    address = find_address(path)
    with read_errors(path):
        array = _decode(path) if address is None else address.reader.read(*address)
        if array.ndim not in (2, 3) or array.size == 0:
            raise ValueError(f"its pixels have the shape {array.shape}")
        return array


def _decode(path: Path) -> Array:
    try:
        with open_picture(path) as picture:
            array = decode_picture(picture, path, as_image=True)
            return array if isinstance(picture, TiffImageFile) else _without_alpha(array, path)
    except UnidentifiedImageError:
        if not is_tiff(path):
            raise
    return decode_tiff(path, as_image=True)  # Pillow cannot open every TIFF


def decode_picture(picture: ImageFile.ImageFile, path: Path, *, as_image: bool) -> Array:
    """Decode an opened picture.

    Args:
        picture: As Pillow opened it.
        path: Its file.
        as_image: Convert an indexed picture to its colours, and read channels of any number from a TIFF, without its
            alpha; otherwise, for a mask, indices are returned.

    Returns:
        Upright pixels, (H, W) or (H, W, C), with alpha if the file has it.

    Raises:
        InputError: If it is too large, has several pages, or has channels that are not read.
    """
    if isinstance(picture, TiffImageFile):
        return decode_tiff(path, picture, as_image=as_image)
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":  # a photograph with its preview
        raise InputError(f"{path} holds {frames} pages: save each page as a file of its own")
    if isinstance(picture, PngImageFile) and "RGB" in picture.mode and (kind := _wide_kind(picture)):
        pixels = _wide_grey(picture) if "LA" in kind else _wide_colours(path, picture.mode)
        return upright(pixels, picture.getexif().get(ORIENTATION, 1))
    if picture.format == "PPM" and picture.mode == "RGB" and _white_of_ppm(picture) > _EIGHT_BITS:
        return _wide_ppm(picture, path)
    picture.load()
    refuse_missing_rows(path, picture)
    array = _by_pillow(picture, palette_as_colour=as_image)
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


def _white_of_ppm(picture: ImageFile.ImageFile) -> int:
    args = picture.tile[0].args
    return int(args[-1]) if isinstance(args, tuple) and isinstance(args[-1], int) else _EIGHT_BITS


def _wide_ppm(picture: ImageFile.ImageFile, path: Path) -> Array:
    """Colours of more than 8 bits, of which Pillow keeps only the high ones; white as in its 16-bit grey images."""
    tile, shape = picture.tile[0], (picture.height, picture.width, 3)
    stored = read_regular(path)[tile.offset :]
    plain = tile.codec_name == "ppm_plain"
    values = np.array(stored.split(), np.uint16) if plain else np.frombuffer(stored, ">u2", math.prod(shape))
    return np.round(values.reshape(shape) / _white_of_ppm(picture) * _SIXTEEN_BITS).astype(np.uint16)


def decode_tiff(path: Path, picture: TiffImageFile | None = None, *, as_image: bool = False) -> Array:
    """Decode a TIFF, by Pillow if that keeps all of its values, else by tifffile.

    Args:
        path: The file.
        picture: As Pillow opened it; None if Pillow cannot.
        as_image: As for ``decode_picture``.

    Returns:
        Upright pixels of the file's type, (H, W) or (H, W, C).

    Raises:
        InputError: If it has several pages, channels that are not read, or an unsupported compression.
    """
    with open_tiff(path) as file:
        pages = tiff_pages.only_image(file, path) if as_image else [tiff_pages.only_page(file, path)]
        if len(pages) > 1 or (as_image and tiff.holds_channels(pages[0])):
            return decode_channels(pages, path)
        page = pages[0]
        refuse_claim(path, claim_of_page(page))
        if obstacle := tiff.image_obstacle(page) if as_image else tiff.channel_obstacle(page):
            raise InputError(f"{path} {obstacle}", code="channels")
        with _compression_errors(path, page):
            array = _decode_page(page, path, picture, palette_as_colour=as_image)
        return _without_alpha(array, path) if as_image else array


def _without_alpha(array: Array, path: Path) -> Array:
    """An image without its transparency, if it has any.

    Raises:
        InputError: If that would leave nothing: a drawing in shades of transparency, of one colour.
    """
    if array.ndim == 2 or array.shape[2] not in (2, 4):
        return array
    colours, alpha = array[..., :-1], array[..., -1]
    if (colours == colours[0, 0]).all() and len(np.unique(alpha)) > _SHADES:
        raise InputError(
            f"{path} has one colour everywhere, and its picture in its transparency, which is left out: save it "
            "without transparency"
        )
    return colours


def _decode_page(page: Any, path: Path, picture: TiffImageFile | None, *, palette_as_colour: bool) -> Array:
    if picture is not None:
        picture.seek(page.index)
        if tiff.keeps_all(page, len(picture.getbands())):
            array = tiff.with_sign(_by_pillow(picture, palette_as_colour=palette_as_colour), page)
            if tiff.is_truth(page):
                return np.invert(array)
            # Up to 8 bits, Pillow has inverted the values already.
            return tiff.black_as_zero(array, page, path) if page.bitspersample > 8 else array
    return tiff.unpacked(page, path, palette_as_colour=palette_as_colour)


def decode_channels(pages: Sequence[Any], path: Path, samples: str = "") -> Array:
    """Decode the channels of an image in a TIFF.

    Args:
        pages: The only page, or one for each channel, of the opened file.
        path: The file.
        samples: As for ``tiff.unpacked_channels``.

    Returns:
        Upright pixels of the file's type, (H, W, C).

    Raises:
        InputError: If they do not fit into memory, cannot be read or have an unsupported compression.
    """
    for page in pages:
        claim = claim_of_page(page)
        refuse_claim(path, replace(claim, memory=claim.memory * len(pages)))
        if obstacle := None if samples else tiff.image_obstacle(page):
            raise InputError(f"{path} {obstacle}", code="channels")
    if pages[0].samplesperpixel > MOST_CHANNELS:
        count = pages[0].samplesperpixel
        raise InputError(f"{path} holds {count} channels, more than {MOST_CHANNELS}: save those that are needed")
    with _compression_errors(path, pages[0]):
        return tiff.unpacked_channels(pages, path, samples)


@contextmanager
def _compression_errors(path: Path, page: Any) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if obstacle := tiff.compression_obstacle(page, error):
            raise InputError(f"{path} {obstacle}") from None
        raise
