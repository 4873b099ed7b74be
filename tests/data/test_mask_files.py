"""Mask files read as numbers, colours and transparency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.data.mask_files import open_mask, read_mask, read_region
from amsunet.errors import InputError

NUMBERS = np.repeat(np.array([[0, 1, 3]]), 8, axis=0).repeat(4, axis=1)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float32", "float64"])
def test_signed_numbers_stay_signed(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", (NUMBERS - 1).astype(dtype))
    raw = read_mask(tmp_path / "a.tif")
    assert raw.dtype.kind == "i" and np.array_equal(raw, NUMBERS - 1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_numbers_of_any_size_come_back(tmp_path: Path, dtype: str) -> None:
    stored = (NUMBERS * (np.iinfo(dtype).max // 3)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored)
    assert np.array_equal(read_mask(tmp_path / "a.tif"), stored)


def test_fractions_stay_and_what_is_no_number_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.float32(NUMBERS / 8))
    assert np.array_equal(read_mask(tmp_path / "a.tif"), np.float32(NUMBERS / 8))
    tifffile.imwrite(tmp_path / "nan.tif", np.full((8, 8), np.nan, np.float32))
    with pytest.raises(InputError, match=r"nan\.tif holds values that are not finite"):
        read_mask(tmp_path / "nan.tif")


def test_colours_of_more_than_sixteen_bits_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", np.full((8, 8, 3), 2**20, np.uint32), photometric="rgb")
    with pytest.raises(InputError, match=r"deep\.tif has uint32 pixels .*: save it as grey or RGB"):
        read_mask(tmp_path / "deep.tif")


def test_a_palette_is_read_as_indices_or_colours(tmp_path: Path) -> None:
    picture = Image.fromarray((NUMBERS > 0).astype(np.uint8), "P")
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png"), NUMBERS > 0)
    assert np.array_equal(read_mask(tmp_path / "a.png", "colours"), np.uint8(255) * (NUMBERS == 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_read_where_it_is_asked_for(tmp_path: Path, mode: str) -> None:
    shape = np.uint8(255) * (NUMBERS == 1)
    picture = Image.new(mode[:-1], NUMBERS.shape[::-1], "white")
    picture.putalpha(Image.fromarray(shape))
    picture.save(tmp_path / "a.png")
    file = open_mask(tmp_path / "a.png")
    assert (file.read_as("stored") == 255).all() and (file.read_as("colours") == 255).all()
    assert np.array_equal(file.read_as("alpha"), shape) and np.array_equal(file.read_as("visible"), shape)


@pytest.mark.parametrize("bright", [1, 255])
def test_a_region_is_what_is_bright(tmp_path: Path, save: Callable[..., Path], bright: int) -> None:
    path = save(tmp_path / "a.png", np.uint8(bright) * (NUMBERS == 3))
    assert np.array_equal(read_region(path), NUMBERS == 3)
    with pytest.raises(InputError, match="marks no field of view"):
        read_region(save(tmp_path / "b.png", np.stack([NUMBERS, NUMBERS, NUMBERS * 0], axis=-1).astype(np.uint8)))
