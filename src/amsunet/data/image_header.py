"""What the header of an image file claims, and whether that can be true and fits into memory: asked before decoding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from amsunet.errors import InputError
from amsunet.memory import free_memory

MAXIMUM_PIXELS = 500_000_000
"""Pixels of the largest image that is read as a whole."""
NO_MEMORY = "memory"
"""The code of the error about an image for which memory does not suffice."""
DEFLATE, _LZW, _PACKBITS, _JPEG = 1032, 4096 * 8 // 12, 128 // 2, 1024
"""Most bytes of pixels that a byte can stand for: 258 in two bits; the longest string of LZW in twelve bits; a run in
two bytes; a block of 64 pixels of JPEG in one bit, twice that where no channel has them all.
"""
_OF_TIFF = {1: 1, 5: _LZW, 6: _JPEG, 7: _JPEG, 8: DEFLATE, 32946: DEFLATE, 32773: _PACKBITS}
"""By the value of tag 259; others have no bound, as those of fax, which says any number of white rows in a few bits."""
_OF_FORMAT = {"PNG": DEFLATE, "GIF": _LZW, "JPEG": _JPEG, "MPO": _JPEG, "PPM": 1}
_BITS = {"1": 1, "I": 16, "F": 32, "LA": 16, "RGB": 24, "YCbCr": 24, "RGBA": 32, "CMYK": 32}
"""Least bits a pixel that a file holds for each mode of Pillow, where they are not eight."""
_IN_PILLOW = {**dict.fromkeys(("I;16", "I;16B", "I;16L"), 2), **dict.fromkeys(("1", "L", "P"), 1)}
"""Bytes a pixel in Pillow's memory, where they are not four."""
_COPIES, _COPIES_OF_WEBP = 4, 7
"""Times that decoding takes what the pixels take in Pillow's memory, as measured: for pieces and conversions."""
_YCBCR = 6
"""Value of tag 262 for brightness and two differences of colour, which may be stored for every other pixel."""
NEVER_MANY = 16_000_000
"""Bytes of pixels that any file may claim; rows that are missing are found when it is read."""


@dataclass(frozen=True)
class Claim:
    """What a header says of the pixels."""

    height: int
    width: int
    bits: int
    """Of a pixel, in the file."""
    memory: int
    """Bytes a pixel takes while it is decoded."""
    ratio: int | None
    """Most bytes that a byte of the file can stand for; None if there is no bound."""
    stored: float = 1.0
    """Share of the pixels that the file holds; a TIFF may leave out empty tiles."""

    @property
    def packed(self) -> int:
        """Bytes of the pixels as the file holds them once unpacked."""
        return self.height * (self.width * self.bits // 8)


def claim_of(picture: ImageFile.ImageFile) -> Claim:
    """Read what a picture's header claims.

    Args:
        picture: As Pillow opened it; nothing is decoded.
    """
    mode, kind = picture.mode, picture.format or ""
    memory = _IN_PILLOW.get(mode, 4) * (_COPIES_OF_WEBP if kind == "WEBP" else _COPIES)
    bits, ratio, stored = _BITS.get(mode, 8), _OF_FORMAT.get(kind), 1.0
    if kind in ("JPEG", "MPO"):
        bits = 8  # the channel that has all pixels
    elif isinstance(picture, TiffImageFile):
        tags = picture.tag_v2
        samples, depths = int(tags.get(277, 1)), tags.get(258, (1,))
        memory = max(memory, _COPIES * samples * -(-max(depths) // 8))
        compression = int(tags.get(259, 1))
        bits = _bits_of_tiff(samples * min(depths), compression, tags.get(262))
        ratio, stored = _OF_TIFF.get(compression), _share_stored(tags.get(325) or tags.get(279) or ())
    elif picture.tile:
        if kind == "BMP" and picture.tile[0].codec_name == "raw":
            ratio = 1
        # Pillow widens 1, 2 and 4 bits; the raw mode has their number.
        bits = min(bits, *map(int, re.findall(r";(\d+)", f"{mode} {picture.tile[0].args}")), 64)
    return Claim(picture.height, picture.width, bits, memory, ratio, stored)


def claim_of_page(page: Any) -> Claim:
    """Read what the header of a TIFF's page claims.

    Args:
        page: The page, of tifffile.
    """
    bytes_each = page.samplesperpixel * max(1, page.dtype.itemsize if page.dtype is not None else 1)
    return Claim(
        page.imagelength,
        page.imagewidth,
        _bits_of_tiff(page.samplesperpixel * page.bitspersample, int(page.compression), page.photometric),
        _COPIES * bytes_each,
        _OF_TIFF.get(int(page.compression)),
        _share_stored(page.databytecounts),
    )


def refuse_claim(path: Path, claim: Claim) -> None:
    """Refuse an image that cannot be as its header says, or that is too large to be read as a whole.

    Args:
        path: The file.
        claim: What its header says.

    Raises:
        InputError: If the pixels are more than ``MAXIMUM_PIXELS``, more than the file is large enough to hold, or more
            than memory has room to decode.
    """
    pixels, shape = claim.height * claim.width, f"{claim.width} x {claim.height} pixels"
    if pixels > MAXIMUM_PIXELS:
        raise InputError(
            f"{path} has {shape}, more than the {MAXIMUM_PIXELS // 10**6} million that are read at once: cut it into "
            "tiles, or to predict it as it is, save it as a tiled TIFF"
        )
    refuse_impossible(path, claim)
    needed = pixels * claim.memory
    if needed > NEVER_MANY and needed > (free := free_memory()):
        raise InputError(
            f"{path} has {shape}, which take {needed / 1e9:,.1f} GB to be read, where {free / 1e9:,.1f} GB are free: "
            "close other programs, or cut it into tiles",
            code=NO_MEMORY,
        )


def refuse_impossible(path: Path, claim: Claim) -> None:
    """Refuse a file that is too small to hold the pixels that its header claims.

    Args:
        path: The file.
        claim: What its header says.

    Raises:
        InputError: If it is.
    """
    size = path.stat().st_size
    if claim.ratio and claim.packed * claim.stored > claim.ratio * size + NEVER_MANY:
        raise InputError(
            f"{path} is damaged (it claims {claim.width} x {claim.height} pixels, more than {size:,} bytes can hold): "
            "copy it again from where it came",
            code="damaged",
        )


def _bits_of_tiff(bits: int, compression: int, photometric: int | None) -> int:
    """Bits a pixel of a TIFF, at least: of JPEG and of colours with brightness only one channel has all pixels."""
    return min(bits, 8) if compression in (6, 7) or photometric == _YCBCR else bits


def _share_stored(counts: Any) -> float:
    counts = counts if isinstance(counts, tuple) else (counts,)
    return sum(count > 0 for count in counts) / len(counts) if counts else 1.0
