"""Slices, moments and channels of a TIFF by the axes that are set, never guessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from amsunet.data.channels import channel_names
from amsunet.data.containers import find_address
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.data.masks.files import open_mask
from amsunet.data.readers.tiff import places_along
from amsunet.data.slides import open_slide
from amsunet.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 255, (3, 2, 24, 20), dtype=np.uint8)
NAMED: dict[str, dict[str, Any]] = {
    "ome": {"ome": True, "metadata": {"axes": "ZCYX"}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZCYX"}},
}
UNNAMED: dict[str, dict[str, Any]] = {"shape": {"photometric": "minisblack"}}


def _write(path: Path, way: dict[str, Any], pixels: np.ndarray = PIXELS) -> Path:
    tifffile.imwrite(path, pixels, **way)
    return path


@pytest.mark.parametrize("way", [*NAMED, *UNNAMED])
def test_every_slice_is_an_image_of_its_channels(tmp_path: Path, way: str) -> None:
    path = _write(tmp_path / "a.tif", (NAMED | UNNAMED)[way])
    places = places_along(path, "ZCYX")
    assert [place.rpartition("/")[2] for place in places] == ["z000", "z001", "z002"]
    for place, expected in zip(places, PIXELS, strict=True):
        assert np.array_equal(read_image(path / place), np.moveaxis(expected, 0, 2))
        assert count_pixels(path / place) == 24 * 20


@pytest.mark.parametrize("way", [*NAMED, *UNNAMED])
def test_what_a_user_sets_comes_before_what_a_file_says(tmp_path: Path, way: str) -> None:
    path = _write(tmp_path / "a.tif", (NAMED | UNNAMED)[way])
    assert [place.rpartition("/")[2] for place in places_along(path, "TCYX")] == ["t000", "t001", "t002"]
    places = places_along(path, "TZYX")
    assert [place.rpartition("/")[2] for place in places][:3] == ["t000z000", "t000z001", "t001z000"]
    assert np.array_equal(read_image(path / places[2])[..., 0], PIXELS[1, 0])


def test_the_order_of_axes_is_that_of_the_file_where_it_says_so(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tif", UNNAMED["shape"])
    places = places_along(path, "CZYX")
    assert len(places) == 2
    assert np.array_equal(read_image(path / places[1]), np.moveaxis(PIXELS[:, 1], 0, 2))
    for name, way in NAMED.items():
        path = _write(tmp_path / f"{name}.tif", way)
        for axes in ("CZYX", "TCZYX"):
            with pytest.raises(InputError, match=rf"run along ZC, and --axes {axes} .* another order: set --axes ZCYX"):
                places_along(path, axes)


@pytest.mark.parametrize("way", [*NAMED, *UNNAMED])
def test_without_axes_both_readings_are_named(tmp_path: Path, way: str) -> None:
    with pytest.raises(
        InputError, match=r"holds 6 pages: save each page as a file of its own, or set --axes .?C?ZC?YX"
    ):
        read_image(_write(tmp_path / "a.tif", (NAMED | UNNAMED)[way]))


@pytest.mark.parametrize("way", [*NAMED, *UNNAMED])
@pytest.mark.parametrize("axes", ["ZYX", "TZCYX", "CYX"])
def test_axes_that_a_file_does_not_have_are_refused(tmp_path: Path, way: str, axes: str) -> None:
    path = _write(tmp_path / "a.tif", (NAMED | UNNAMED)[way])
    if (way, axes) in (("ome", "TZCYX"), ("imagej", "TZCYX")):
        assert len(places_along(path, axes)) == 3  # of one moment
        return
    with pytest.raises(InputError, match=rf"holds 3 x 2 pages .*which --axes {axes} does not fit"):
        places_along(path, axes)


def test_pages_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tif", {"photometric": "minisblack", "metadata": None}, PIXELS.reshape(6, 24, 20))
    assert places_along(path, "ZYX") == [f"z00{index}" for index in range(6)]
    assert np.array_equal(read_image(path / "z004")[..., 0], PIXELS[2, 0])
    assert open_mask(path / "z004").pixels.shape == (24, 20)
    assert places_along(path, "CYX") == ["CYX"]
    assert read_image(path / "CYX").shape == (24, 20, 6)
    with pytest.raises(InputError, match="holds 6 pages and does not say what they are"):
        places_along(path, "ZCYX")


def test_a_file_of_one_page_is_one_image(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.tif", {}, PIXELS[0, 0])
    assert places_along(path, "ZYX") == places_along(path, "ZCYX") == places_along(path, "YXC") == [""]


@pytest.mark.parametrize("place", ["z006", "t000", "z000t000", "ZCYX/z009", "z1", "x", "z000/z000", "CYX/z000", "YX/"])
def test_an_address_of_nothing_is_refused(tmp_path: Path, place: str) -> None:
    path = _write(tmp_path / "a.tif", NAMED["ome"])
    address = path / place
    assert find_address(address) is not None or address == path / "YX"
    with pytest.raises(InputError, match=r"holds no|does not fit"):
        read_image(address)


_OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0"
 DimensionOrder="XYCZT" Type="uint8" SizeX="20" SizeY="24" SizeC="2" SizeZ="1" SizeT="1">
 <Channel ID="Channel:0:0" Name="DAPI"/><Channel ID="Channel:0:1" Name="GFP"/>
 <TiffData FirstC="1" IFD="0" PlaneCount="1"/><TiffData FirstC="0" IFD="1" PlaneCount="1"/>
</Pixels></Image></OME>"""


def test_more_planes_than_any_file_has_are_refused_before_they_are_listed(tmp_path: Path) -> None:
    claims = _OME.replace('SizeC="2" SizeZ="1" SizeT="1"', 'SizeC="4000" SizeZ="4000" SizeT="40"')
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[0], photometric="minisblack", description=claims, metadata=None)
    for read in (read_image, open_mask, lambda path: places_along(path, "CYX")):
        with pytest.raises(InputError, match="claim 640,000,000 planes"):
            read(tmp_path / "a.ome.tif")


def test_files_that_ome_names_are_not_opened(tmp_path: Path) -> None:
    """A pipe would be waited for."""
    os.mkfifo(tmp_path / "b.tif")
    elsewhere = '<TiffData IFD="0"><UUID FileName="b.tif">urn:uuid:1</UUID></TiffData></Pixels>'
    named = _OME.replace("</Pixels>", elsewhere)
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[0], photometric="minisblack", description=named, metadata=None)
    with pytest.raises(InputError, match="holds 2 pages"):
        read_image(tmp_path / "a.ome.tif")
    tifffile.imwrite(tmp_path / "c.ome.tif", np.zeros((512, 512), np.uint8), tile=(256, 256), description=named)
    with open_slide(tmp_path / "c.ome.tif") as slide:
        assert slide.sizes == [(512, 512)]


def test_pages_are_taken_in_the_order_that_ome_gives_them(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS[0], photometric="minisblack", description=_OME, metadata=None)
    assert np.array_equal(tifffile.imread(tmp_path / "a.ome.tif"), PIXELS[0][::-1]), "another reader sees it so"
    assert np.array_equal(read_image(tmp_path / "a.ome.tif"), np.moveaxis(PIXELS[0][::-1], 0, 2))
    assert channel_names(tmp_path / "a.ome.tif", 2) == ("DAPI", "GFP")
