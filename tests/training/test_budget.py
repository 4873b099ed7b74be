"""What minutes come to on a machine."""

from __future__ import annotations

import time

import pytest
from made_fingerprint import made_fingerprint

from amsunet.device import Device
from amsunet.training import budget
from amsunet.training.budget import Spending, fill_budget, fit_to_budget
from amsunet.training.closing import NOTHING, ClosingCost
from amsunet.training.plan import make_plan
from amsunet.training.plan_schema import START
from amsunet.training.start import with_start
from amsunet.training.step_cost import StepCost

VESSELS = {"thickness": 3.5, "skeleton_share": 0.3, "class_shares": (0.87, 0.13)}
CPU = Device("cpu", "float32", 1)


@pytest.fixture
def fit(monkeypatch):
    """Fit a plan on a machine that takes so many seconds for a million pixels of a step."""

    def on(pace, *, images=100, said=None, gone=10.0, closing=NOTHING, recipe="default", device="cpu", **changes):
        def cost(plan, num_classes, device, hopeless=float("inf")):
            work = plan.batch_size * plan.crop[0] * plan.crop[1] / 1e6
            measured.append(plan)
            return StepCost(
                pace * (0.02 + work), 10**8, pace * work / plan.batch_size / 3, pace * work / plan.batch_size / 3
            )

        measured: list[object] = []
        monkeypatch.setattr(budget, "measure_cost", cost)
        monkeypatch.setattr(budget.time, "monotonic", lambda: 1000.0 + gone)
        fingerprint = made_fingerprint(**changes)
        plan = with_start(make_plan(fingerprint, images, {**said, "recipe": recipe}, device=device), (), device=device)
        fitted = fit_to_budget(
            plan,
            2,
            CPU if device == "cpu" else Device(device, "float32", 1),
            images,
            fingerprint,
            Spending(1000.0, closing),
        )
        assert len(measured) <= 6, "measuring is not for free"
        return fitted

    return on


def _judging(images, seconds):
    return ClosingCost(images, 512.0 * 512, 0.0, 0.0, 0.0, seconds, 0.0)


def _steps(plan):
    return plan.steps_per_epoch * budget.epochs_in_budget(plan)


def test_time_enough_changes_nothing(fit):
    said = {"minutes": 20.0}
    fingerprint = made_fingerprint()
    fitted = fit(1.0, said=said)
    derived = make_plan(fingerprint, 100, said, device="cpu")
    changed = {name for name in type(derived).model_fields if getattr(derived, name) != getattr(fitted.plan, name)}
    assert changed <= {"steps_per_epoch", "reasons"}
    assert fitted.warnings == ()
    assert "a step takes" in fitted.plan.reasons["steps_per_epoch"]


@pytest.mark.parametrize("pace", [1.0, 5.0, 25.0])
@pytest.mark.parametrize("kind", [{}, VESSELS], ids=["organs", "vessels"])
def test_a_slow_machine_takes_smaller_steps_and_not_fewer(fit, pace, kind):
    plan = fit(pace, said={"minutes": 4.0}, **kind).plan
    full = fit(0.01, said={"minutes": 4.0}, **kind).plan
    assert _steps(plan) >= 60
    assert (plan.model, plan.base_channels) == ("amsunet_lite", None)
    if pace > 5:
        assert plan.batch_size * plan.crop[0] * plan.crop[1] < full.batch_size * full.crop[0] * full.crop[1]
        assert any("there would be time for only" in why for why in plan.reasons.values())
    assert (plan.scale == full.scale) or not kind, "thin lines are not made thinner"


def test_many_images_in_few_minutes_are_made_smaller(fit):
    fitted = fit(2.5, images=5000, said={"minutes": 4.0})
    assert fitted.plan.scale < 0.375
    assert fitted.plan.crop == (round(512 * fitted.plan.scale),) * 2
    assert "at scale 0.375 each image would come up only" in fitted.plan.reasons["scale"]
    assert fitted.plan.batch_size == 8, "more steps would not show more of the images"
    assert fit(2.5, images=3, said={"minutes": 4.0}).plan.scale == 0.375


SAID = [
    {"scale": 0.5},
    {"crop": (128, 128)},
    {"batch_size": 8},
    {"base_channels": 32},
    {"model": "amsunet"},
    {"augmentation": "strong"},
    {"quarter_turns": False},
    {"steps_per_epoch": 7},
    {"validation_images": 12},
    {"validated_each_epoch": 20},
    {"model_options": {"skip_attention": "se"}},
]


@pytest.mark.parametrize("said", SAID, ids=str)
def test_what_was_said_stays(fit, said):
    plan = fit(50.0, said=said | {"minutes": 2.0}, closing=_judging(100, 1.0)).plan
    assert {name: getattr(plan, name) for name in said} == said
    assert plan.minutes == 2.0
    if "model" in said or "model_options" in said:
        assert plan.base_channels is None


