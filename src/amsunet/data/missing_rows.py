"""Rows that a PNG or JPEG does not hold: decoders fill them up in silence, with black or with grey."""

from __future__ import annotations

import io
import random
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile

from amsunet.errors import InputError
from amsunet.regular_file import open_regular, read_regular

_PIECE = 1 << 20
"""Bytes that are unpacked at a time, to be counted."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced PNG the first column and row, and the steps between columns and rows."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of a PNG."""
_GREY = (127, 128)
"""The values with which a decoder of JPEG fills up; the first where they are inverted, as in CMYK."""
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_MARK = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Behind the pixels of a scan; what stands between marks is no part of them."""
_COEFFICIENTS = 64
_SHORTEST = 8
"""Bytes of the header of a scan."""
_LOOKED_AHEAD = 16
"""Bytes that a decoder of JPEG wants to see behind the last pixel."""


def refuse_missing_rows(path: Path, picture: ImageFile.ImageFile) -> None:
    """Refuse a picture of which the file holds only the first rows.

    What is filled up has one value to the last pixel: only where the last row looks so is the file looked through, so
    that other pictures cost nothing.

    Args:
        path: Its file.
        picture: As Pillow decoded it.

    Raises:
        InputError: If rows are missing.
    """
    last = picture.crop((0, picture.height - 1, picture.width, picture.height)).tobytes()
    missing = ""
    if picture.format == "PNG" and not any(last):
        with open_regular(path) as file:
            missing = missing_in_png(file)
    elif picture.format in ("JPEG", "MPO"):
        if picture.info.get("progressive"):
            missing = _missing_in_scans(read_regular(path), len(picture.getbands()))
        elif set(last[-8:]) <= {*_GREY} and _ends_early(read_regular(path)):
            missing = "rows at its end are missing"
    if missing:
        raise InputError(f"{path} is damaged ({missing}): copy it again from where it came", code="damaged")


def missing_in_png(file: BinaryIO) -> str:
    """Which rows are missing; empty if none is.

    Args:
        file: A PNG that Pillow could decode.
    """
    file.seek(16)
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
    file.seek(8)
    held = sum(_unpacked_sizes(file))
    row = 1 + -(-width * bits * _CHANNELS[colour] // 8)
    if not interlaced:
        return f"it holds {held // row:,} of {height:,} rows" if held < row * height else ""
    needed = 0
    for left, top, across, down in _ADAM7:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        needed += rows * (1 + -(-columns * bits * _CHANNELS[colour] // 8)) if columns > 0 < rows else 0
    return f"it holds {held / needed:.0%} of its pixels" if held < needed else ""


def _unpacked_sizes(file: BinaryIO) -> Iterator[int]:
    """How much the pixels of a PNG are once unpacked, a piece at a time."""
    stream = zlib.decompressobj()
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"IEND":
            return
        packed = file.read(length + 4)[:length] if name == b"IDAT" else file.seek(length + 4, io.SEEK_CUR) and b""
        while packed and not stream.eof:
            yield len(stream.decompress(packed, _PIECE))
            packed = stream.unconsumed_tail


def _ends_early(content: bytes) -> bool:
    """Whether a decoder of JPEG runs out of pixels.

    Without the mark of the end, and with a little more data than it looks ahead, it fails if pixels are missing. Of a
    picture in several scans this is not known: it waits for the last one. That of a progressive one is known otherwise.
    """
    start = _first_scan(content)
    end = content.find(_END, start)
    if start < 0 or end < 0 or _SCAN in content[start + 2 : end]:
        return False
    try:
        Image.open(io.BytesIO(content[:end] + bytes(_LOOKED_AHEAD)), formats=("JPEG",)).load()
    except OSError as error:
        return "truncated" in str(error)
    return False


def _missing_in_scans(content: bytes, components: int) -> str:
    """What a progressive JPEG lacks, whose scans each refine the whole picture; empty if nothing.

    Scans at its end are missing if some coefficient was not sent to its last bit. The last scan is cut short if the
    picture becomes another one with more data behind it: behind a whole scan a decoder passes over them.
    """
    headers, end = _scans(content)
    if end < 0:
        return ""  # the decoder has seen that
    left: dict[int, list[int]] = {}
    for header in headers:
        first, last, bits = header[-3], header[-2], header[-1] & 15
        for component in header[1:-3:2]:
            known = left.setdefault(component, [1] * _COEFFICIENTS)
            known[first : last + 1] = [bits] * len(known[first : last + 1])
    if len(left) < components or any(map(any, left.values())):
        return "scans at its end are missing"
    whole = _decoded(content[:end] + _END)
    more = bytes(byte % 255 for byte in random.Random(0).randbytes(512))  # no marks among them
    restarts = b"".join(b"\xff" + bytes([0xD0 + number % 8]) + more[number:] for number in range(16))
    # One of them may happen to mean that nothing changes.
    others = (_decoded(content[:end] + behind + _END) for behind in (more, more[1:], restarts))
    return "its last scan ends early" if any(other != whole for other in others) else ""


def _scans(content: bytes) -> tuple[list[bytes], int]:
    """The header of each scan of a JPEG, and where the last one ends; -1 if the mark of the end is not found."""
    headers, place = [], _first_scan(content)
    while place >= 0 and content[place : place + 2] != _END:
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if content[place : place + 2] == _SCAN and length >= _SHORTEST:
            headers.append(content[place + 4 : place + 2 + length])
        found = _MARK.search(content, place + 2 + length)
        place = found.start() if found else -1
    return headers, place


def _decoded(content: bytes) -> bytes | None:
    """The pixels; None where the data are no picture."""
    try:
        return Image.open(io.BytesIO(content), formats=("JPEG",)).tobytes()
    except OSError:
        return None


def _first_scan(content: bytes) -> int:
    """Where the first scan of a JPEG begins, behind previews within other segments; -1 if it is not found."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        if content[place : place + 2] == _SCAN:
            return place
        place += 1 if content[place + 1] == 0xFF else 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return -1
