"""Interpret the pages of a TIFF: one image or several, its channels, and the meaning of its values."""

from __future__ import annotations

import os
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from amsunet.errors import InputError
from amsunet.optional import install_command

Pixels = npt.NDArray[Any]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
CMYK, YCBCR = 5, 6
"""Values of tag 262, the photometric interpretation."""
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, 8: 3, 9: 3, 10: 3}
"""Channels by photometric interpretation; 8 to 10 are kinds of CIELAB."""
_ALPHA = (1, 2)
"""Values of tag 338 for a channel of transparency."""
_WEBP = 50001
_LOSSLESS = (1, 5, 8, 32773, 32946)
"""Compressions that keep the values."""
_MASK = 4
"""Bit of tag 254 for a page that is the transparency of another one."""
_FEW = 12
"""A page of at most this width may hold channels that were mistaken for columns."""
_FURTHEST = 1 << 62
"""A place in a file that can be asked for, if not found."""
_CHANNELS_REMEDY = "save the channels that are needed as grey or RGB"


def count_pages(file: BinaryIO) -> int:
    """Count the pages of a TIFF, by following the places where each says that the next one begins.

    Args:
        file: The opened file; it is left where it was.

    Raises:
        ValueError: If a page says that an earlier one follows: tifffile would go round for ever.
    """
    head = file.read(16)
    big = head[2:4] in (b"+\0", b"\0+")  # BigTIFF, with longer numbers
    order = "<" if head[:2] == b"II" else ">"
    number, place = struct.Struct(order + ("Q" if big else "H")), struct.Struct(order + ("Q" if big else "I"))
    seen: set[int] = set()
    following = head[8:16] if big else head[4:8]
    while len(following) == place.size and (offset := place.unpack(following)[0]):
        if offset in seen:
            raise ValueError("its pages follow each other in a circle")
        seen.add(offset)
        file.seek(min(offset, _FURTHEST))
        count = file.read(number.size)
        if len(count) < number.size:
            break  # beyond the end of the file
        file.seek(min(number.unpack(count)[0] * (20 if big else 12), _FURTHEST), os.SEEK_CUR)
        following = file.read(place.size)
    file.seek(0)
    return len(seen)


def only_page(tiff: Any, path: Path) -> Any:
    """Find the page of the only image in a TIFF; previews and transparencies do not count.

    Args:
        tiff: The opened file, a ``tifffile.TiffFile``.
        path: Its path, for the error.

    Raises:
        InputError: If there are several images.
    """
    pages = [page for page in tiff.pages if not (page.is_reduced or page.subfiletype & _MASK)] or list(tiff.pages[:1])
    if len(pages) > 1:
        several, code = _several(tiff, pages)
        raise InputError(f"{path} {several}", code=code)
    return pages[0]


def _several(tiff: Any, pages: list[Any]) -> tuple[str, str]:
    """Describe the pages of a file that has several: the end of a sentence, and the error's code."""
    count, page, axes = len(pages), pages[0], tiff.series[0].axes
    each = "save each page as a file of its own"
    if axes[:1] == "C":
        return f"holds {count} channels, a page each: {_CHANNELS_REMEDY}", "channels"
    if page.imagewidth <= _FEW < count and page.samplesperpixel == 1:
        taken = f"{page.imagewidth} channels of one image of {page.imagelength} x {count} pixels"
        wide = f"holds {count} pages, each {page.imagewidth} pixels wide"
        return f"{wide}: if these are {taken}, {_CHANNELS_REMEDY}; else {each}", "channels"
    if count == 3 and page.samplesperpixel == 1:
        return f"holds 3 pages: if these are red, green and blue, save them as RGB; else {each}", ""
    return f"holds {count} pages: {each}", ""


def channel_obstacle(page: Any) -> str | None:
    """Describe channels that are not those of a grey or colour image.

    A channel is transparency only if the file marks it so. Three channels stored side by side are taken as colours.

    Args:
        page: The page of the image.

    Returns:
        The end of a sentence after "FILE", with advice; None if the channels can be read.
    """
    if page.axes not in ("YX", "YXS", "SYX"):
        return f"holds a volume ({page.axes}): save each slice as a file of its own"
    count, beyond = page.samplesperpixel, _beyond(page)
    side_by_side = bool(count == 3 and page.axes == "YXS")
    if beyond <= 0 or side_by_side or (beyond == 1 and _has_alpha(page)):
        return None
    if count == 3:
        return (
            "holds 3 planes: if these are red, green and blue, save them as RGB; else each plane as a file of its own"
        )
    reason = ", none of them marked as transparency" if beyond == 1 else ", where images have one or three"
    return f"has {count} channels{reason}: {_CHANNELS_REMEDY}"


def is_filled_up(page: Any) -> bool:
    """Whether the only surplus channel has one value everywhere, as some programs write it."""
    if _beyond(page) != 1:
        return False
    try:
        pixels = page.asarray()
    except Exception:  # the codec of the compression is missing
        return False
    last = pixels[-1] if page.axes == "SYX" else pixels[..., -1]
    return bool((last == last.flat[0]).all())


