"""What is written, read back as masks to train on: the same objects of the same classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amsunet.data.masks.files import open_mask, read_objects
from amsunet.data.readers import outlines
from amsunet.inference.objects import Objects, find_objects
from amsunet.inference.result_formats import open_writer

pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')
pytest.importorskip("roifile", reason='needs pip install "amsunet[objects]"')
_IMAGE = {"coco": "folder/a.png"}
"""The name of the image in a file of several."""


def _written(form: str, result, objects: Objects, folder: Path) -> Path:
    writer = open_writer(form)
    writer.write(result, objects, Path("a.png"), folder / f"a{writer.suffix}")
    return folder / f"a{writer.suffix}"


@pytest.mark.parametrize("form", ["geojson", "rois", "coco"])
def test_objects_and_classes_are_the_same(mask, make_result, tmp_path, form):
    objects, image = find_objects(mask), _IMAGE.get(form, "")
    file = _written(form, make_result(mask), objects, tmp_path)
    classes = [*outlines.find(file)[image]]
    assert classes == [("nucleus", "cell")[label - 1] for label in objects.classes]
    assert np.array_equal(read_objects(outlines.address_of(file, mask.shape, image)), objects.numbers)
    for label, name in ((1, "nucleus"), (2, "cell")):
        found = open_mask(outlines.address_of(file, mask.shape, image, name)).pixels
        assert np.array_equal(found > 0, mask == label)


@pytest.mark.parametrize("form", ["geojson", "rois", "coco"])
def test_objects_in_pieces_are_the_same(make_result, tmp_path, scattered, form):
    mask, objects = scattered
    file = _written(form, make_result(mask), objects, tmp_path)
    assert np.array_equal(read_objects(outlines.address_of(file, mask.shape, _IMAGE.get(form, ""))), objects.numbers)


def test_70_000_objects_are_the_same(make_result, tmp_path):
    """Of one pixel each; ``benchmarks/interchange.py`` tries the other forms."""
    numbers = np.zeros((500, 560), np.int32)
    numbers[::2, ::2] = np.arange(1, 70_001).reshape(250, 280)
    objects = Objects(numbers, np.ones(70_000, np.uint8))
    file = _written("coco", make_result((numbers > 0).astype(np.uint8)), objects, tmp_path)
    assert np.array_equal(read_objects(outlines.address_of(file, numbers.shape, _IMAGE["coco"])), numbers)
