"""Scores of volumes are those of all their voxels."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import amsunet
from amsunet.data.discovery.sample import Sample
from amsunet.data.masks import IGNORE_INDEX
from amsunet.evaluation.metrics import ImageScores, score_mask
from amsunet.evaluation.volume_scores import as_lines, rows_of, score_volumes, summarise


@pytest.fixture
def scored(save_volume, tmp_path):
    """Scores of slices of volumes (n, h, w), each a pair of truth and prediction, with voxels of 3.2 mm3."""

    def score(volumes, num_classes=2, known=True):
        images = []
        for name, (true, found) in volumes.items():
            file = tmp_path / f"{name}.nii.gz"
            if known:
                save_volume(file, true.T)
            for z, (labels, predicted) in enumerate(zip(true, found, strict=True)):
                sample = Sample(
                    f"{name}_z{z:03}",
                    file / f"z{z:03}" if known else Path(f"{z}.png"),
                    {},
                    group=f"P{name}",
                    volume=name,
                )
                images.append(ImageScores(sample, tuple(score_mask(predicted, labels, num_classes)), (1,), 0.0))
        return images

    return score


def _slices_of(images):
    return Counter(image.sample.volume for image in images)


def _dice(true, found, label=1):
    a, b = true == label, (found == label) & (true != IGNORE_INDEX)
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_dice_and_millilitres_are_those_of_all_voxels(scored):
    rng = np.random.default_rng(0)
    volumes = {name: tuple(rng.integers(0, 3, (2, 5, 8, 9)).astype(np.uint8)) for name in ("a", "b")}
    volumes["a"][0][:2] = 0
    volumes["b"][0][3, :4] = IGNORE_INDEX
    images = scored(volumes, 3)
    found = score_volumes(images, _slices_of(images))
    assert [(one.name, one.group, one.slices) for one in found] == [("a", "Pa", 5), ("b", "Pb", 5)]
    for volume, (true, predicted) in zip(found, volumes.values(), strict=True):
        for label, scores in enumerate(volume.classes, start=1):
            assert scores.dice == pytest.approx(_dice(true, predicted, label))
            assert scores.true_ml == pytest.approx((true == label).sum() * 0.0032)
            assert scores.predicted_ml == pytest.approx(((predicted == label) & (true != IGNORE_INDEX)).sum() * 0.0032)
    rows = summarise(found, ("cup", "disc"), (1, 2))
    assert [row.name for row in rows] == ["cup", "disc"]
    assert rows[0].dice.mean == pytest.approx(np.mean([one.classes[0].dice for one in found]))
    assert rows[0].error_ml == pytest.approx(
        np.mean([abs(one.classes[0].true_ml - one.classes[0].predicted_ml) for one in found])
    )
    assert as_lines(rows, 2)[1].startswith(f"per volume (2): Dice of disc {rows[1].dice}; ")
    table = list(rows_of(found, ("cup", "disc")))
    assert [(row["volume"], row["class"], row["group"]) for row in table] == [
        ("a", "cup", "a"), ("a", "disc", "a"), ("b", "cup", "b"), ("b", "disc", "b")]  # fmt: skip


def test_empty_volumes_follow_the_rule_for_empty_masks(scored):
    empty, full = np.zeros((2, 4, 4), np.uint8), np.ones((2, 4, 4), np.uint8)
    ignored = np.full((2, 4, 4), IGNORE_INDEX, np.uint8)
    images = scored({"both": (empty, empty), "one": (empty, full), "other": (full, empty), "none": (ignored, full)})
    dice = [one.classes[0].dice for one in score_volumes(images, _slices_of(images))]
    assert dice[:3] == [1, 0, 0] and math.isnan(dice[3])


def test_a_part_of_a_volume_has_no_score_and_images_have_none(scored):
    images = scored({"a": (np.ones((3, 4, 4), np.uint8),) * 2, "b": (np.ones((2, 4, 4), np.uint8),) * 2})
    assert [one.name for one in score_volumes(images[1:], _slices_of(images))] == ["b"]
    alone = [ImageScores(Sample("1", Path("1.png"), {}), image.classes, (1,), 0.0) for image in images]
    assert score_volumes(alone, _slices_of(alone)) == ()


def test_millilitres_are_left_out_where_no_file_tells_the_size_of_a_voxel(scored):
    images = scored({"a": (np.ones((3, 4, 4), np.uint8),) * 2}, known=False)
    found = score_volumes(images, _slices_of(images))
    assert math.isnan(found[0].classes[0].true_ml)
    assert as_lines(summarise(found, ("disc",), (1,)), 1) == ["per volume (1): Dice 1.0000"]


def test_an_evaluation_of_slices_tells_of_volumes_and_that_it_is_2d(run, make_volumes, tmp_path):
    evaluation = amsunet.evaluate(run, make_volumes(2), out=tmp_path / "out")
    assert [(one.name, one.slices) for one in evaluation.volumes] == [("case_000", 5), ("case_001", 5)]
    assert len((tmp_path / "out" / "volumes.csv").read_text().splitlines()) == 3
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["volumes"]["volumes"] == 2
    found = evaluation.volumes[0].classes[0]
    assert found.true_ml == pytest.approx((found.true_positives + found.false_negatives) * 0.0032)
    assert "per volume (2): Dice" in evaluation.table() and any("2D" in note for note in evaluation.notes)
    report = amsunet.write_report(evaluation).read_text()
    assert "mean over 2 volumes" in report and "This is 2D" in report