def _has_alpha(page: Any) -> bool:
    return any(kind in _ALPHA for kind in page.extrasamples)


def _beyond(page: Any) -> int:
    """The number of channels beyond those of the colours."""
    return int(page.samplesperpixel - _COLOURS.get(page.photometric, page.samplesperpixel))


def keeps_all(page: Any, bands: int) -> bool:
    """Whether Pillow keeps all values of a page.

    It keeps only the high bytes of colours of more than 8 bits, only the first of channels that it does not know, and
    nothing of WebP.

    Args:
        page: The page.
        bands: The number of bands with which Pillow opens it.
    """
    if page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) and page.samplesperpixel > 1 and page.bitspersample > 8:
        return False
    return bool(bands == page.samplesperpixel and page.compression != _WEBP)


def with_sign(array: Pixels, page: Any) -> Pixels:
    """Convert values that Pillow read to the type in the file.

    Pillow reads 8 bits as unsigned, 32 bits as signed, and signed 16 bits as 32 bits.

    Args:
        array: Pixels as Pillow read them.
        page: The page of the file.
    """
    if page.samplesperpixel > 1 or array.dtype.kind not in "iu" or page.dtype.kind not in "iu":
        return array
    stored: np.dtype[Any] = page.dtype
    return array.view(stored) if array.itemsize == stored.itemsize else array.astype(stored)


def black_as_zero(array: Pixels, page: Any, path: Path) -> Pixels:
    """Invert values if zero means white.

    Args:
        array: The pixels of a page.
        page: The page.
        path: Its file, for the error.

    Raises:
        InputError: If the values are fractions, for which the value of black is not defined.
    """
    if page.photometric != WHITE_IS_ZERO:
        return array
    if array.dtype.kind == "f":
        raise InputError(f"{path} stores fractions with white as zero, and black is not defined: invert them")
    if array.dtype.kind == "u":
        black: Pixels = array.dtype.type((1 << page.bitspersample) - 1) - array
        return black
    return np.invert(array)


def is_truth(page: Any) -> bool:
    """Whether a page holds truth values that tifffile wrote: it marks white as zero, which its readers ignore, and true
    is meant to be white.
    """
    bilevel = page.photometric == WHITE_IS_ZERO and page.bitspersample == 1
    return bool(bilevel and page.software.startswith("tifffile"))


def becomes_rgb(page: Any) -> bool:
    """Whether tifffile returns a page as grey or RGB, to which lossy codecs convert YCbCr."""
    if page.photometric == YCBCR:
        return page.compression not in _LOSSLESS
    return page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)


def unpacked(page: Any, path: Path, *, palette_as_colour: bool) -> Pixels:
    """Read the pixels of a page by tifffile.

    Args:
        page: The page.
        path: Its file, for the error.
        palette_as_colour: Convert an indexed page to its colours; otherwise its indices are returned.

    Returns:
        Upright pixels, (H, W) or (H, W, C).

    Raises:
        InputError: If the colours are not grey, indexed or RGB.
        Exception: Any error of tifffile, if it cannot read the page.
    """
    if page.photometric != PALETTE and not becomes_rgb(page):
        name = "CMYK" if page.photometric == CMYK else getattr(page.photometric, "name", page.photometric)
        raise InputError(f"{path} stores its colours as {name}: save it as grey or RGB")
    pixels: Pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    if page.photometric == PALETTE and palette_as_colour:
        pixels = (np.moveaxis(page.colormap, 0, 1)[pixels] >> 8).astype(np.uint8)
    if _beyond(page) == 1 and not _has_alpha(page):
        pixels = pixels[..., :-1]
    return upright(black_as_zero(pixels, page, path), orientation(page))


def orientation(page: Any) -> int:
    """The orientation of a stored page; 1 is upright."""
    tag = page.tags.get(274)
    return int(tag.value) if tag else 1


def upright(array: Pixels, orientation: int) -> Pixels:
    """Turn an image upright.

    Args:
        array: (H, W, ...) as stored.
        orientation: The value of tag 274 of TIFF and EXIF.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def compression_obstacle(page: Any, error: Exception) -> str | None:
    """Describe why a page of a TIFF cannot be unpacked, if its compression is the reason.

    Args:
        page: The page.
        error: What tifffile raised.

    Returns:
        The end of a sentence after "FILE", with advice; None if the reason is another one.
    """
    if not any(words in str(error) for words in ("COMPRESSION", "not supported", "not a valid", "No module named")):
        return None
    name = getattr(page.compression, "name", f"number {page.compression}")
    if isinstance(page.compression, tifffile.COMPRESSION) and find_spec("imagecodecs") is None:
        return f"is compressed as {name}: {install_command('slides')} installs the decoder, or save it with Deflate"
    return f"is compressed as {name}, which cannot be read: save it with Deflate or JPEG compression"
