"""Scores of objects, class by class, and what an evaluation makes of them."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from amsunet.data.instances import Instances
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.object_scores import OBJECT_METRICS, score_objects
from amsunet.evaluation.report import write_report
from amsunet.inference.objects import Objects
from amsunet.inference.runtime_options import RuntimeOptions

NUMBERED = DataOptions(masks=MaskOptions(instances=True))


def _numbers(*lengths):
    return np.repeat(np.arange(len(lengths)), lengths)[None].astype(np.int32)


def _true(numbers, classes, counted=None):
    return Instances(numbers, np.array(classes, np.uint8), numbers >= 0 if counted is None else counted)


def test_every_class_is_scored_by_itself():
    numbers = _numbers(2, 10, 10, 10)
    true = _true(numbers, [1, 1, 2])
    right, other = score_objects(Objects(numbers, np.array([1, 1, 1], np.uint8)), true, 3)
    assert (right.true_objects, right.found_objects, right.object_ap50) == (2, 3, pytest.approx(2 / 3))
    assert right.object_f1 == pytest.approx(2 * 2 / 5) and right.count_error == 0.5
    assert (other.true_objects, other.found_objects, other.object_ap50, other.count_error) == (1, 0, 0, 1)


def test_an_image_without_objects_is_right_if_none_is_found():
    nothing = np.zeros((3, 3), np.int32)
    [score] = score_objects(Objects(nothing, np.zeros(0, np.uint8)), _true(nothing, []), 2)
    assert (score.object_ap50, score.object_ap, score.object_f1) == (1, 1, 1) and math.isnan(score.count_error)


def test_what_is_ignored_is_neither_found_nor_missed():
    numbers = _numbers(2, 10, 10)
    true = _true(np.where(numbers == 1, numbers, 0), [1], numbers != 2)
    [score] = score_objects(Objects(numbers, np.array([1, 1], np.uint8)), true, 2)
    assert (score.true_objects, score.found_objects, score.object_ap) == (1, 1, 1)
    [score] = score_objects(
        Objects(numbers, np.array([1, 1], np.uint8)), _true(numbers * 0, [], np.zeros_like(numbers, bool)), 2
    )
    assert math.isnan(score.object_ap50)


@pytest.fixture
def numbered(tmp_path, save, picture):
    """Images as the network's, whose masks number objects that touch."""
    for number in range(4):
        mask = np.zeros((64, 64), np.uint16)
        for one in range(number + 2):
            mask[10:30, 2 + 10 * one : 12 + 10 * one] = 300 * (one + 1) + number
        save(tmp_path / "set" / "images" / f"{number}.png", picture(number, 64, 64))
        save(tmp_path / "set" / "masks" / f"{number}.png", mask)
    return tmp_path / "set"


def test_an_evaluation_counts_objects_and_describes_how_they_were_found(run, numbered, tmp_path, said):
    options = RuntimeOptions(device="cpu", precision="float32", separation=1.5)
    found = evaluate(run, numbered, options=options, data_options=NUMBERED, objects=True, out=tmp_path / "out")
    objects = found.objects
    assert objects is not None and objects.counts()[0] == 2 + 3 + 4 + 5
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())["objects"]
    assert summary["separation"] == 1.5 and summary["mean_over_classes"]["true_objects"] == 14
    assert set(OBJECT_METRICS) <= set(summary["classes"]["foreground"])
    with (tmp_path / "out" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["true_objects"]) for row in rows] == [2, 3, 4, 5]
    mean = np.mean([float(row["object_ap50"]) for row in rows])
    assert summary["mean_over_classes"]["object_ap50"]["mean"] == pytest.approx(mean)
    assert "parted at waists 1.5 px deep" in found.table() and "AP at IoU 0.5 to 0.95" in found.table()
    html = write_report(found).read_text()
    assert "<h2>Objects</h2>" in html and "true objects" in html
    assert not any("no instance masks" in line for line in said)


def test_masks_that_are_no_instance_masks_are_noted(run, said):
    found = evaluate(run, objects=True)
    assert found.objects is not None and found.objects.describe().startswith("objects, connected components")
    assert any("the masks are no instance masks" in note for note in found.notes)


def test_a_separation_without_objects_is_refused(run):
    with pytest.raises(InputError, match=r"^separation goes with objects=True: add that, or leave it out$"):
        evaluate(run, options=RuntimeOptions(separation=1.0))


def test_objects_are_scored_where_they_are_asked_for_alone(run):
    found = evaluate(run)
    assert found.objects is None and "objects" not in found.summary() and "objects" not in found.table()
    assert "<h2>Objects</h2>" not in write_report(found).read_text()
