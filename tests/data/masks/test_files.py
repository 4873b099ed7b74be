"""Mask files read as numbers, colours and transparency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from made_masks import summarise_file
from PIL import Image, ImageFilter

from amsunet.data.masks.files import open_mask, read_mask, read_region
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


@pytest.mark.parametrize("value", [1, 255, 256, 65535])
def test_colours_of_sixteen_bits_keep_what_they_mark(tmp_path: Path, value: int) -> None:
    red = np.where((NUMBERS > 0)[..., None], np.array([value, 0, 0]), 0).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", red, photometric="rgb")
    assert np.array_equal(read_mask(tmp_path / "a.tif").any(axis=2), NUMBERS > 0)


@pytest.mark.parametrize("opacity", [(0, 255, 100, 255), (0, 60, 60, 60)], ids=["one see-through", "all"])
def test_what_is_see_through_as_a_whole_is_shown(tmp_path: Path, opacity: tuple[int, ...]) -> None:
    labels = np.kron(np.array([[0, 1], [2, 3]]), np.ones((16, 16), int))
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)], np.uint8)
    file = np.dstack([colours[labels], np.array(opacity, np.uint8)[labels]])
    Image.fromarray(file).save(tmp_path / "a.png")
    assert np.array_equal(read_mask(tmp_path / "a.png", "visible"), colours[labels])
    assert len(summarise_file(tmp_path / "a.png").shown) == 3


def test_soft_edges_of_transparency_are_cut_half_way(tmp_path: Path) -> None:
    disc = Image.fromarray(
        np.kron(np.array([[0, 0, 0], [0, 200, 0], [0, 0, 0]], np.uint8), np.ones((16, 16), np.uint8))
    )
    soft = disc.filter(ImageFilter.GaussianBlur(2))
    picture = Image.new("RGB", disc.size, "red")
    picture.putalpha(soft)
    picture.save(tmp_path / "a.png")
    shown = read_mask(tmp_path / "a.png", "visible").any(axis=2)
    assert np.array_equal(shown, np.asarray(soft) >= 100)


@pytest.mark.parametrize("shade", [65535, 300, 200])
def test_greys_of_sixteen_bits_with_alpha_are_named_in_eight(tmp_path: Path, shade: int) -> None:
    grey = np.uint16(shade) * (NUMBERS > 0)
    tifffile.imwrite(
        tmp_path / "a.tif", np.dstack([grey, 65535 * (NUMBERS > 0)]).astype(np.uint16), photometric="minisblack",
        extrasamples=["unassalpha"],
    )  # fmt: skip
    assert all(0 < colour <= 0xFFFFFF for colour in summarise_file(tmp_path / "a.tif").shown)
