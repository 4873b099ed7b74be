"""A plan by minutes fitted to the machine: its steps, and what it gives up where there are few of them."""

from __future__ import annotations

from typing import Any

from amsunet.machine import Machine
from amsunet.training.estimate import Cost, measure_cost
from amsunet.training.plan import AS_SAID, Plan

_PASSES_FOR_WIDTH = 6
"""Over the images; from fewer a network of half the width learns more, for it takes more steps (docs/recipe.md)."""
_NARROW = 16
"""Base channels. Widths that 16 does not divide save next to nothing: oneDNN pads channels to its vectors' length."""
_FEWEST = 4
"""Steps of an epoch."""
_PASSES_FOR_AUGMENTATION = 20
"""Images that come up less often gain nothing from being changed much."""


def fit_to_budget(plan: Plan, num_classes: int, machine: Machine, training_images: int) -> tuple[Plan, Cost]:
    """Measure what a step costs, and cut the minutes into epochs; a plan by epochs stays."""
    cost = measure_cost(plan, num_classes, machine)
    if machine.device == "cpu" and _may_be_narrower(plan):
        epochs = epochs_in_budget(plan)
        # As many steps as there is time for: the clock adds epochs where they are shorter than their share.
        steps = max(_FEWEST * epochs, 0.8 * (plan.minutes or 0) * 60 / cost.seconds_per_step)
        passes = steps * plan.batch_size / training_images
        if passes < _PASSES_FOR_WIDTH:
            reason = f"half of amsunet's: at full width each image would come up only {passes:.1f} times"
            settings = {"base_channels": _NARROW, "reasons": plan.reasons | {"base_channels": reason}}
            plan = plan.model_copy(update=settings)
            cost = measure_cost(plan, num_classes, machine)
    return fill_budget(plan, cost.seconds_per_step, training_images), cost


def _may_be_narrower(plan: Plan) -> bool:
    """Whether nobody has said anything about the network."""
    said = "model" in plan.reasons or plan.base_channels is not None or plan.model_options
    return not said and plan.start is None and plan.steps_per_epoch is None


def epochs_in_budget(plan: Plan) -> int:
    """Epochs to cut a number of minutes into: enough to choose from, few enough that validation stays cheap."""
    return int(min(24, max(6, (plan.minutes or 0) / 2)))


def fill_budget(plan: Plan, seconds_per_step: float, training_images: int) -> Plan:
    """Cut the minutes into epochs of a length that gives validation enough chances; a plan by epochs stays."""
    if plan.steps_per_epoch is not None:
        return plan
    steps = _steps_per_epoch(plan, seconds_per_step)
    reasons = plan.reasons | {"steps_per_epoch": f"a step takes {seconds_per_step:.2f} s here"}
    settings: dict[str, Any] = {"steps_per_epoch": steps}
    passes = _passes(plan, steps, training_images)
    chosen = reasons.get("augmentation") == AS_SAID or plan.augmentation in ("none", "paper")
    if passes < _PASSES_FOR_AUGMENTATION and not chosen:
        settings["augmentation"] = "light"
        reasons["augmentation"] = f"each image comes up only {passes:.0f} times"
    return plan.model_copy(update={**settings, "reasons": reasons})


def _steps_per_epoch(plan: Plan, seconds_per_step: float) -> int:
    # A fifth of the time goes to validation and writing.
    return min(250, max(_FEWEST, int(0.8 * (plan.minutes or 0) * 60 / epochs_in_budget(plan) / seconds_per_step)))


def _passes(plan: Plan, steps_per_epoch: int, training_images: int) -> float:
    return steps_per_epoch * epochs_in_budget(plan) * plan.batch_size / training_images
