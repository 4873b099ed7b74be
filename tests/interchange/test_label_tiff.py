"""TIFF of object numbers: the numbers, the type that holds them, and the size of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from amsunet.inference.objects import Objects, find_objects
from amsunet.interchange import label_tiff


def test_pillow_reads_the_numbers(mask, make_result, tmp_path):
    objects = find_objects(mask)
    label_tiff.write(make_result(mask), objects, Path("a.png"), tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as picture:
        assert picture.mode == "I;16"
        assert np.array_equal(np.asarray(picture), objects.numbers)


@pytest.mark.parametrize(("count", "kind"), [(65_535, np.uint16), (70_000, np.uint32)])
def test_as_many_bits_as_the_objects_need(make_result, tmp_path, count, kind):
    numbers = np.arange(320 * 320, dtype=np.int32).reshape(320, 320)
    objects = Objects(np.where(numbers > count, 0, numbers), np.ones(count, np.uint8))
    result = make_result((objects.numbers > 0).astype(np.uint8), spacing=(0.0005, 0.00025))
    label_tiff.write(result, objects, Path("a.png"), tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].dtype == kind
        assert np.array_equal(file.asarray(), objects.numbers)
        if kind == np.uint16:
            assert file.imagej_metadata["unit"] == "micron"
            assert file.pages[0].tags["XResolution"].value == (4, 1)
            assert file.pages[0].tags["YResolution"].value == (2, 1)
        else:
            assert 'PhysicalSizeX="0.25" PhysicalSizeXUnit="µm" PhysicalSizeY="0.5"' in file.ome_metadata
