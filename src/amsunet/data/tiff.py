"""What the pages of a TIFF are: one image or several, its channels, and how its numbers are to be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amsunet.errors import InputError

Pixels = npt.NDArray[Any]

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
CMYK, YCBCR = 5, 6
"""What tag 262 says of the numbers."""
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, 8: 3, 9: 3, 10: 3}
"""Channels of each kind, those of CMYK and three kinds of CIELAB among them."""
_ALPHA = (1, 2)
"""What tag 338 says of a channel that is transparency."""
_WEBP = 50001
_LOSSLESS = (1, 5, 8, 32773, 32946)
"""Compressions that leave the numbers as they are."""
_MASK = 4
"""Bit of tag 254: the page is the transparency of another one."""
_FEW = 12
"""Pixels that a page may be wide and be channels that were taken for pixels."""
_CHANNELS_REMEDY = "save the channels that are needed as grey or RGB"


def only_page(tiff: Any, path: Path) -> Any:
    """The page of the one image in a TIFF; previews and transparencies beside it do not count.

    Raises: InputError if there are several images.
    """
    pages = [page for page in tiff.pages if not (page.is_reduced or page.subfiletype & _MASK)] or list(tiff.pages[:1])
    if len(pages) > 1:
        several, code = _several(tiff, pages)
        raise InputError(f"{path} {several}", code=code)
    return pages[0]


def _several(tiff: Any, pages: list[Any]) -> tuple[str, str]:
    """What is wrong with several pages: the end of a sentence, and the error's code."""
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
    """Why the channels of a page are not those of a grey or colour image, and what to do: the end of a sentence; None
    if they are.

    A channel is transparency only where the file says so. Three channels side by side are taken as they are.
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
    said = ", and does not say that one of them is transparency" if beyond == 1 else ", where images have one or three"
    return f"has {count} channels{said}: {_CHANNELS_REMEDY}"


def is_filled_up(page: Any) -> bool:
    """Whether the one channel too many has the same value everywhere, as some programs write it for nothing."""
    if _beyond(page) != 1:
        return False
    try:
        pixels = page.asarray()
    except Exception:  # a compression without its codec: then it is not known
        return False
    last = pixels[-1] if page.axes == "SYX" else pixels[..., -1]
    return bool((last == last.flat[0]).all())


def _has_alpha(page: Any) -> bool:
    return any(kind in _ALPHA for kind in page.extrasamples)


def _beyond(page: Any) -> int:
    """How many channels a page has beside those of its colours."""
    return int(page.samplesperpixel - _COLOURS.get(page.photometric, page.samplesperpixel))


def keeps_all(page: Any, bands: int) -> bool:
    """Whether Pillow, which opens the page with so many bands, keeps all of it.

    Of colours of more than 8 bits it keeps the high bytes alone, of WebP nothing, of channels that it does not know
    the first.
    """
    if page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) and page.samplesperpixel > 1 and page.bitspersample > 8:
        return False
    return bool(bands == page.samplesperpixel and page.compression != _WEBP)


def with_sign(array: Pixels, page: Any) -> Pixels:
    """Numbers as the file has them: Pillow reads 8 bits as unsigned, 32 bits as signed, and signed 16 as 32 bits."""
    if page.samplesperpixel > 1 or array.dtype.kind not in "iu" or page.dtype.kind not in "iu":
        return array
    own: np.dtype[Any] = page.dtype
    return array.view(own) if array.itemsize == own.itemsize else array.astype(own)


def black_as_zero(array: Pixels, page: Any, path: Path) -> Pixels:
    """Turn numbers of which zero is white over.

    Raises: InputError for fractions, of which it is not known what is black.
    """
    if page.photometric != WHITE_IS_ZERO:
        return array
    if array.dtype.kind == "f":
        raise InputError(f"{path} stores fractions with white as zero and does not say what is black: turn them over")
    if array.dtype.kind == "u":
        black: Pixels = array.dtype.type((1 << page.bitspersample) - 1) - array
        return black
    return np.invert(array)


def is_truth(page: Any) -> bool:
    """Whether a page is an array of truth values that tifffile wrote: it says that white is zero, which its own readers
    pass over, and true is meant to be white.
    """
    bilevel = page.photometric == WHITE_IS_ZERO and page.bitspersample == 1
    return bool(bilevel and page.software.startswith("tifffile"))


def becomes_rgb(page: Any) -> bool:
    """Whether tifffile gives a page as grey or RGB, which codecs of photographs make of YCbCr."""
    if page.photometric == YCBCR:
        return page.compression not in _LOSSLESS
    return page.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)


def unpacked(page: Any, path: Path, *, palette_as_colour: bool) -> Pixels:
    """The pixels of a page as tifffile reads them, upright, (H, W) or (H, W, C).

    Raises: InputError for colours of another kind than RGB; whatever tifffile raises if it cannot read them.
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
    """How a page is stored turned; 1 is upright."""
    tag = page.tags.get(274)
    return int(tag.value) if tag else 1


def upright(array: Pixels, orientation: int) -> Pixels:
    """Turn (H, W, ...) as tag 274 of TIFF and EXIF says."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
