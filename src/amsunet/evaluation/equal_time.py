"""Equal time as a number of steps: how fast each network of a study trains, timed in turn before the first training.

Trainings go by steps then, so whatever else the machine does, and however many run at a time, changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from amsunet.choices import TorchPrecision
from amsunet.device import Device
from amsunet.errors import InputError, first_line
from amsunet.evaluation.study import Study, keep_paces, read_study
from amsunet.evaluation.variant import Variant
from amsunet.process_state import threads_set
from amsunet.training.plan_schema import Plan
from amsunet.training.precision import steps_by_precision
from amsunet.training.step_cost import TrainingStep, measure_steps

logger = logging.getLogger(__name__)

_ROUNDS = 6
_NO_PART_OF_A_STEP: dict[str, object] = {
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "pretrained": None,
    "foreground_fraction": 0.0,
    "reasons": {},
}
"""Settings that a step takes no longer for, at one value for all."""
Pace = dict[TorchPrecision, float]
"""Seconds of a step by precision."""


def with_paces(
    folder: Path, study: Study, plan_of: Callable[[Variant], Plan], num_classes: int, device: Device
) -> Study:
    """Time the networks of a study that are not timed yet, and write down what came of it.

    Networks that join a study later are timed in turn with one that it has, and their seconds are those of the day when
    that one was timed: then a machine that is slower today gives them no fewer steps. What trains by the same step
    (another learning rate, another start) is timed once, and gets as many.

    Args:
        folder: Of the study.
        study: As it stands in the folder.
        plan_of: The plan of a network.
        num_classes: Of the data.
        device: Where it trains; each network is timed in every precision that it may choose from.

    Returns:
        The study with the paces of all its networks.

    Raises:
        InputError: For a network that no step can be trained of.
    """
    names = [variant.name for variant in study.variants]
    new = [name for name in names if name not in study.paces]
    if new:
        steps = {v.name: plan_of(v).model_copy(update=_NO_PART_OF_A_STEP) for v in read_study(folder).variants}
        paces = dict(study.paces)
        first = {name: next(n for n in [*paces, *new] if steps.get(n) == steps[name]) for name in new}
        if to_time := [name for name in new if first[name] == name]:
            known = [*paces][:1]
            plans = {name: steps[name] for name in [*known, *to_time]}
            timed = _timed(plans, num_classes, device, study.threads)
            factor = _factor(paces[known[0]], timed[known[0]]) if known else 1.0
            for name in to_time:
                paces[name] = {kind: factor * seconds for kind, seconds in timed[name].items()}
        paces |= {name: paces[first[name]] for name in new}
        study = study.model_copy(update={"paces": paces})
        keep_paces(folder, study.paces)
    for trial in study.trials()[: len(names)]:
        pace, settings = study.paces[trial.variant.name], study.settings_of(trial)
        taken = ", ".join(f"{1e3 * seconds:.0f} ms in {kind}" for kind, seconds in pace.items())
        steps = settings["epochs"] * settings["steps_per_epoch"]
        logger.info(f"{trial.variant.name}: a step takes {taken}; {steps} steps in {study.precision_of(trial.variant)}")
    return study


def _factor(then: Mapping[TorchPrecision, float], now: Mapping[TorchPrecision, float]) -> float:
    """How many of the seconds of back then a second of today is."""
    kind = next(kind for kind in now if kind in then)
    return then[kind] / now[kind]


def _timed(plans: dict[str, Plan], num_classes: int, device: Device, threads: int) -> dict[str, Pace]:
    steps: dict[tuple[str, TorchPrecision], TrainingStep] = {}
    with ExitStack() as stack:
        if device.type == "cpu":
            stack.enter_context(threads_set(threads))
        for name, plan in plans.items():
            try:
                for precision, step in steps_by_precision(plan, num_classes, device).items():
                    step()
                    steps[name, precision] = step
                    stack.enter_context(step.captured())
            except Exception as error:  # of whatever a custom network does
                raise InputError(f"{name}: no step can be trained of it ({first_line(error)}), leave it out") from error
        seconds = measure_steps(steps, _ROUNDS)
    return {name: {kind: seconds[name, kind] for known, kind in steps if known == name} for name in plans}
