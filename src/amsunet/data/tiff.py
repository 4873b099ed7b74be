"""Interpret a page of a TIFF: its channels, and the meaning of its values."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from amsunet.data.orientation import orientation_of_page, upright
from amsunet.errors import InputError
from amsunet.optional import install_command
from amsunet.wording import setting

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
_FURTHEST = 1 << 62
"""A place in a file that can be asked for, if not found."""
_CHANNELS_REMEDY = "save it as grey or RGB"


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


def channel_obstacle(page: Any) -> str | None:
    """Describe channels that are not those of a grey or colour image, for a mask.

    A channel is transparency only if the file marks it so. Three channels stored side by side are taken as colours.

    Args:
        page: The page of the mask.

    Returns:
        The end of a sentence after "FILE", with advice; None if the channels can be read.
    """
    if volume := _volume(page):
        return volume
    if not holds_channels(page) or is_filled_up(page):
        return None
    count = page.samplesperpixel
    reason = ", none of them marked as transparency" if _beyond(page) == 1 else ", where masks have one or three"
    return f"has {count} channels{reason}: {_CHANNELS_REMEDY}"


def image_obstacle(page: Any) -> str | None:
    """Describe what keeps the channels of an image from being read.

    Args:
        page: The page of the image, or of one of its channels.

    Returns:
        The end of a sentence after "FILE", with advice; None if they can be read.
    """
    if volume := _volume(page):
        return volume
    if not holds_channels(page) or len(page.extrasamples) >= _beyond(page):
        return None
    return (
        f"has {page.samplesperpixel} channels and does not say what those beyond "
        f"{'grey' if _COLOURS[page.photometric] == 1 else 'the colours'} are: set {setting(axes='YXC')} if all are "
        f"channels, {setting(axes='YXS')} if the last is transparency"
    )


def _volume(page: Any) -> str | None:
    if page.axes in ("YX", "YXS", "SYX"):
        return None
    return f"holds a volume ({page.axes}): save each slice as a file of its own"


def holds_channels(page: Any) -> bool:
    """Whether a page holds channels that are neither grey, colours nor transparency.

    A channel is transparency only if the file marks it so. Three channels stored side by side are taken as colours; so
    are four of which the last has one value everywhere, as some programs write colours.
    """
    beyond, colours = _beyond(page), _COLOURS.get(page.photometric)
    side_by_side = page.samplesperpixel == 3 and page.axes == "YXS"
    if beyond <= 0 or side_by_side or (beyond == 1 and _has_alpha(page)):
        return False
    return not (colours == 3 and is_filled_up(page))


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


def _colours_of(page: Any) -> str:
    return "CMYK" if page.photometric == CMYK else str(getattr(page.photometric, "name", page.photometric))


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
        raise InputError(f"{path} stores its colours as {_colours_of(page)}: save it as grey or RGB")
    pixels: Pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.moveaxis(pixels, 0, 2)
    if page.photometric == PALETTE and palette_as_colour:
        pixels = (np.moveaxis(page.colormap, 0, 1)[pixels] >> 8).astype(np.uint8)
    if _beyond(page) == 1 and not _has_alpha(page):
        pixels = pixels[..., :-1]
    return upright(black_as_zero(pixels, page, path), orientation_of_page(page))


def unpacked_channels(pages: Sequence[Any], path: Path, samples: str = "") -> Pixels:
    """Read the channels of an image, whichever way they are stored.

    Args:
        pages: The only page, or one for each channel.
        path: Their file, for the error.
        samples: ``C`` if all samples of a page are channels, ``S`` if they are colours with transparency; empty for
            what the file says, which marks transparency.

    Returns:
        Upright pixels, (H, W, C), without transparency.

    Raises:
        InputError: If the colours are not grey or RGB.
        Exception: Any error of tifffile, if it cannot read a page.
    """
    first = pages[0]
    if not becomes_rgb(first):
        raise InputError(f"{path} stores its channels as {_colours_of(first)}: save them as grey")
    pixels = np.stack([page.asarray() for page in pages], axis=-1) if len(pages) > 1 else first.asarray()
    pixels = pixels[..., None] if pixels.ndim == 2 else np.moveaxis(pixels, 0, 2) if first.axes == "SYX" else pixels
    if len(pages) == 1:
        pixels = pixels[..., kept_samples(first, samples)]
    return upright(black_as_zero(pixels, first, path), orientation_of_page(first))


def kept_samples(page: Any, samples: str = "") -> list[int]:
    """The samples of a page that are not transparency.

    Args:
        page: The page.
        samples: As for ``unpacked_channels``.
    """
    count = page.samplesperpixel
    if samples == "S":
        return [*range(1 if count < 3 else 3)]
    colours = _COLOURS.get(page.photometric, count) if samples != "C" else count
    return [at for at in range(count) if at < colours or page.extrasamples[at - colours] not in _ALPHA]


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