def test_trained_weights_keep_their_width_and_scale(fit):
    plan = fit(50.0, said={"minutes": 2.0, "pretrained": "nuclei"}).plan
    assert (plan.base_channels, plan.scale, plan.batch_size) == (None, 0.375, 4)


def test_of_few_steps_more_is_learnt_from_the_start_of_the_zoo(fit):
    few, many = fit(25.0, said={"minutes": 2.0}).plan, fit(1.0, said={"minutes": 20.0}).plan
    assert _steps(few) < 300 <= _steps(many)
    assert few.pretrained == START and few.reasons["pretrained"] == "of fewer than 300 steps more is learnt from there"
    assert many.pretrained is None
    assert many.reasons["pretrained"] == f"random weights, for there is time for {_steps(many)} steps"
    small = fit(25.0, said={"minutes": 2.0, "pretrained": "none"}).plan
    assert small.pretrained is None and small.scale == few.scale, "the start knows structures of several sizes"
    assert fit(1.0, said={"minutes": 20.0, "pretrained": START}).plan.pretrained == START, "as it was set"


def test_the_released_recipe_stays(fit):
    plan = fit(50.0, said={"minutes": 2.0}, recipe="paper").plan
    assert (plan.base_channels, plan.scale, plan.crop, plan.batch_size) == (None, 1.0, (480, 480), 2)


def test_a_gpu_trains_the_network_of_the_paper(fit):
    assert fit(50.0, said={"minutes": 2.0}, device="cuda").plan.model == "amsunet"


def test_a_plan_by_epochs_stays(fit):
    fitted = fit(1000.0, said={"epochs": 2})
    assert (fitted.plan.base_channels, fitted.plan.scale, fitted.closing_seconds) == (None, 0.375, 0.0)
    assert "2 epochs of 25 steps take about" in str(fitted)


def test_judging_is_paid_by_the_minutes(fit):
    fitted = fit(1.0, said={"minutes": 4.0}, closing=_judging(50, 1.0))
    assert fitted.plan.validation_images is None
    assert 50 < fitted.closing_seconds < 65, "50 seconds, and predicting"
    free = fit(1.0, said={"minutes": 4.0})
    assert _steps(fitted.plan) < 0.85 * _steps(free.plan)
    assert "of 4 minutes 10 s went to reading and measuring" in str(fitted)


def test_too_many_images_to_judge_are_judged_in_part(fit):
    fitted = fit(1.0, said={"minutes": 4.0}, closing=_judging(1000, 1.0))
    assert fitted.closing_seconds < 0.3 * 230
    assert 40 < fitted.plan.validation_images < 69
    assert -(-1000 // -(-1000 // fitted.plan.validation_images)) == fitted.plan.validation_images, "evenly spread"
    assert "all 1000 would take too much" in fitted.plan.reasons["validation_images"]


def test_validation_between_epochs_is_cut_too(fit):
    huge = ClosingCost(30, 4000.0 * 4000, 0.0, 0.0, 0.0, 0.0, 0.0)
    fitted = fit(5.0, said={"minutes": 4.0, "scale": 0.5}, closing=huge)
    assert 4 <= fitted.plan.validated_each_epoch < 24
    assert _steps(fitted.plan) >= 24


def test_minutes_that_are_too_few_are_told_with_what_would_do(fit):
    (warning,) = fit(200.0, said={"minutes": 2.0}).warnings
    assert warning.startswith("2 minutes are too few here: reading and measuring took 10 s")
    needed = int(warning.split("about ")[1].split()[0])
    assert needed > 2
    assert fit(200.0, said={"minutes": float(needed)}).warnings == ()


def test_reading_alone_may_take_longer_than_the_minutes(fit):
    fitted = fit(1.0, said={"minutes": 1.0}, gone=100.0)
    assert "reading and measuring took 100 s, so the command takes 15 s more" in fitted.warnings[0]
    assert fitted.started == 1000.0 + 100.0 - 45.0, "a quarter is left all the same"
    assert _steps(fitted.plan) > 24
    assert "training gets 15 s" in str(fitted)


@pytest.mark.parametrize(("seconds", "steps"), [(0.5, 32), (0.001, 250), (60.0, 4)])
def test_minutes_are_cut_into_epochs_by_the_time_of_a_step(seconds, steps):
    """As ``compare`` does for all of its networks alike."""
    prepared = make_plan(made_fingerprint(), 10, {"minutes": 2.0}, device="cpu")
    plan = fill_budget(prepared, seconds, training_images=10)
    assert plan.steps_per_epoch == steps
    assert plan.augmentation == ("light" if steps == 4 else "medium")  # 12 passes over the images are few


def test_time_runs_while_a_plan_is_made():
    plan = make_plan(made_fingerprint(), 10, {"minutes": 1.0}, device="cpu")
    assert Spending(time.monotonic() - 20, NOTHING).left(plan) == pytest.approx(40, abs=1)
    assert Spending(time.monotonic() - 200, NOTHING).left(plan) == 0
