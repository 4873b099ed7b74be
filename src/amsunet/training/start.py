"""Where the light network begins to learn if no weights are named: in few steps, from a network that knows other tasks.

More steps learn no less from random weights, and on one of four data sets more (docs/light.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from amsunet.data.duplicates import find_copies
from amsunet.data.scan import Scan
from amsunet.training.plan_schema import LIGHT, START, USER_SET, Plan
from amsunet.zoo import PREFIX, read_card

_FEW_STEPS = 300


def with_start(plan: Plan, held_out: Sequence[Scan], *, device: str) -> Plan:
    """The plan with the start of the zoo, where it may be taken and nothing else is set; ``settle_start`` has the end.

    Args:
        plan: As derived from the data.
        held_out: The scans of the images that the training is evaluated on; the start must have seen none of them.
        device: ``cpu``, ``cuda`` or ``mps``.
    """
    if plan.model != LIGHT or "pretrained" in plan.reasons or "the released recipe" in plan.reasons.values():
        return plan
    start, why = None, f"{START} is measured on a CPU alone"
    if device == "cpu":
        start, why = _start_of(plan, held_out)
    plan = plan.model_copy(update={"pretrained": start, "reasons": plan.reasons | {"pretrained": why}})
    return plan if plan.epochs is None else settle_start(plan, plan.epochs)


def settle_start(plan: Plan, epochs: int) -> Plan:
    """The plan without the start where there are steps enough for random weights.

    Args:
        plan: With the steps of an epoch.
        epochs: That there will be.
    """
    if plan.pretrained != START or plan.reasons.get("pretrained") == USER_SET:
        return plan
    steps = epochs * (plan.steps_per_epoch or 0)
    is_short = steps < _FEW_STEPS
    few, many = f"of fewer than {_FEW_STEPS} steps more is learnt from there", f"there is time for {steps} steps"
    reasons = plan.reasons | {"pretrained": few if is_short else f"random weights, for {many}"}
    return plan.model_copy(update={"pretrained": START if is_short else None, "reasons": reasons})


def _start_of(plan: Plan, held_out: Sequence[Scan]) -> tuple[str | None, str]:
    """The start, or none, and why."""
    if plan.base_channels is not None or plan.model_options:
        return None, f"options of the network are set, and {START} has others"
    if plan.in_channels not in (1, 3):
        return None, f"{START} knows grey and colour images alone"
    card = read_card(START.removeprefix(PREFIX))
    copies = {place for place, _ in find_copies(held_out, card.thumbnails)}
    known = sum(scan.checksum in card.seen or place in copies for place, scan in enumerate(held_out))
    if known:
        return None, f"{START} has seen {known} of the images that evaluate the training"
    return START, "if there are few steps"
