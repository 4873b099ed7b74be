"""COCO JSON: pycocotools finds the same pixels."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from amsunet.inference.objects import Objects, find_objects
from amsunet.interchange import coco


def _opened(path: Path):
    pycocotools = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    with contextlib.redirect_stdout(io.StringIO()):
        return pycocotools.COCO(path)


def test_pycocotools_reads_the_objects_of_the_mask(mask, make_result, tmp_path):
    objects = find_objects(mask)
    coco.write(make_result(mask), objects, Path("images/a.png"), tmp_path / "a.json")
    data = _opened(tmp_path / "a.json")
    assert [(one["file_name"], one["height"], one["width"]) for one in data.loadImgs(1)] == [
        ("folder/a.png", *mask.shape)
    ]
    assert {one["id"]: one["name"] for one in data.loadCats(data.getCatIds())} == {1: "nucleus", 2: "cell"}
    found = data.loadAnns(data.getAnnIds(imgIds=1))
    assert [one["category_id"] for one in found] == objects.classes.tolist()
    for number, one in enumerate(found, start=1):
        inside = data.annToMask(one).astype(bool)
        assert np.array_equal(inside, objects.numbers == number)
        rows, columns = np.nonzero(inside)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (one["area"], one["bbox"], one["score"]) == (inside.sum(), box, 0.9)


def test_images_are_joined_with_numbers_of_their_own(make_result, tmp_path, scattered):
    mask, objects = scattered
    coco.write(make_result(mask), objects, Path("a.png"), tmp_path / "a.json")
    coco.write(
        make_result(mask * 0), Objects(objects.numbers * 0, objects.classes[:0]), Path("b.png"), tmp_path / "b.json"
    )
    others = make_result(mask, names=("background", "cell", "nucleus"))
    coco.write(others, objects, Path("c.tif"), tmp_path / "c.json")
    coco.join([tmp_path / f"{name}.json" for name in "abc"], tmp_path / "coco.json")
    data = _opened(tmp_path / "coco.json")
    assert [len(data.getAnnIds(imgIds=image)) for image in (1, 2, 3)] == [2, 0, 2]
    names = {one["id"]: one["name"] for one in data.loadCats(data.getCatIds())}
    assert names == {1: "nucleus", 2: "cell"}
    assert [one["id"] for one in json.loads((tmp_path / "coco.json").read_text())["annotations"]] == [1, 2, 3, 4]
    assert [names[one["category_id"]] for one in data.loadAnns(data.getAnnIds(imgIds=3))] == ["cell", "nucleus"]


def test_cocoeval_takes_the_objects_as_results(make_result, tmp_path, scattered):
    mask, objects = scattered
    coco.write(make_result(mask), objects, Path("a.png"), tmp_path / "a.json")
    coco.join([tmp_path / "a.json"], tmp_path / "coco.json")
    data = _opened(tmp_path / "coco.json")
    module = pytest.importorskip("pycocotools.cocoeval", reason="needs pycocotools")
    with contextlib.redirect_stdout(io.StringIO()):
        results = data.loadRes(json.loads((tmp_path / "coco.json").read_text())["annotations"])
        evaluation = module.COCOeval(data, results, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)
