"""The audit before a training."""

from __future__ import annotations

import json

import pytest
from made_device import CPU

from amsunet.data.images import read_image
from amsunet.training.check import check


@pytest.fixture(scope="module")
def checked(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("check")
    return check("sample:nuclei", {**{**tiny, "steps_per_epoch": None}, "epochs": 2}, out=out, device=CPU), out


def test_check_writes_pictures_and_a_record(checked):
    result, out = checked
    assert {path.name for path in out.iterdir()} == {"contact-sheet.png", "check.json"}
    assert read_image(result.sheet).shape[2] == 3
    record = json.loads((out / "check.json").read_text())
    assert record["plan"]["crop"] == [64, 64]
    assert len(record["splits"]) == 16
    assert record["problems"] == []


def test_check_tells_what_it_found_and_what_it_costs(checked):
    result, _ = checked
    text = str(result)
    assert "10 images to train, 2 to validate, 4 to test" in text
    assert "2 epochs of 10 steps take about" in text
    assert "predicting an image of median size: about" in text
    assert result.problems == 0
    assert result.cost.seconds_per_step > 0
    assert result.cost.seconds_per_image > 0
    assert 10**6 < result.cost.memory < 10**9


def test_check_shows_the_plan_that_train_would_follow(tiny, tmp_path):
    """Minutes are cut into epochs, few passes make the augmentation light, and what would do is told."""
    settings = {**tiny, "steps_per_epoch": None}
    result = check("sample:nuclei", {"minutes": 0.001, **settings}, out=tmp_path, device=CPU)
    assert result.plan.steps_per_epoch == 4
    assert result.plan.augmentation == "light"
    assert "(about 6 epochs of 4 steps)" in str(result)
    record = json.loads((tmp_path / "check.json").read_text())
    assert record["plan"]["steps_per_epoch"] == 4
    assert record["warnings"][-1].startswith("0.001 minutes are too few here: reading and measuring took ")
    assert record["warnings"][-1] in str(result)
