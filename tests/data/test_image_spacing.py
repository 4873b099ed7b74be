"""The size of a pixel, read from files that other programs write, and not from the resolution of a printer."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from amsunet.data import containers
from amsunet.data.image_spacing import spacing_of
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.slide_view import SlideView
from amsunet.data.slides import open_slide

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
OME = '<?xml version="1.0"?><OME xmlns="x"><Image><Pixels SizeX="8" {}/></Image></OME>'
IMAGEJ = "ImageJ=1.53t\nunit={}\n"


def _tiff(path: Path, **settings: Any) -> Path:
    tifffile.imwrite(path, GREY, photometric="minisblack", **{"metadata": None} | settings)
    return path


@pytest.mark.parametrize(
    ("settings", "micrometres"),
    [
        # Pixels a unit across and down; sizes down and across. The page reads the same of these files.
        ({"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER"}, (1, 0.5)),
        ({"resolution": (25_400, 50_800), "resolutionunit": "INCH"}, (0.5, 1)),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (72, 72)}, None),
        ({"resolution": (118, 118), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
        ({"resolution": (0, 0), "resolutionunit": "CENTIMETER"}, None),
        ({}, None),
        ({"description": IMAGEJ.format("micron"), "resolution": (4, 2)}, (0.5, 0.25)),
        ({"description": IMAGEJ.format("\\u00B5m"), "resolution": (4, 4)}, (0.25, 0.25)),
        ({"description": IMAGEJ.format("mm"), "resolution": (2, 2)}, (500, 500)),
        ({"description": IMAGEJ.format("inch"), "resolution": (300, 300)}, None),
        ({"description": IMAGEJ.format("pixel"), "resolution": (1, 1)}, None),
        ({"description": "ImageJ=1.53t\n", "resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}, None),
        ({"description": OME.format('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5"')}, (0.5, 0.25)),
        ({"description": OME.format('PhysicalSizeX="2" PhysicalSizeY="2"').encode()}, (2, 2)),
        ({"description": OME.format('PhysicalSizeX="2" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="2"')}, (2, 2)),
        ({"description": OME.format('PhysicalSizeX="2" PhysicalSizeXUnit="pixel" PhysicalSizeY="2"')}, None),
        ({"description": OME.format('PhysicalSizeX="2"')}, None),
        ({"description": OME.format('PhysicalSizeX="-2" PhysicalSizeY="nan"')}, None),
        ({"description": OME.format("")}, None),
    ],
)
def test_a_tiff_says_it_by_a_standard(
    tmp_path: Path, settings: dict[str, Any], micrometres: tuple[float, float] | None
) -> None:
    found = spacing_of(_tiff(tmp_path / "image.tif", **settings))
    assert found == (None if micrometres is None else pytest.approx(tuple(side / 1000 for side in micrometres)))


def test_what_tifffile_writes_for_imagej_and_ome(tmp_path: Path) -> None:
    stack = GREY[None]
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    sizes = {"axes": "CYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "mm"}
    tifffile.imwrite(tmp_path / "b.ome.tif", stack, metadata=sizes)
    assert spacing_of(tmp_path / "a.tif") == pytest.approx((0.0005, 0.00025))
    assert spacing_of(tmp_path / "b.ome.tif") == pytest.approx((0.5, 0.00025))


def test_an_image_that_lies_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    settings = {"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER"}
    turned = _tiff(tmp_path / "turned.tif", extratags=[(274, "H", 1, 6, True)], **settings)
    assert spacing_of(turned) == pytest.approx((0.0005, 0.001))


def test_a_png_says_it_where_no_printer_has_its_resolution(tmp_path: Path) -> None:
    for dpi, expected in ((72, None), (600, None), (50_800, 0.0005)):
        Image.fromarray(GREY).save(tmp_path / "image.png", dpi=(dpi, dpi))
        found = spacing_of(tmp_path / "image.png")
        assert found == (None if expected is None else pytest.approx((expected, expected), rel=1e-4))
    Image.fromarray(GREY).save(tmp_path / "image.png", pnginfo=PngInfo())
    assert spacing_of(tmp_path / "image.png") is None


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    good = _tiff(tmp_path / "image.tif", description=IMAGEJ.format("mm"), resolution=(2, 2)).read_bytes()
    (tmp_path / "torn.tif").write_bytes(good[:60])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "slide.svs").write_text("no slide")
    for name in ("torn.tif", "text.png", "photo.jpg", "slide.svs", "missing.tif", "missing.png"):
        assert spacing_of(tmp_path / name) is None
    tags = [(282, "s", 0, "wide", True), (283, "s", 0, "high", True)]
    assert spacing_of(_tiff(tmp_path / "odd.tif", extratags=tags)) is None


def test_an_image_in_a_file_of_several_is_asked_for_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "head.vol").touch()
    reader = SimpleNamespace(
        spacing=lambda file, place: (1.5, 2.0) if (file.name, place) == ("head.vol", "z3") else None
    )
    monkeypatch.setitem(containers.READERS, ".vol", "made_reader")
    monkeypatch.setitem(sys.modules, "made_reader", reader)
    assert spacing_of(tmp_path / "head.vol" / "z3") == (1.5, 2.0)
    assert spacing_of(tmp_path / "head.vol" / "z4") is None


def test_a_level_of_a_pyramid_has_larger_pixels(tmp_path: Path) -> None:
    image = np.zeros((400, 300), np.uint8)
    kind = Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.2,))
    tiled = {"tile": (64, 64), "photometric": "minisblack"}
    with tifffile.TiffWriter(tmp_path / "slide.tif") as tiff:
        finest = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
        tiff.write(image, subifds=1, metadata=None, **finest, **tiled)
        tiff.write(image[::2, ::2], subfiletype=1, metadata=None, **tiled)
    with open_slide(tmp_path / "slide.tif") as slide:
        assert slide.spacing == pytest.approx((0.0005, 0.0005))
        for level, expected in ((0, 0.0005), (1, 0.001)):
            view = SlideView(slide, {kind.input_format: kind}, level)
            assert view.spacing == pytest.approx((expected, expected)) and view.size == view.image_size
        typed = SlideView(slide, {kind.input_format: kind}, 1, spacing=(0.003, 0.003))
        assert typed.spacing == (0.003, 0.003)
        known = kind.model_copy(update={"spacing": (0.001, 0.002)})
        assert SlideView(slide, {kind.input_format: known}).size == (200, 75)
