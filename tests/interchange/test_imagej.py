"""What we write, read by ImageJ's own code: the same objects, pixel for pixel; and its shapes, as we draw them."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from amsunet.data.masks.files import read_objects
from amsunet.data.readers import outlines
from amsunet.inference.objects import Objects, find_objects
from amsunet.interchange import label_tiff

roifile = pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
rois = pytest.importorskip("amsunet.interchange.imagej_rois", reason='needs pip install "amsunet[objects]"')

_IMAGEJ = Path("/usr/share/java/ij.jar")
_SIZE = {"spacing": (0.0005, 0.00025)}
"""Of a pixel: 0.5 x 0.25 micrometres."""
_SHAPES = 24


class Readings(NamedTuple):
    """What ImageJ made of files."""

    wanted: dict[str, np.ndarray]
    """By the name of a file the numbers that it was made from."""
    found: dict[str, np.ndarray]
    lines: list[str]


@pytest.fixture(scope="module")
def readings(masks, make_result, tmp_path_factory) -> Readings:
    """All files of these tests, read by one process of Java."""
    if shutil.which("javac") is None or not _IMAGEJ.is_file():
        pytest.skip("needs ImageJ and a Java that compiles (Debian: imagej, default-jdk-headless)")
    folder, wanted = tmp_path_factory.mktemp("imagej"), {}
    for name, (mask, objects) in _results(masks).items():
        for writer in (label_tiff,) if name == "many" else (rois, label_tiff):
            writer.write(make_result(mask, **_SIZE), objects, Path("a.png"), folder / f"{name}{writer.suffix}")
            wanted[f"{name}{writer.suffix}"] = objects.numbers
    for seed in range(_SHAPES):
        _write_shape(folder / f"shape{seed}.zip", seed)
        wanted[f"shape{seed}.zip"] = read_objects(outlines.address_of(folder / f"shape{seed}.zip", (60, 80)))
    words = [str(word) for name, numbers in wanted.items() for word in (folder / name, *numbers.shape)]
    code = Path(__file__).with_name("ReadByImageJ.java")
    command = ["java", "-Djava.awt.headless=true", "-XX:TieredStopAtLevel=1", "-cp", str(_IMAGEJ), str(code), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {name: np.fromfile(folder / f"{name}.raw", ">i4").reshape(of.shape) for name, of in wanted.items()}
    return Readings(wanted, found, done.stdout.splitlines())


def _results(masks: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, Objects]]:
    results = {name: (mask, find_objects(mask)) for name, mask in masks.items()}
    wide = np.zeros((3, 40_000), np.uint8)
    wide[1, 5:9] = wide[0:3, 39_990:] = 1
    results["wide"] = wide, find_objects(wide)
    pieces = np.kron(np.array([[1, 0, 1], [2, 2, 0]], np.int32), np.ones((3, 3), np.int32))
    results["pieces"] = pieces.astype(np.uint8), Objects(pieces, np.array([1, 2], np.uint8))
    many = np.arange(1, 70_001, dtype=np.int32).reshape(250, 280)
    results["many"] = np.ones(many.shape, np.uint8), Objects(many, np.ones(70_000, np.uint8))
    return results


def _write_shape(path: Path, seed: int) -> None:
    """A rectangle or an oval of any size, as users draw by hand."""
    rng, region = np.random.default_rng(seed), roifile.ImagejRoi()
    region.roitype = roifile.ROI_TYPE.OVAL if seed % 3 else roifile.ROI_TYPE.RECT
    region.left, region.top = (int(one) for one in rng.integers(0, 20, 2))
    region.right, region.bottom = region.left + int(rng.integers(1, 60)), region.top + int(rng.integers(1, 40))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.roi", region.tobytes())


def test_the_same_objects_are_found(readings, masks):
    """Holes, pieces, corners, borders; far to the right; more than 16 bits count."""
    names = [name for name in readings.wanted if not name.startswith("shape")]
    assert len(names) == 2 * len(masks) + 5
    for name in names:
        assert np.array_equal(readings.found[name], readings.wanted[name]), name


def test_the_size_of_a_pixel_the_colour_of_a_class_and_holes_are_known(readings):
    lines = readings.lines
    assert {line for line in lines if line.count("\t") == 2 and "micron" in line} == {"0.25\t0.5\tmicron"}
    assert "0001-nucleus\t-16720746\tTraced" in lines, "the colour of the class"
    assert any(line.endswith("\tComposite") for line in lines), "objects with holes"


def test_shapes_are_drawn_as_imagej_draws_them(readings):
    for seed in range(_SHAPES):
        name = f"shape{seed}.zip"
        assert readings.wanted[name].any()
        assert np.array_equal(readings.found[name], readings.wanted[name]), name
