"""What a plan gives up, one thing after the other, where there are few steps or images would come up too seldom.

The order is measured (docs/recipe.md): of few steps most is learnt from more of them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from amsunet.data.fingerprint import Fingerprint
from amsunet.training.plan import make_plan
from amsunet.training.plan_schema import START, USER_SET, Plan

_SHORTEST = 64
"""Pixels of an image's longer side at working size."""
_THINNEST = 4.0
"""Pixels of structures at working size: what is thinner is torn."""
_CLEAR = 8.0
"""The same where there are steps enough, and only images come up seldom."""
_SMALL_CROP = 96
_SMALL_BATCH = 4
_LEAST_WORK = _SMALL_CROP**2 * _SMALL_BATCH
"""Pixels of a step: with fewer it takes hardly less time."""
_FOLLOWING = ("crop", "batch_size", "foreground_fraction", "augmentation", "quarter_turns")
"""Settings that follow from the scale."""


class Smaller(NamedTuple):
    """A smaller plan."""

    plan: Plan
    setting: str
    """What it gave up."""
    before: str
    """How that was, in words."""


def smaller(
    plan: Plan, fingerprint: Fingerprint, images: int, device: str, share: float, *, few_steps: bool
) -> Smaller | None:
    """The next smaller plan: for more steps smaller crops and fewer at a time; then a smaller scale.

    What the user set stays, and so does the scale that weights of one task are for.

    Args:
        plan: To make smaller.
        fingerprint: Of the data set.
        images: to train on.
        device: ``cpu``, ``cuda`` or ``mps``.
        share: of what is wanted, what there is time for.
        few_steps: whether steps are wanted for their own sake, and not for the images that they show.

    Returns:
        The plan and what it gave up; None where nothing is left to give up.
    """
    if "the released recipe" in plan.reasons.values():
        return None
    if few_steps and plan.reasons.get("crop") != USER_SET and min(plan.crop) > _SMALL_CROP and _cuts(plan, fingerprint):
        before = f"with crops of {plan.crop[0]} x {plan.crop[1]}"
        return Smaller(plan.model_copy(update={"crop": (_SMALL_CROP, _SMALL_CROP)}), "crop", before)
    fewer = plan.reasons.get("batch_size") != USER_SET and plan.batch_size > _SMALL_BATCH
    if few_steps and fewer and math.prod(plan.crop) * _SMALL_BATCH >= _LEAST_WORK:
        before = f"with {plan.batch_size} at a time"
        return Smaller(plan.model_copy(update={"batch_size": _SMALL_BATCH}), "batch_size", before)
    if scale := _smaller_scale(plan, fingerprint, share, _THINNEST if few_steps else _CLEAR):
        return Smaller(_rescaled(plan, fingerprint, images, device, scale), "scale", f"at scale {plan.scale:g}")
    return None


def _cuts(plan: Plan, fingerprint: Fingerprint) -> bool:
    """Whether crops are parts of the images."""
    area = fingerprint.median_height * fingerprint.median_width * plan.scale**2
    return math.prod(plan.crop) < 0.7 * area and plan.crop[0] == plan.crop[1]


def _smaller_scale(plan: Plan, fingerprint: Fingerprint, share: float, thinnest: float) -> float | None:
    is_set = USER_SET in (plan.reasons.get("scale"), plan.reasons.get("crop"))
    if is_set or plan.pretrained not in (None, START):  # weights know structures of one size, the start of several
        return None
    longest = max(fingerprint.median_height, fingerprint.median_width)
    side = longest * plan.scale
    # A step takes as long as it has pixels, or longer; at most half of a side at once, for measuring shows more.
    wanted = min(side * max(0.5, math.sqrt(share)), 32 * math.ceil(side / 32) - 32)
    least = max(_SHORTEST, longest * thinnest / fingerprint.thickness if fingerprint.thickness else _SHORTEST)
    scale = round(max(32 * math.floor(wanted / 32), 32 * math.ceil(least / 32)) / longest, 4)
    return scale if scale < 0.99 * plan.scale else None


def _rescaled(plan: Plan, fingerprint: Fingerprint, images: int, device: str, scale: float) -> Plan:
    kept = {name: getattr(plan, name) for name, why in plan.reasons.items() if why == USER_SET}
    before, derived = (
        make_plan(fingerprint, images, {**kept, "scale": one}, device=device) for one in (plan.scale, scale)
    )
    # What has been given up stays so, unless steps are small now without it.
    small = math.prod(derived.crop) * derived.batch_size <= _LEAST_WORK
    stays = {name for name in ("crop", "batch_size") if not small and getattr(plan, name) != getattr(before, name)}
    names = [name for name in _FOLLOWING if name not in stays]
    settings: dict[str, Any] = {name: getattr(derived, name) for name in names}
    kept = {name: why for name, why in plan.reasons.items() if name not in names}
    reasons = kept | {name: derived.reasons[name] for name in names if name in derived.reasons}
    return plan.model_copy(update={**settings, "scale": scale, "reasons": reasons})
