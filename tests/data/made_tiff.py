"""TIFF files as libraries do not write them."""

from __future__ import annotations

import struct
from pathlib import Path

_EXTRA_SAMPLES = 338


def without_extra_samples(path: Path) -> Path:
    """Rename the tag of the first page that tells what channels beyond the colours are."""
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[start : start + 2])
    places = [start + 2 + 12 * entry for entry in range(count)]
    (tag,) = [at for at in places if struct.unpack("<H", content[at : at + 2])[0] == _EXTRA_SAMPLES]
    content[tag : tag + 2] = struct.pack("<H", 65000)
    path.write_bytes(content)
    return path
