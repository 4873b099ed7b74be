"""The precision in which a network trains faster on this machine, by measuring both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from amsunet.choices import TorchPrecision
from amsunet.device import Device
from amsunet.training.plan_schema import Plan

if TYPE_CHECKING:
    from amsunet.training.step_cost import TrainingStep

_ROUNDS = 2
_CROPS = 2
"""Of a step that is timed: which precision is the faster one does not hang on more."""
_GAIN = 0.95
"""Of the time in float32: for less it is not worth fewer digits, nor a choice that the next measurement may turn."""


def faster_precision(plan: Plan, num_classes: int, device: Device, *, repeatable: bool = False) -> tuple[Device, str]:
    """Choose the precision of a training by some of its steps in each.

    On processors without a matrix unit bfloat16 slows dense networks and speeds up others, so what the processor says
    of itself does not decide.

    Args:
        plan: How to train.
        num_classes: Of the data.
        device: Where to train; a precision that was set stays.
        repeatable: Measure nothing, for a measurement may turn out otherwise the next time.

    Returns:
        The device in that precision, and the reason.
    """
    if not device.precisions:
        return device, "as the device was set"
    if repeatable or len(device.precisions) == 1:
        return device, "what this device has instructions for"
    small = plan.model_copy(update={"batch_size": min(_CROPS, plan.batch_size)})
    from amsunet.training.step_cost import measure_steps  # noqa: PLC0415 - with the losses, which take seconds to import

    seconds = measure_steps(steps_by_precision(small, num_classes, device), _ROUNDS)
    chosen = fastest(seconds)
    took = ", ".join(f"{1e3 * value:.0f} ms in {precision}" for precision, value in sorted(seconds.items()))
    return device.computing_in(chosen), f"a step of {small.batch_size} crops takes {took}"


def with_precision(plan: Plan, device: Device, why: str) -> Plan:
    """The plan with the precision that ``faster_precision`` chose."""
    return plan.model_copy(update={"precision": device.precision, "reasons": plan.reasons | {"precision": why}})


def steps_by_precision(plan: Plan, num_classes: int, device: Device) -> dict[TorchPrecision, TrainingStep]:
    """A step of training in each precision that a device may choose from, which can be timed."""
    from amsunet.training.step_cost import TrainingStep  # noqa: PLC0415 - as above

    return {
        precision: TrainingStep(plan, num_classes, device.computing_in(precision))
        for precision in device.precisions or (device.precision,)
    }


def fastest(seconds: Mapping[TorchPrecision, float]) -> TorchPrecision:
    """The precision to train in: float32 unless another one is clearly faster."""
    if (exact := seconds.get("float32")) is None:
        return min(seconds, key=seconds.__getitem__)
    return next((name for name, value in seconds.items() if value < _GAIN * exact), "float32")
