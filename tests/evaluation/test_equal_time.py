"""Equal time as steps: how networks are timed, how long they then train, and what a study that goes on keeps."""

from __future__ import annotations

import csv
import json

import pytest
from made_device import CPU
from made_networks import FAILING

from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.evaluation import equal_time
from amsunet.evaluation.compare import compare
from amsunet.evaluation.comparison_page import write_page
from amsunet.evaluation.study import StudyDesign, read_study
from amsunet.training.plan_schema import with_settings
from amsunet.training.run_folder import read_run

BOTH = Device("cpu", "bfloat16", 1, ("bfloat16", "float32"))
SETTINGS = {"crop": (32, 32), "batch_size": 2}
DESIGN = StudyDesign(seeds=1, jobs=1, equal_time=0.02)
SECONDS = {
    "unet@4": {"bfloat16": 0.2, "float32": 0.1},
    "unext": {"bfloat16": 0.05, "float32": 0.1},
    "unet@8": {"bfloat16": 0.4, "float32": 0.2},
}
"""Of a step on a machine that is made up, so that it is known how many steps there must be."""


@pytest.fixture(scope="module")
def timed(tmp_path_factory, trials_here, logged):
    """Two networks of equal time, then a third, on a day when the machine takes twice as long."""
    out, seen, slower = tmp_path_factory.mktemp("study") / "out", [], [1]

    def measure(steps, rounds):
        seen.append({name for name, _ in steps})
        return {(name, kind): slower[0] * SECONDS[name][kind] for name, kind in steps}

    with pytest.MonkeyPatch.context() as patch, trials_here(), logged() as said:
        patch.setattr(equal_time, "measure_steps", measure)
        compare("sample:nuclei", ["unet@4", "unext"], SETTINGS, out=out, design=DESIGN, device=BOTH)
        slower[0] = 2
        models = ["unext", "unet@4", "unet@8"]
        comparison = compare("sample:nuclei", models, SETTINGS, out=out, design=DESIGN, device=BOTH)
    return comparison, seen, "\n".join(said)


def test_each_network_trains_as_many_steps_as_the_minutes_hold_in_its_faster_precision(timed):
    comparison, _, said = timed
    for name, steps, precision in (("unet@4", 12, "float32"), ("unext", 24, "bfloat16"), ("unet@8", 6, "float32")):
        config = json.loads((comparison.folder / "cells" / f"{name}-seed0" / "config.json").read_text())
        assert config["plan"]["epochs"] * config["plan"]["steps_per_epoch"] == steps
        assert config["precision"] == precision
        assert config["plan"]["minutes"] is None
        assert f"{steps} steps in {precision}" in said
    assert [row.steps for row in comparison.rows] == [24, 12, 6]
    assert "each of 0.02 minutes of training steps, as timed beforehand" in said


def test_all_get_as_many_looks_at_validation_images(timed):
    comparison, _, _ = timed
    epochs = {
        len((comparison.folder / "cells" / f"{row.variant.name}-seed0" / "metrics.csv").read_text().splitlines())
        for row in comparison.rows
    }
    assert len(epochs) == 1


def test_a_network_that_joins_is_timed_beside_one_that_was_there(timed):
    comparison, seen, _ = timed
    assert seen == [{"unet@4", "unext"}, {"unet@4", "unet@8"}]
    paces = read_study(comparison.folder).paces
    assert paces == SECONDS, "as on the first day"


def test_another_learning_rate_gets_as_many_steps_and_is_not_timed(timed, tmp_path, monkeypatch):
    study = read_study(timed[0].folder)
    [unet] = [variant for variant in study.variants if variant.name == "unet@4"]
    slow = unet.model_copy(update={"name": "slow", "settings": {"learning_rate": 1e-4}})
    joined = study.model_copy(update={"variants": (*study.variants, slow)})
    (tmp_path / "study.json").write_text(joined.model_dump_json(), encoding="utf-8")
    plan = read_run(timed[0].folder / "cells" / "unet@4-seed0")[0].plan
    monkeypatch.setattr(equal_time, "measure_steps", lambda steps, rounds: pytest.fail(f"timed {steps}"))

    def plan_of(variant):
        return with_settings(plan, {"model": variant.model, "model_options": variant.options, **variant.settings})

    found = equal_time.with_paces(tmp_path, joined, plan_of, 2, BOTH)
    assert found.paces["slow"] == found.paces["unet@4"] == read_study(tmp_path).paces["slow"]


def test_results_name_step_and_precision(timed):
    comparison, _, _ = timed
    table = comparison.table()
    assert "ms a step" in table and "equal for all: 0.02 minutes of training steps" in table
    with (comparison.folder / "networks.csv").open(newline="") as file:
        rows = {row["network"]: row for row in csv.DictReader(file)}
    assert {name: (row["precision"], float(row["seconds_per_step"])) for name, row in rows.items()} == {
        "unet@4": ("float32", 0.1),
        "unext": ("bfloat16", 0.05),
        "unet@8": ("float32", 0.2),
    }
    assert json.loads((comparison.folder / "comparison.json").read_text())["equal_time"] == 0.02


def test_the_page_draws_a_curve_for_each_family(timed):
    comparison, _, _ = timed
    html = write_page(comparison).read_text(encoding="utf-8")
    picture = html[html.index("Dice over time") :].split("</svg>")[0]
    assert all(picture.count(f">{name}</text>") == 2 for name in ("unet@4", "unet@8", "unext")), "by both times"
    assert "milliseconds for a step of training" in picture
    assert "in the faster of bfloat16 and float32" in html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": StudyDesign(seeds=1, jobs=1, equal_time=0.03)}, "another number of minutes for equal_time"),
        ({"design": StudyDesign(seeds=1, jobs=1), "settings": {**SETTINGS, "minutes": 0.02}}, "equal_time"),
        ({"design": StudyDesign(seeds=1, equal_time=0.0)}, "equal_time 0: give the minutes"),
        ({"settings": {**SETTINGS, "minutes": 5}}, "equal_time sets how long networks train: leave minutes out"),
        ({"settings": {**SETTINGS, "epochs": 5}}, "leave epochs out"),
        ({"design": StudyDesign(seeds=1, folds=3, split="val")}, "leave split out"),
    ],
)
def test_what_goes_with_no_equal_time_is_said(changes, message, timed, tmp_path):
    out = timed[0].folder if "another" in message or message == "equal_time" else tmp_path / "out"
    given = {"settings": SETTINGS, "design": DESIGN, **changes}
    with pytest.raises(InputError, match=message):
        compare("sample:nuclei", ["unet@4"], given["settings"], out=out, design=given["design"], device=BOTH)


def test_a_network_that_cannot_be_trained_is_said_before_hours_are_spent(tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    models = ["unext", f"{tmp_path / 'failing.py'}:build"]
    with pytest.raises(InputError, match=r"failing\.build: no step can be trained of it \(memory ran out"):
        compare("sample:nuclei", models, SETTINGS, out=tmp_path / "out", design=DESIGN, device=CPU)
    assert not list((tmp_path / "out").glob("cells/*"))
