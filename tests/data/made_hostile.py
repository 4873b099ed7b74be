"""Image files that were made to do harm: programs, bombs, and headers that promise what the file does not hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

GREY = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
Chunk = tuple[bytes, bytes]


def png(
    width: int, height: int, rows: bytes, *, kind: int = 0, more: Iterable[Chunk] = (), interlaced: int = 0
) -> bytes:
    """A PNG of 8 bits whose rows are as given, and further chunks before them."""
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b)) for t, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def saved(kind: str, pixels: np.ndarray = GREY, **options: object) -> bytes:
    """Pixels as a file of a format of Pillow."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def tiff(entries: Iterable[tuple[int, int, int, int]], *, following: int = 0, data: bytes = b"") -> bytes:
    """A TIFF of one page with tags as given: number, type, count, value."""
    entries = sorted(entries)
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + struct.pack("<I", following) + data


def _page(width: int, height: int, samples: int = 1, compression: int = 1) -> list[tuple[int, int, int, int]]:
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
            (273, 4, 1, 140), (277, 3, 1, samples), (278, 4, 1, height), (279, 4, 1, 20)]  # fmt: skip


def _film(kind: str, pages: int) -> bytes:
    still = Image.fromarray(GREY[:2, :2])
    others = [Image.new("L", (2, 2), index % 2) for index in range(pages - 1)]
    stream = io.BytesIO()
    still.save(stream, kind, save_all=True, append_images=others)
    return stream.getvalue()


def _gif_bomb() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 22_000, 22_000) + b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def _gif_screen() -> bytes:
    """A picture of one pixel that claims the largest frame."""
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff,"
    return head + struct.pack("<HHHH", 0, 0, 22_000, 22_000) + b"\0\2\2D\1\0;"


def _pages_of_tiff(pages: int) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for _ in range(pages):
            writer.write(GREY[:2, :2], contiguous=False, metadata=None)
    return stream.getvalue()


def _many_scans(scans: int) -> bytes:
    """A progressive JPEG whose last scan stands in it many times."""
    whole = saved("JPEG", GREY, progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * scans + whole[-2:]


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "program.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "is not an image"),
    "photoshop.png": (lambda: b"8BPS\0\1" + bytes(7) + b"\3" + struct.pack(">IIHH", 9, 9, 8, 3) + bytes(40),
                      "is not an image"),
    "icon.png": (lambda: saved("ICO"), "is not an image"),
    "tga.jpg": (lambda: saved("TGA"), "is not an image"),
    "claims.png": (lambda: png(22_000, 22_000, b"\0" * 99, kind=2), "claims 22000 x 22000 pixels, more than"),
    "one_row.png": (lambda: png(1_500, 1_500, b"\0" + b"\7" * 1_500), "it holds 1 of 1,500 rows"),
    "interlaced.png": (lambda: png(64, 64, b"\0" * 9 * 8, interlaced=1), "it holds 2% of its pixels"),
    "profile.png": (lambda: png(64, 64, b"\0" * 65 * 64, more=[(b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 24)))]),
                    "is damaged"),
    "text.png": (lambda: png(64, 64, b"\0" * 65 * 64, more=[(b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 24)))]),
                 "is damaged"),
    "texts.png": (lambda: png(64, 64, b"\0" * 65 * 64, more=[(b"zTXt", b"x\0\0" + zlib.compress(bytes(1 << 20)))] * 99),
                  "is damaged"),
    "frames.png": (lambda: png(64, 64, b"\0" * 65 * 64, more=[(b"acTL", struct.pack(">II", 2**31 - 1, 0))]), "pages"),
    "screen.gif": (_gif_bomb, "claims 22000 x 22000 pixels"),
    "frame.gif": (_gif_screen, "claims 22000 x 22000 pixels"),
    "film.gif": (lambda: _film("GIF", 200), "holds .* pages"),
    "negative.bmp": (lambda: saved("BMP")[:22] + struct.pack("<i", -(2**31)) + saved("BMP")[26:], "more than"),
    "claims.bmp": (lambda: saved("BMP")[:18] + struct.pack("<ii", 20_000, 20_000) + saved("BMP")[26:], "claims"),
    "claims.ppm": (lambda: b"P6 20000 20000 255 \0", "claims 20000 x 20000 pixels, more than 20 bytes can hold"),
    "claims.jpg": (lambda: _with_jpeg_size(saved("JPEG"), 20_000, 20_000), "claims 20000 x 20000 pixels"),
    "cut.jpg": (lambda: saved("JPEG", np.tile(GREY, (4, 4)))[:9_000] + b"\xff\xd9", "rows at its end are missing"),
    "scans.jpg": (lambda: _many_scans(500), "scans"),
    "claims.tif": (lambda: tiff(_page(20_000, 20_000)), "claims 20000 x 20000 pixels"),
    "deflate.tif": (lambda: tiff(_page(20_000, 20_000, compression=8)), "claims 20000 x 20000 pixels"),
    "samples.tif": (lambda: tiff(_page(64, 64, samples=65_535)), "claims 64 x 64 pixels"),
    "loop.tif": (lambda: tiff(_page(8, 8), following=8, data=bytes(99)), "in a circle"),
    "pages.tif": (lambda: _pages_of_tiff(200), "holds .* pages"),
}  # fmt: skip
"""By file name: the content, and how the refusal reads."""


def _with_jpeg_size(content: bytes, width: int, height: int) -> bytes:
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


def write_hostile(folder: Path) -> list[Path]:
    """Write all of them.

    Args:
        folder: Where.
    """
    for name, (make, _) in HOSTILE.items():
        (folder / name).write_bytes(make())
    return [folder / name for name in HOSTILE]
