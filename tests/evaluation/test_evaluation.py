"""Findings of an evaluation on scores from empty masks, from small label arrays without a network."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amsunet.atomic_io import write_json
from amsunet.data.discovery.layout import Sample
from amsunet.data.masks import IGNORE_INDEX, MaskConvention
from amsunet.evaluation.calibration import Calibration
from amsunet.evaluation.evaluation import Evaluation, evaluation_folder
from amsunet.evaluation.findings import PixelCounts
from amsunet.evaluation.metrics import ImageScores, score_image
from amsunet.evaluation.report import _confusion as confusion_table
from amsunet.evaluation.report import write_report
from amsunet.inference.model_ref import ModelRef

SIDE = 16
EMPTY = np.zeros((SIDE, SIDE), np.uint8)
IGNORING = np.full((SIDE, SIDE), IGNORE_INDEX, np.uint8)
PLACE = {"device": "cpu", "device_name": "CPU", "precision": "float32", "threads": 1, "memory_gib": 1, "system": "none",
         "python": "3", "packages": {}}  # fmt: skip


def square(label: int = 1, start: int = 2, size: int = 8) -> np.ndarray:
    out = EMPTY.copy()
    out[start : start + size, start : start + size] = label
    return out


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """An evaluation of pairs of truth and prediction, of a network without its run."""
    monkeypatch.chdir(tmp_path)

    def evaluate_on(pairs, names=("background", "disc"), out_of_distribution=None) -> Evaluation:
        count, scores, calibration = len(names), {}, Calibration()
        confusion = np.zeros((count, count), np.int64)
        for number, (true, found) in enumerate(pairs):
            probability = np.stack([0.8 * (found == label) + 0.2 / count for label in range(count)]).astype(np.float32)
            scores[f"image{number}"] = tuple(score_image(probability, found, true))
            calibration.add(probability, true)
            np.add.at(confusion, (true[true != IGNORE_INDEX], found[true != IGNORE_INDEX]), 1)
        labels = PixelCounts.from_scores(scores, names[1:]).labels
        images = [
            ImageScores(
                Sample(name, Path(f"{name}.png"), {}),
                classes,
                labels,
                0.1 * place,
                (out_of_distribution or {}).get(name, ""),
            )
            for place, (name, classes) in enumerate(scores.items())
        ]
        convention = MaskConvention(kind="values", values=tuple(range(count)), class_names=names)
        return Evaluation(
            model=ModelRef("amsunet", "file", Path("amsunet")), network="amsunet",
            source=str(tmp_path / "DRIVE"), split="all", images=tuple(images),
            convention=convention, calibration=calibration, uncalibrated=None, confusion=confusion, tta="none",
            threshold=0.5, uncertainty_limit=0.5, environment=PLACE, notes=(),
        )  # fmt: skip

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield evaluate_on


THREE = ("background", "liver", "spleen")
BOTH = square() + square(2, start=11, size=4)
LOST = [(square(), EMPTY)] * 10 + [(EMPTY, EMPTY)] * 2
NOTHING = [(EMPTY, EMPTY)] * 4
ABSENT = [(square(), square(start=3))] * 4
WHOLLY_IGNORED = [(IGNORING, square()), (square(), square(start=3))]


def test_a_network_that_finds_nothing_has_no_dice_of_images_with_an_object(evaluated):
    evaluation = evaluated(LOST)
    assert evaluation.interval("dice").mean == pytest.approx(2 / 12), "the share of empty images"
    assert evaluation.interval("dice", with_object=True).mean == 0
    assert evaluation.interval("dice", with_object=True).count == evaluation.images_with() == 10
    table = evaluation.table().splitlines()
    assert table[0].startswith("warning: the network marks nothing in any image")
    assert table[1] == "amsunet on DRIVE, mean over all 12 images [95 % interval]"
    assert any(line.startswith("Dice, all images") and "0.1667" in line for line in table)
    assert any(line.startswith("Dice, images that hold it") and "0.0000" in line for line in table)


def test_where_every_image_holds_an_object_there_is_one_mean(evaluated):
    evaluation = evaluated(ABSENT)
    assert evaluation.findings == () and evaluation.table().startswith("amsunet on DRIVE, mean over 4 images")
    assert "images that hold it" not in evaluation.table()
    assert evaluation.summary()["with_object"]["mean_over_classes"] == evaluation.summary()["mean_over_classes"]


def test_network_data_and_split_are_the_title(evaluated):
    evaluation = replace(evaluated(ABSENT), split="test")
    assert evaluation.title == "amsunet on DRIVE, test"
    assert replace(evaluation, source="sample:brain", split="val").title == "amsunet on brain, validation"


@pytest.mark.parametrize("found", [EMPTY, square()])
def test_images_without_foreground_have_no_dice(evaluated, found):
    evaluation = evaluated([*NOTHING, (EMPTY, found)])
    assert math.isnan(evaluation.interval("dice").mean) and math.isnan(evaluation.pooled()["dice"])
    assert evaluation.risk_coverage() is None
    table = evaluation.table()
    assert "no image holds disc" in table and "pooled over all pixels: Dice none, IoU none" in table
    assert "nan" not in table.replace("hand", "")
    assert evaluation.summary()["undefined"]["classes"] == ["disc"]


@pytest.mark.parametrize("marked", [False, True])
def test_a_class_that_never_occurs_moves_no_mean(evaluated, marked):
    stray = square(2, start=12, size=2) * marked
    evaluation, without = evaluated([(true, found + stray) for true, found in ABSENT], THREE), evaluated(ABSENT)
    assert 1 > evaluation.interval("dice").mean == pytest.approx(without.interval("dice").mean)
    assert evaluation.interval("dice", 2).count == 0
    assert evaluation.images[0].dice == pytest.approx(without.images[0].dice)
    assert evaluation.pooled()["iou"] == pytest.approx(without.pooled()["iou"])
    marked_too = " but is marked in 4 of them" * marked
    assert f"spleen does not occur in these images{marked_too}: left out of every mean" in evaluation.table()
    assert evaluation.summary()["classes"]["spleen"]["dice"]["count"] == 0


def test_a_wholly_ignored_image_has_no_score_and_is_counted(evaluated):
    evaluation = evaluated(WHOLLY_IGNORED)
    assert math.isnan(evaluation.images[0].dice)
    assert evaluation.interval("dice").count == evaluation.scored == 1
    assert evaluation.summary()["undefined"]["images"] == ("image0",)
    assert "mean over the 1 of 2 images with pixels that are not ignored" in evaluation.table()


def test_means_over_classes_that_an_image_holds(evaluated):
    evaluation = evaluated([(BOTH, square()), (square(), square())], THREE)
    assert evaluation.interval("dice", with_object=True).mean == pytest.approx((0.5 + 1) / 2)
    assert evaluation.interval("dice", 2).mean == pytest.approx(0.5), "0 where it is, 1 where it is not"
    assert evaluation.interval("dice", 2, with_object=True).mean == 0
    assert [evaluation.images_with(label) for label in (None, 1, 2)] == [2, 2, 1]


@pytest.mark.parametrize("pairs", [LOST, NOTHING, ABSENT, WHOLLY_IGNORED, [(IGNORING, EMPTY)] * 3])
@pytest.mark.parametrize("names", [("background", "disc"), THREE])
def test_the_report_holds_what_the_table_holds(evaluated, pairs, names):
    evaluation = evaluated(pairs, names)
    html = write_report(evaluation).read_text(encoding="utf-8")
    for finding in evaluation.findings:
        assert f"warning: {finding}" in evaluation.table() and finding[1:] in html
    assert "<title>amsunet on DRIVE " in html and "<h1>amsunet on DRIVE</h1>" in html
    assert ">nan" not in html and "nan<" not in html
    assert ("Which class is taken for which" in html) == (len(names) > 2)
    write_json(evaluation_folder(evaluation) / "summary.json", evaluation.summary())
    summary = json.loads((evaluation_folder(evaluation) / "summary.json").read_text(encoding="utf-8"))
    assert summary["findings"] == list(evaluation.findings)


def test_confusion_is_the_share_of_each_true_class(evaluated):
    lines = confusion_table(evaluated([(BOTH, square())], THREE))
    assert [line["name"] for line in lines] == list(THREE)
    assert [share for _, share in lines[2]["cells"]] == [1, 0, 0], "all of the spleen is missed"
    assert [line["pixels"] for line in lines] == [SIDE**2 - 80, 64, 16]


def test_out_of_distribution_images_are_one_line_that_names_the_worst(evaluated):
    out_of_distribution = {
        "image1": "contrast, saturation",
        "image2": "contrast, saturation",
        "image3": "brightness, contrast",
    }
    evaluation = evaluated(ABSENT, out_of_distribution=out_of_distribution)
    (finding,) = evaluation.findings
    assert finding == ("3 of 4 images do not look like the training images (mostly in contrast, saturation; as image3)")
    html = write_report(evaluation).read_text(encoding="utf-8")
    assert all(f"<td>{name}</td><td>{figures}</td>" in html for name, figures in out_of_distribution.items())
    assert [row["out_of_distribution"] for row in evaluation.rows()] == ["", *out_of_distribution.values()]


def test_images_of_uncertain_polarity_are_one_line(evaluated):
    evaluation = evaluated(ABSENT)
    how = "may show bright objects on dark or dark ones on bright, taken as dark objects on bright"
    unclear = [replace(one, polarity=how, uncertainty=0.1 * n) for n, one in enumerate(evaluation.images[1:])]
    evaluation = replace(evaluation, images=(evaluation.images[0], *unclear))
    assert evaluation.findings[-1] == f"image3 and 2 more {how}"
    assert [row["polarity"] for row in evaluation.rows()] == ["", how, how, how]


def test_columns_of_long_names_do_not_collide(evaluated):
    names = ("background", "left ventricular myocardium, end-diastolic", "右心室", "c")
    evaluation = evaluated([(BOTH, BOTH), (BOTH, square())], names)
    lines = evaluation.table().splitlines()
    head = next(index for index, line in enumerate(lines) if names[1] in line and "mean over classes" in line)
    starts = [lines[head].index(name) for name in names[1:3]]
    for line in lines[head + 1 : head + 4]:
        for start in starts:
            assert line[start - 2 : start] == "  " and line[start] != " "
