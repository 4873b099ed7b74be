"""Pictures of which a file holds only the first rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_hostile import GREY, png, saved

from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.errors import InputError


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 6], ids=["grey", "colour", "palette", "grey and alpha", "and alpha"])
@pytest.mark.parametrize("rows", [1, 63, 64])
def test_rows_of_a_png_are_counted(tmp_path: Path, kind: int, rows: int) -> None:
    """Whole pictures whose last row is black are pictures."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    path = tmp_path / "a.png"
    palette = [(b"PLTE", bytes(range(6)))] if kind == 3 else []
    path.write_bytes(png(64, 64, (b"\0" + b"\1" * 64 * channels) * (rows - 1) + bytes(1 + 64 * channels), kind=kind,
                         more=palette))  # fmt: skip
    for read in (read_image, read_mask):
        if rows == 64:
            assert read(path).shape[:2] == (64, 64)
        else:
            with pytest.raises(InputError, match=f"is damaged .it holds {rows} of 64 rows.: copy it again"):
                read(path)


def test_pixels_of_an_interlaced_png_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    passes = [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)]
    rows = b"".join(bytes(1 + width) * height for width, height in passes)
    path.write_bytes(png(64, 64, rows, interlaced=1))
    assert read_mask(path).shape == (64, 64)
    path.write_bytes(png(64, 64, rows[: -65 * 16], interlaced=1))
    with pytest.raises(InputError, match="is damaged"):
        read_mask(path)


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"optimize": True}])
@pytest.mark.parametrize("colours", [False, True])
def test_a_jpeg_that_ends_early_is_refused(tmp_path: Path, options: dict[str, int], colours: bool) -> None:
    pixels = np.tile(GREY, (4, 4))
    pixels[-16:, -16:] = 128  # as what is filled up
    content = saved("JPEG", np.dstack([pixels] * 3) if colours else pixels, quality=90, **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    assert read_image(path).shape[:2] == (256, 256)
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))] + b"\xff\xd9")
        with pytest.raises(InputError, match="rows at its end are missing"):
            read_image(path)


def test_grey_pictures_in_several_scans_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved("JPEG", np.full((64, 64), 128, np.uint8), progressive=True))
    assert (read_image(path) == 128).all()


@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("kind", ["grey", "colour", "mask"])
def test_a_progressive_jpeg_that_ends_early_is_refused(tmp_path: Path, options: dict[str, int], kind: str) -> None:
    """Each of its scans holds the whole picture a little better: what is missing is nowhere black or grey."""
    pixels = np.tile(GREY, (4, 4))
    pixels = np.where(pixels > 100, 255, 0).astype(np.uint8) if kind == "mask" else pixels
    content = saved("JPEG", np.dstack([pixels] * 3) if kind == "colour" else pixels, progressive=True, **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    whole = read_image(path)
    assert whole.shape[:2] == (256, 256)
    for share in (0.2, 0.4, 0.6, 0.8, 0.9, 0.98):
        path.write_bytes(content[: int(share * len(content))] + b"\xff\xd9")
        with pytest.raises(InputError, match=r"is damaged \((scans at its end are missing|its last scan ends early)\)"):
            read_image(path)
    path.write_bytes(content + b"behind")
    assert (read_image(path) == whole).all()
