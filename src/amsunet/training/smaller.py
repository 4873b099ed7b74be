"""What a plan gives up, one thing after the other, where its images would come up too seldom."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from amsunet.data.fingerprint import Fingerprint
from amsunet.training.plan import AS_SAID, Plan, make_plan

_NARROW = 16
"""Base channels. Widths that 16 does not divide save next to nothing: oneDNN pads channels to its vectors' length."""
_SHORTEST = 64
"""Pixels of an image's longer side at working size."""
_THINNEST = 4.0
"""Pixels of structures at working size: what is thinner is torn."""
_SMALL_CROP = 96
_SMALL_BATCH = 4
_FOLLOWING = ("crop", "batch_size", "foreground_fraction", "augmentation", "quarter_turns")
"""Settings that follow from the scale."""


class Smaller(NamedTuple):
    """A smaller plan."""

    plan: Plan
    setting: str
    """What it gave up."""
    before: str
    """How that was, in words."""


def smaller(plan: Plan, fingerprint: Fingerprint, images: int, device: str, share: float) -> Smaller | None:
    """The next smaller plan: half the width, then a smaller scale, then smaller crops, then fewer of them at a time.

    What the user said stays, and so do the width and scale that trained weights are for.

    Args:
        images: to train on.
        share: of the steps that are wanted, those that there is time for.

    Returns: None where nothing is left to give up.
    """
    if "the released recipe" in plan.reasons.values():
        return None
    if device == "cpu" and _may_be_narrower(plan):
        return Smaller(plan.model_copy(update={"base_channels": _NARROW}), "base_channels", "at full width")
    if scale := _smaller_scale(plan, fingerprint, share):
        return Smaller(_rescaled(plan, fingerprint, images, device, scale), "scale", f"at scale {plan.scale:g}")
    if plan.reasons.get("crop") != AS_SAID and min(plan.crop) > _SMALL_CROP:
        before = f"with crops of {plan.crop[0]} x {plan.crop[1]}"
        update = {"crop": (_SMALL_CROP,) * 2, "quarter_turns": _turned(plan)}
        return Smaller(plan.model_copy(update=update), "crop", before)
    if plan.reasons.get("batch_size") != AS_SAID and plan.batch_size > _SMALL_BATCH:
        fewer = plan.model_copy(update={"batch_size": _SMALL_BATCH})
        return Smaller(fewer, "batch_size", f"with {plan.batch_size} at a time")
    return None


def _may_be_narrower(plan: Plan) -> bool:
    """Whether nobody has said anything about the network."""
    said = "model" in plan.reasons or plan.base_channels is not None or plan.model_options
    return not said and plan.start is None


def _smaller_scale(plan: Plan, fingerprint: Fingerprint, share: float) -> float | None:
    if AS_SAID in (plan.reasons.get("scale"), plan.reasons.get("crop")) or plan.start is not None:
        return None
    longest = max(fingerprint.median_height, fingerprint.median_width)
    side = longest * plan.scale
    # A step takes as long as it has pixels, or longer; at most half of a side at once, for measuring tells more.
    wanted = min(side * max(0.5, math.sqrt(share)), 32 * math.ceil(side / 32) - 32)
    least = max(_SHORTEST, longest * _THINNEST / fingerprint.thickness if fingerprint.thickness else _SHORTEST)
    scale = round(max(32 * math.floor(wanted / 32), 32 * math.ceil(least / 32)) / longest, 4)
    return scale if scale < 0.99 * plan.scale else None


def _rescaled(plan: Plan, fingerprint: Fingerprint, images: int, device: str, scale: float) -> Plan:
    said = {name: getattr(plan, name) for name, why in plan.reasons.items() if why == AS_SAID}
    derived = make_plan(fingerprint, images, device=device, overrides={**said, "scale": scale})
    settings: dict[str, Any] = {name: getattr(derived, name) for name in _FOLLOWING}
    reasons = {name: derived.reasons[name] for name in _FOLLOWING if name in derived.reasons}
    kept = {name: why for name, why in plan.reasons.items() if name not in _FOLLOWING}
    return plan.model_copy(update={**settings, "scale": scale, "reasons": {**kept, **reasons}})


def _turned(plan: Plan) -> bool:
    """Whether square crops are turned: yes, unless somebody said no."""
    return plan.quarter_turns or plan.reasons.get("quarter_turns") != AS_SAID
