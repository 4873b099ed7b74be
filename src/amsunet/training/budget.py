"""A plan by minutes fitted to the machine: its steps, and what it gives up where there are few of them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from amsunet.data.fingerprint import Fingerprint
from amsunet.device import Device
from amsunet.training.closing import NOTHING, ClosingCost, rehearse
from amsunet.training.command_time import CommandTime
from amsunet.training.distributed import current_group
from amsunet.training.plan_schema import USER_SET, Plan
from amsunet.training.prepare import Preparation
from amsunet.training.smaller import smaller
from amsunet.training.start import settle_start
from amsunet.training.step_cost import StepCost, measure_cost
from amsunet.wording import setting

_ENOUGH_STEPS = 300
_ENOUGH_PASSES = 6
"""Over the images; from fewer smaller images teach more, for they come up more often
(docs/recipe.md)."""
_ALWAYS_ENOUGH = 1500
"""Steps: where there are more images than so many show, they need not be smaller."""
_HOPELESS = 3
"""Times the step that there is time for: it is not measured twice."""
_FEWEST = 4
"""Steps of an epoch."""
_PASSES_FOR_AUGMENTATION = 20
"""Images that come up less often gain nothing from being changed much."""
_FEW_STEPS = 80
"""From fewer hardly anything is learnt."""
_TO_CLOSE = 0.3
"""Of the time left, at most, for what comes after the last epoch."""
_AT_LEAST = 0.25
"""Of the minutes for training and what follows, even if reading took longer than the rest."""
_TO_VALIDATE = 0.15
"""Of the training, at most, but for ``_FEWEST_VALIDATED`` images."""
_FEWEST_VALIDATED = 4
_IN_THE_LOOP = 1.1
"""Times the time of a step alone: crops are cut, figures kept."""


@dataclass(frozen=True)
class Spending:
    """What of the minutes does not go to training."""

    started: float
    """When the minutes began, by ``time.monotonic``."""
    closing: ClosingCost

    def left(self, plan: Plan) -> float:
        """Seconds until the minutes are over."""
        return max(0.0, (plan.minutes or 0) * 60 - (time.monotonic() - self.started))

    def with_some_left(self, plan: Plan) -> Spending:
        """The same, begun later where reading has left next to nothing: what is not trained at all is of no use."""
        latest = time.monotonic() - (1 - _AT_LEAST) * (plan.minutes or 0) * 60
        return replace(self, started=max(self.started, latest))


@dataclass(frozen=True)
class Fitted:
    """A plan as this machine will follow it."""

    plan: Plan
    cost: StepCost
    reading_seconds: float = 0.0
    """That were gone before the first step."""
    closing_seconds: float = 0.0
    """Kept back from the minutes for what comes after the last epoch."""
    warnings: tuple[str, ...] = ()
    started: float = 0.0
    """When the minutes are taken to have begun: later than they did where reading left next to nothing of them."""

    def __str__(self) -> str:
        """What the minutes are spent on."""
        plan = self.plan
        steps = f"{epochs_in_budget(plan)} epochs of {plan.steps_per_epoch} steps"
        if plan.minutes is None:
            minutes = (plan.epochs or 0) * (plan.steps_per_epoch or 1) * self.cost.seconds_per_step / 60
            return f"{plan.epochs} epochs of {plan.steps_per_epoch} steps take about {minutes:.0f} minutes"
        left = max(_AT_LEAST * plan.minutes * 60, plan.minutes * 60 - self.reading_seconds)
        training = max(0.0, left - self.closing_seconds)
        return (
            f"of {plan.minutes:g} minutes {self.reading_seconds:.0f} s went to reading and measuring; training gets "
            f"{training:.0f} s (about {steps}), evaluation and report {self.closing_seconds:.0f} s"
        )


@dataclass(frozen=True)
class _Forecast:
    """What a plan comes to in the time that is left."""

    training: float
    """Seconds."""
    closing: float
    evaluated: int
    validated: int
    """Images, after each epoch."""
    steps: float
    passes: float

    @property
    def share(self) -> float:
        """Of what is enough: from 1 on images come up often enough."""
        return min(self.steps / _ENOUGH_STEPS, max(self.passes / _ENOUGH_PASSES, self.steps / _ALWAYS_ENOUGH))

    @property
    def shortage(self) -> str:
        if self.steps < _ENOUGH_STEPS and self.passes > self.steps * _ENOUGH_PASSES / _ENOUGH_STEPS:
            return f"there would be time for only {self.steps:.0f} steps"
        return f"each image would come up only {self.passes:.2g} times"


def fit_prepared(prepared: Preparation, device: Device, time_of: CommandTime) -> Fitted:
    """Fit what was prepared to this machine: what ``check`` shows and ``train`` follows.

    Args:
        prepared: The data set and its plan.
        device: Where it is trained.
        time_of: The command that the minutes are of.
    """
    plan, classes = prepared.plan, prepared.dataset.convention.num_classes
    training, validation = prepared.of("train"), prepared.of("val")
    if prepared.folds is not None:  # each has its own
        training, validation = training[: prepared.training_images], training[prepared.training_images :]
    closing = NOTHING
    if plan.minutes is not None:
        thickness = prepared.fingerprint.thickness
        closing = rehearse(prepared.dataset, training, validation, plan, thickness, time_of.evaluating)
    spending = Spending(time_of.started, closing)
    return fit_to_budget(plan, classes, device, prepared.training_images, prepared.fingerprint, spending)


def fit_to_budget(
    plan: Plan,
    num_classes: int,
    device: Device,
    training_images: int,
    fingerprint: Fingerprint,
    spending: Spending,
) -> Fitted:
    """Measure what a step costs, give up what does not fit into the minutes, and cut them into epochs.

    The steps of a plan by epochs, and those that the user set, stay.
    """
    if plan.minutes is None:
        cost = measure_cost(plan, num_classes, device)
        return Fitted(fill_budget(plan, cost.seconds_per_step, training_images), cost)
    began = spending.started
    while True:
        spending = spending.with_some_left(plan)
        next_one = partial(smaller, plan, fingerprint, training_images, device.type)
        fixed = plan.steps_per_epoch is not None or next_one(0.5, few_steps=True) is None
        hopeless = math.inf if fixed else _HOPELESS * spending.left(plan) / _ENOUGH_STEPS
        cost = measure_cost(plan, num_classes, device, hopeless)
        forecast = _foresee(plan, cost, spending, training_images)
        if fixed or forecast.share >= 1:
            break
        wanted, plan = plan, _give_up(plan, forecast, fingerprint, training_images, device.type)
        if plan is wanted:
            break
    plan = _validated_in_time(plan, forecast, spending.closing)
    gone = time.monotonic() - began
    warnings = _too_few(plan, cost, forecast, gone)
    plan = fill_budget(plan, cost.seconds_per_step, training_images, forecast.steps)
    plan = settle_start(plan, epochs_in_budget(plan))
    return Fitted(plan, cost, gone, forecast.closing, warnings, spending.started)


def _give_up(plan: Plan, forecast: _Forecast, fingerprint: Fingerprint, training_images: int, device: str) -> Plan:
    """As much as is needed at the least, by what it would save at best: the rest is left to measuring anew."""
    first, share = plan, forecast.share
    while share < 1:
        saved = share / forecast.share
        then = replace(forecast, steps=forecast.steps * saved, passes=forecast.passes * saved)
        given_up = smaller(plan, fingerprint, training_images, device, share, few_steps=then.steps < _ENOUGH_STEPS)
        if given_up is None:
            break
        reason = f"{given_up.before} {then.shortage}"
        plan = given_up.plan.model_copy(update={"reasons": given_up.plan.reasons | {given_up.setting: reason}})
        share = forecast.share * _pixels(first) / _pixels(plan)
    return plan


def _pixels(plan: Plan) -> int:
    """Of a step, which its time grows with."""
    return math.prod(plan.crop) * plan.batch_size


def _foresee(plan: Plan, cost: StepCost, spending: Spending, training_images: int) -> _Forecast:
    closing, left = spending.closing, spending.left(plan)
    area = math.prod(plan.crop)
    per_image = closing.of_image(plan.scale, cost.seconds_per_image / area)
    fixed = closing.seconds(plan.scale, 0.0, 0)
    evaluated = plan.validation_images or closing.images
    if plan.validation_images is None and fixed + evaluated * per_image > _TO_CLOSE * left:
        evaluated = min(evaluated, max(_FEWEST_VALIDATED, int((_TO_CLOSE * left - fixed) / per_image)))
        evaluated = -(-closing.images // -(-closing.images // evaluated))  # as many as an even part of them has
    seconds = fixed + evaluated * per_image
    training = max(0.0, left - seconds)
    validating = epochs_in_budget(plan) * cost.seconds_per_validated * closing.pixels * plan.scale**2 / area
    validated = min(plan.validated_each_epoch, evaluated)
    if plan.reasons.get("validated_each_epoch") != USER_SET and validated * validating > _TO_VALIDATE * training:
        validated = min(validated, max(_FEWEST_VALIDATED, int(_TO_VALIDATE * training / validating)))
    stepping = max(0.0, training - validated * validating)
    if plan.steps_per_epoch is not None:
        steps = float(plan.steps_per_epoch * epochs_in_budget(plan))
    else:
        steps = max(_FEWEST * epochs_in_budget(plan), stepping / (_IN_THE_LOOP * cost.seconds_per_step))
    crops = plan.batch_size * current_group().size
    return _Forecast(training, seconds, evaluated, validated, steps, steps * crops / training_images)


def _validated_in_time(plan: Plan, forecast: _Forecast, closing: ClosingCost) -> Plan:
    """Validate on a part of the images where all of them would take too much of the time."""
    settings: dict[str, Any] = {}
    reasons = dict(plan.reasons)
    if plan.validation_images is None and forecast.evaluated < closing.images:
        settings["validation_images"] = forecast.evaluated
        reasons["validation_images"] = f"an even part: all {closing.images} would take too much of the minutes"
    if forecast.validated < min(plan.validated_each_epoch, forecast.evaluated):
        settings["validated_each_epoch"] = forecast.validated
        reasons["validated_each_epoch"] = "more would take too much of the minutes"
    return plan.model_copy(update={**settings, "reasons": reasons})


def _too_few(plan: Plan, cost: StepCost, forecast: _Forecast, gone: float) -> tuple[str, ...]:
    """Warn where the minutes do not hold what they are for, and name how many would."""
    seconds = (plan.minutes or 0) * 60
    late = gone > (1 - _AT_LEAST) * seconds
    if not late and (plan.steps_per_epoch is not None or forecast.steps >= _FEW_STEPS):
        return ()
    steps = _ENOUGH_STEPS * _IN_THE_LOOP * cost.seconds_per_step
    needed = math.ceil((gone + steps / (1 - _TO_VALIDATE)) / (1 - _TO_CLOSE) / 60)
    over = f", so the command takes {_AT_LEAST * seconds:.0f} s more, whatever is left" if late else ""
    return (
        f"{seconds / 60:g} minutes are too few here: reading and measuring took {gone:.0f} s{over}; there is time for "
        f"{forecast.steps:.0f} steps; about {max(needed, math.floor(seconds / 60) + 1)} minutes would do "
        f"({setting('minutes')})",
    )


def epochs_in_budget(plan: Plan) -> int:
    """Epochs to cut a number of minutes into: enough to choose from, few enough that validation stays cheap."""
    return int(min(24, max(6, (plan.minutes or 0) / 2)))


def fill_budget(plan: Plan, seconds_per_step: float, training_images: int, steps: float | None = None) -> Plan:
    """Cut the minutes into epochs of a length that gives validation enough chances; a plan by epochs stays.

    Args:
        plan: With the minutes.
        seconds_per_step: As measured.
        training_images: How many there are.
        steps: That there is time for; where nothing is known of validation, four fifths of the minutes.
    """
    if plan.steps_per_epoch is not None:
        return plan
    steps = steps or 0.8 * (plan.minutes or 0) * 60 / seconds_per_step
    each = min(250, max(_FEWEST, int(steps / epochs_in_budget(plan))))
    reasons = plan.reasons | {"steps_per_epoch": f"a step takes {seconds_per_step:.2f} s here"}
    settings: dict[str, Any] = {"steps_per_epoch": each}
    passes = each * epochs_in_budget(plan) * plan.batch_size * current_group().size / training_images
    chosen = reasons.get("augmentation") == USER_SET or plan.augmentation in ("none", "paper")
    if passes < _PASSES_FOR_AUGMENTATION and not chosen:
        settings["augmentation"] = "light"
        reasons["augmentation"] = f"each image comes up only {passes:.0f} times"
    return plan.model_copy(update={**settings, "reasons": reasons})
