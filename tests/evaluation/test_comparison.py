"""Scores of a study from its tables of images: what is left out of them, and the findings."""

from __future__ import annotations

import math

import pytest

from amsunet.atomic_io import write_csv
from amsunet.evaluation.comparison import _findings
from amsunet.evaluation.study import Trial, trial_folder
from amsunet.evaluation.trial_scores import image_scores, score_of
from amsunet.evaluation.variant import Variant


@pytest.fixture
def evaluated(tmp_path):
    """A training evaluated on images, each with (dice, tp, fp, fn) of every class."""

    def evaluate_on(name, images):
        trial = Trial(variant=Variant(name=name, model="unet"), seed=0)
        rows = []
        for number, classes in enumerate(images):
            for label, (dice, tp, fp, fn) in enumerate(classes, start=1):
                counts = {"true_positives": tp, "false_positives": fp, "false_negatives": fn}
                scores = dict.fromkeys(("dice", "iou", "hd95", "nsd", "cldice"), dice)
                rows.append({"image": f"image{number}", "class": f"class {label}", "group": "", **scores, **counts,
                             "true_negatives": 100})  # fmt: skip
        write_csv(trial_folder(tmp_path, trial) / "evaluation" / "test" / "images.csv", rows)
        return trial

    return evaluate_on


RIGHT, LOST, NOWHERE, SURPLUS = (1.0, 9, 0, 0), (0.0, 0, 0, 9), (1.0, 0, 0, 0), (0.0, 0, 9, 0)


def test_a_class_that_is_nowhere_moves_no_mean(evaluated, tmp_path):
    for other in (NOWHERE, SURPLUS):
        trial = evaluated("unet", [(LOST, other), (LOST, NOWHERE)])
        assert score_of(tmp_path, trial) == 0
        assert [values["dice"] for values in image_scores(tmp_path, [trial]).values()] == [0, 0]


def test_the_mean_over_images_with_an_object_stands_beside(evaluated, tmp_path):
    scores = image_scores(tmp_path, [evaluated("unet", [(LOST,), (NOWHERE,), (SURPLUS,)])])
    assert [values["dice"] for values in scores.values()] == [0, 1, 0]
    assert [values["dice_with_object"] for values in scores.values()] == pytest.approx(
        [0, math.nan, math.nan], nan_ok=True
    )


def test_an_image_without_a_score_is_left_out(evaluated, tmp_path):
    trial = evaluated("unet", [((math.nan, 0, 0, 0),), (RIGHT,), (LOST,)])
    assert score_of(tmp_path, trial) == pytest.approx(0.5)
    assert math.isnan(score_of(tmp_path, evaluated("unet", [(NOWHERE,)])))


def test_findings_come_once_of_data_and_by_name_of_networks(evaluated, tmp_path):
    trials = {name: [evaluated(name, [(LOST, NOWHERE)] * 2)] for name in ("unet", "amsunet")}
    trials["good"] = [evaluated("good", [(RIGHT, NOWHERE)] * 2)]
    assert list(_findings(tmp_path, trials)) == [
        "class 2 does not occur in these images: left out of every mean",
        "the network marks nothing in any image: Dice is 1 only where there is nothing (unet-seed0, amsunet-seed0)",
    ]
