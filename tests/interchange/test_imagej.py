"""What we write, read by ImageJ's own code: the same objects, pixel for pixel."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.masks.files import read_objects
from amsunet.data.readers import outlines
from amsunet.inference.objects import Objects, find_objects
from amsunet.interchange import label_tiff

_IMAGEJ = Path("/usr/share/java/ij.jar")
_SIZE = {"spacing": (0.0005, 0.00025)}
"""Of a pixel: 0.5 x 0.25 micrometres."""


def _read(files: dict[Path, tuple[int, int]]) -> tuple[list[np.ndarray], list[str]]:
    """The numbers that ImageJ finds in each file, and its lines."""
    if shutil.which("javac") is None or not _IMAGEJ.is_file():
        pytest.skip("needs ImageJ and a Java that compiles (Debian: imagej, default-jdk-headless)")
    code = Path(__file__).with_name("ReadByImageJ.java")
    words = [str(word) for path, shape in files.items() for word in (path, *shape)]
    command = ["java", "-Djava.awt.headless=true", "-XX:TieredStopAtLevel=1", "-cp", str(_IMAGEJ), str(code), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [np.fromfile(f"{path}.raw", ">i4").reshape(shape) for path, shape in files.items()]
    return found, done.stdout.splitlines()


def test_imagej_finds_the_same_objects(masks, make_result, tmp_path):
    rois = pytest.importorskip("amsunet.interchange.imagej_rois", reason='needs pip install "amsunet[objects]"')
    wanted: dict[Path, np.ndarray] = {}
    results = {name: (make_result(mask, **_SIZE), find_objects(mask)) for name, mask in masks.items()}
    wide = np.zeros((3, 40_000), np.uint8)
    wide[1, 5:9] = wide[0:3, 39_990:] = 1
    results["wide"] = make_result(wide, **_SIZE), find_objects(wide)
    pieces = np.kron(np.array([[1, 0, 1], [2, 2, 0]], np.int32), np.ones((3, 3), np.int32))
    objects = Objects(pieces, np.array([1, 2], np.uint8))
    results["pieces"] = make_result(pieces.astype(np.uint8), **_SIZE), objects
    for name, (result, objects) in results.items():
        for writer in (rois, label_tiff):
            path = tmp_path / f"{name}{writer.suffix}"
            writer.write(result, objects, Path("a.png"), path)
            wanted[path] = objects.numbers
    found, lines = _read({path: numbers.shape for path, numbers in wanted.items()})
    for (path, numbers), same in zip(wanted.items(), found, strict=True):
        assert np.array_equal(numbers, same), path
    assert {line for line in lines if line.count("\t") == 2 and "micron" in line} == {"0.25\t0.5\tmicron"}
    assert "0001-nucleus\t-16720746\tTraced" in lines, "the colour of the class"
    assert any(line.endswith("\tComposite") for line in lines), "objects with holes"


def test_shapes_of_imagej_are_drawn_as_imagej_draws_them(tmp_path):
    """Rectangles and ovals of any size, which ImageJ's users draw by hand."""
    roifile = pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
    shape, files = (60, 80), {}
    for seed in range(24):
        rng = np.random.default_rng(seed)
        region = roifile.ImagejRoi()
        region.roitype = roifile.ROI_TYPE.OVAL if seed % 3 else roifile.ROI_TYPE.RECT
        region.left, region.top = (int(one) for one in rng.integers(0, 20, 2))
        region.right, region.bottom = region.left + int(rng.integers(1, 60)), region.top + int(rng.integers(1, 40))
        path = tmp_path / f"{seed}.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.roi", region.tobytes())
        files[path] = shape
    found, _ = _read(files)
    for path, numbers in zip(files, found, strict=True):
        drawn = read_objects(outlines.address_of(path, shape))
        assert np.array_equal(drawn, numbers), path


def test_imagej_opens_more_objects_than_16_bits_hold(make_result, tmp_path):
    numbers = np.arange(1, 70_001, dtype=np.int32).reshape(250, 280)
    result = make_result(np.ones(numbers.shape, np.uint8), **_SIZE)
    label_tiff.write(result, Objects(numbers, np.ones(70_000, np.uint8)), Path("a.png"), tmp_path / "a.tif")
    (found,), _ = _read({tmp_path / "a.tif": numbers.shape})
    assert np.array_equal(found, numbers)
