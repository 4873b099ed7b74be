"""Headers that cannot be true are refused, and true ones are not, however well the file is packed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data import image_header
from amsunet.data.image_file import open_picture, open_tiff, reading
from amsunet.data.image_header import claim_of, claim_of_page
from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.data.slides import open_slide
from amsunet.errors import InputError

SIDE = 3_000
BLACK = np.zeros((SIDE, SIDE), np.uint8)


def _saved(mode: str, **options: Any) -> Any:
    return lambda path: Image.fromarray(BLACK).convert(mode).save(path, **options)


def _tiff(**options: Any) -> Any:
    return lambda path: tifffile.imwrite(path, BLACK, **options)


PACKED = {
    "grey.png": _saved("L", compress_level=9),
    "bit.png": _saved("1", compress_level=9),
    "palette.png": _saved("P", compress_level=9),
    "colour.png": _saved("RGBA", compress_level=9),
    "wide.png": lambda path: Image.fromarray(BLACK.astype(np.uint16)).save(path, compress_level=9),
    "a.gif": _saved("P"),
    "grey.jpg": _saved("L", quality=1, optimize=True, progressive=True),
    "colour.jpg": _saved("RGB", quality=1, optimize=True, subsampling=2),
    "lossless.webp": _saved("RGB", lossless=True, method=0, quality=0),
    "a.bmp": _saved("L"),
    "bit.bmp": _saved("1"),
    "a.pgm": _saved("L"),
    "a.pbm": _saved("1"),
    "a.ppm": _saved("RGB"),
    "raw.tif": _tiff(),
    "deflate.tif": _tiff(compression="zlib", compressionargs={"level": 9}),
    "tiled.tif": _tiff(compression="zlib", tile=(512, 512), predictor=True),
    "lzw.tif": _saved("L", compression="tiff_lzw"),
    "packbits.tif": _saved("L", compression="packbits"),
    "fax.tif": _saved("1", compression="group4"),
    "jpeg.tif": _saved("RGB", compression="jpeg"),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_well_packed_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(image_header, "NEVER_MANY", 20_000)  # below that, nothing is asked
    PACKED[name](tmp_path / name)
    assert read_image(tmp_path / name).shape[:2] == (SIDE, SIDE)


def test_plain_text_and_tiles_that_are_left_out_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_header, "NEVER_MANY", 0)
    (tmp_path / "a.pbm").write_text("P1 64 2 " + "1" * 128)
    assert not read_mask(tmp_path / "a.pbm").any()
    (tmp_path / "a.pgm").write_text("P2 4 2 1000 " + "7 " * 8)
    assert read_mask(tmp_path / "a.pgm").shape == (2, 4)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        tiles = iter([np.ones((64, 64), np.uint8), *[None] * 15])
        writer.write(tiles, shape=(256, 256), dtype=np.uint8, tile=(64, 64), compression="zlib")
    with reading(), open_tiff(tmp_path / "a.tif") as file:
        assert claim_of_page(file.pages[0]).stored == 1 / 16
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.read(0, slice(0, 256), slice(0, 256)).sum() == 64 * 64


@pytest.mark.parametrize("name", [name for name in PACKED if name.endswith(("png", "bmp", "pgm", "pbm", "ppm"))])
def test_half_a_file_cannot_hold_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of files that are not packed, or by Deflate; others can be packed better than their usual writers do it."""
    monkeypatch.setattr(image_header, "NEVER_MANY", 0)
    PACKED[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    tail = len(content) // 3 if name.endswith("png") else len(content) // 2
    (tmp_path / name).write_bytes(content[:tail])
    with pytest.raises(InputError, match=r"claims 3000 x 3000 pixels, more than [0-9,]+ bytes can hold"):
        read_image(tmp_path / name)


def test_memory_that_is_not_free_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (2_000, 2_000)).save(path)
    with reading(), open_picture(path) as picture:
        assert claim_of(picture).memory == 16
    monkeypatch.setattr(image_header, "free_memory", lambda: 64_000_000)
    assert read_image(path).shape == (2_000, 2_000, 3)
    monkeypatch.setattr(image_header, "free_memory", lambda: 63_000_000)
    for read in (read_image, read_mask):
        with pytest.raises(InputError, match=r"2000 x 2000 pixels, which take 0\.1 GB to be read, where 0\.1 GB are"):
            read(path)


def test_samples_of_a_tiff_count(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8, 500), np.uint16), photometric="minisblack", planarconfig="contig")
    with reading(), open_tiff(path) as file:
        claim = claim_of_page(file.pages[0])
    assert claim.packed == 8 * 8 * 500 * 2 and claim.memory >= 1_000
