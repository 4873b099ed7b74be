"""What minutes come to on a machine."""

from __future__ import annotations

import pytest

from amsunet.machine import choose_machine
from amsunet.training.budget import fill_budget, fit_to_budget
from amsunet.training.prepare import prepare


@pytest.mark.parametrize(("seconds", "steps"), [(0.5, 32), (0.001, 250), (60.0, 4)])
def test_minutes_are_cut_into_epochs_by_the_time_of_a_step(seconds, steps):
    prepared = prepare("sample:nuclei", device="cpu", overrides={"minutes": 2.0})
    plan = fill_budget(prepared.plan, seconds, training_images=10)
    assert plan.steps_per_epoch == steps
    assert "a step takes" in plan.reasons["steps_per_epoch"]
    assert plan.augmentation == ("light" if steps == 4 else "medium")  # 12 passes over the images are few


def test_a_budget_leaves_what_was_said():
    said = {"minutes": 2.0, "augmentation": "strong"}
    plan = fill_budget(prepare("sample:nuclei", device="cpu", overrides=said).plan, 60.0, training_images=10)
    assert plan.augmentation == "strong"
    by_epochs = prepare("sample:nuclei", device="cpu", overrides={"epochs": 3}).plan
    assert fill_budget(by_epochs, 60.0, training_images=10) == by_epochs


def _fitted(images, recipe="default", **said):
    settings = {"crop": (32, 32), "batch_size": 2, **said}
    plan = prepare("sample:nuclei", device="cpu", recipe=recipe, overrides=settings).plan
    return fit_to_budget(plan, 2, choose_machine("cpu"), images)[0]


def test_many_images_in_few_minutes_get_a_network_of_half_the_width():
    plan = _fitted(10_000, minutes=0.1)
    assert plan.base_channels == 16
    assert "come up only 0." in plan.reasons["base_channels"]
    assert _fitted(3, minutes=0.1).base_channels is None
    assert _fitted(10_000, minutes=10_000.0).base_channels is None, "there is time for it"


@pytest.mark.parametrize(
    "said",
    [
        {"model": "amsunet"},
        {"base_channels": 32},
        {"start": "nuclei"},
        {"steps_per_epoch": 4},
        {"model_options": {"skip_attention": "se"}},
        {"recipe": "paper", "augmentation": "light"},
    ],
)
def test_a_network_that_was_named_keeps_its_width(said):
    assert _fitted(10_000, minutes=0.1, **said).base_channels == said.get("base_channels")


def test_a_plan_by_epochs_keeps_its_network():
    assert _fitted(10_000, epochs=1).base_channels is None
