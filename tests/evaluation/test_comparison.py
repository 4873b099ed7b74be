"""Scores of a study from its tables of images: what is left out of them, and what is said."""

from __future__ import annotations

import math

import pytest

from amsunet.evaluation.comparison import _findings, _image_scores, score_of
from amsunet.evaluation.study import Cell, Variant, cell_folder
from amsunet.files import write_csv


@pytest.fixture
def judged(tmp_path):
    """A training judged on images, each with (dice, tp, fp, fn) of every class."""

    def judge(name, images):
        cell = Cell(variant=Variant(name=name, model="unet"), seed=0)
        rows = []
        for number, classes in enumerate(images):
            for label, (dice, tp, fp, fn) in enumerate(classes, start=1):
                counts = {"true_positives": tp, "false_positives": fp, "false_negatives": fn}
                scores = dict.fromkeys(("dice", "iou", "hd95", "nsd", "cldice"), dice)
                rows.append({"image": f"image{number}", "class": f"class {label}", "group": "", **scores, **counts,
                             "true_negatives": 100})  # fmt: skip
        write_csv(cell_folder(tmp_path, cell) / "evaluation" / "test" / "images.csv", rows)
        return cell

    return judge


RIGHT, LOST, NOWHERE, SURPLUS = (1.0, 9, 0, 0), (0.0, 0, 0, 9), (1.0, 0, 0, 0), (0.0, 0, 9, 0)


def test_a_class_that_is_nowhere_moves_no_mean(judged, tmp_path):
    for other in (NOWHERE, SURPLUS):
        cell = judged("unet", [(LOST, other), (LOST, NOWHERE)])
        assert score_of(tmp_path, cell) == 0
        assert [values["dice"] for values in _image_scores(tmp_path, [cell]).values()] == [0, 0]


def test_the_mean_over_images_with_an_object_stands_beside(judged, tmp_path):
    scores = _image_scores(tmp_path, [judged("unet", [(LOST,), (NOWHERE,), (SURPLUS,)])])
    assert [values["dice"] for values in scores.values()] == [0, 1, 0]
    assert [values["dice_with_object"] for values in scores.values()] == pytest.approx(
        [0, math.nan, math.nan], nan_ok=True
    )


def test_an_image_without_a_score_is_left_out(judged, tmp_path):
    cell = judged("unet", [((math.nan, 0, 0, 0),), (RIGHT,), (LOST,)])
    assert score_of(tmp_path, cell) == pytest.approx(0.5)
    assert math.isnan(score_of(tmp_path, judged("unet", [(NOWHERE,)])))


def test_what_scores_hide_is_said_once_of_data_and_by_name_of_networks(judged, tmp_path):
    cells = {name: [judged(name, [(LOST, NOWHERE)] * 2)] for name in ("unet", "amsunet")}
    cells["good"] = [judged("good", [(RIGHT, NOWHERE)] * 2)]
    assert list(_findings(tmp_path, cells)) == [
        "class 2 does not occur in these images: left out of every mean",
        "the network marks nothing in any image: Dice is 1 only where there is nothing (unet-seed0, amsunet-seed0)",
    ]
