"""Class numbers or object numbers: what the masks of a data set show of it together.

A class keeps its brightness, or its size, from image to image, lies in several pieces, or within another class; the
objects of an image are numbered as they come. What neither shows is left open: that is for the user to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amsunet.data.images import Array
from amsunet.data.mask_summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.packages import needed

_LOOKED_AT = 64
"""Masks that are compared."""
_SURE = 1e-3
"""Chance of objects to look as much like classes."""
_MOST = 0.7
"""Share of the differences within images that a class number explains, if it is one."""
_CONTRAST = 0.4
"""Least difference between the brightest and the darkest class, in terms of their contrast to the background: light
that falls off to a side makes the first of the objects darker than the last."""
_TIMES_AS_LARGE = 1.5
_KEPT, _LOST = 0.8, 0.7
"""Share of the differences in place that numbers explain: where they keep it, and where they do not. Objects that are
numbered row by row keep some of it."""


@dataclass(frozen=True)
class Weighing:
    """What numbers are, and why."""

    kind: Literal["classes", "objects", "open"]
    reason: str = ""


def weigh_numbers(masks: Sequence[MaskSummary], ignore: float | None = None) -> Weighing:
    """Tell what grey masks with numbers count: classes, or objects."""
    held = [mask.foreground - {ignore} for mask in masks]
    several = [mask for mask, numbers in zip(masks, held, strict=True) if len(numbers) > 1 and 0 in mask.regions]
    top = max(max(numbers) for numbers in held if numbers)
    if any(0 not in mask.counts for mask in masks):
        return Weighing("open")  # without a background there are no objects, and what is background is not known
    if not several:
        return Weighing("classes", "each mask holds one of them")
    if (top <= MAXIMUM_CLASSES) and (reason := _tell_classes(several)):
        return Weighing("classes", reason)
    whole = sum(mask.one_piece for mask in several) > 0.5 * len(several)
    place = _explained_place(several)
    counted = all(numbers == set(range(1, len(numbers) + 1)) for numbers in held)
    counts = {len(numbers) for numbers in held if numbers}
    if not whole or place > _KEPT:
        if whole and not counted and top <= MAXIMUM_CLASSES and len(several) >= 5:
            return Weighing("classes", "each keeps its place, also where others are absent")
        return Weighing("open")
    if top > MAXIMUM_CLASSES:
        return Weighing("objects", "each in one piece")
    varied = len(counts) > 1 and max(counts) > 2
    if place < _LOST and (counted or max(counts) > 8) and (varied or (max(counts) > 3 and len(several) > 2)):
        return Weighing("objects", "each in one piece, of no place or brightness of its own")
    return Weighing("open")


def _tell_classes(several: Sequence[MaskSummary]) -> str:
    """What shows that numbers are classes, whatever else; empty if nothing does."""
    if sum(mask.one_piece for mask in several) < 0.3 * len(several):
        return "they lie in several pieces"
    if sum(mask.enclosed for mask in several) > 0.5 * len(several):
        return "one lies within another"
    chosen = several[:: -(-len(several) // _LOOKED_AT)]
    images, numbers, colours, areas, contrast = _table(chosen)
    if len(set(images.tolist())) < 2:
        return ""
    for channel in range(colours.shape[1]):
        effects, share, chance = _explain(colours[:, channel], images, numbers)
        if chance < _SURE and share > _MOST and np.ptp(effects) > _CONTRAST * max(contrast[channel], 1e-9):
            return "each has its own brightness"
    effects, share, chance = _explain(np.log(areas), images, numbers)
    if chance < _SURE and share > _MOST and np.ptp(effects) > np.log(_TIMES_AS_LARGE):
        return "each has its own size"
    return ""


def _table(masks: Sequence[MaskSummary]) -> tuple[Array, Array, Array, Array, Array]:
    """Image, number, colours and area of regions whose numbers several masks hold, and the contrast of each channel."""
    often = Counter(number for mask in masks for number in mask.regions if number)
    rows, contrasts = [], []
    channels = min(len(mask.regions[0].colour) for mask in masks)
    for image, mask in enumerate(masks):
        background = np.array(mask.regions[0].colour[:channels])
        for number, region in mask.regions.items():
            if number and often[number] > 1:
                rows.append((image, number, region.area, *region.colour[:channels]))
                contrasts.append(np.abs(np.array(region.colour[:channels]) - background))
    table = np.array(rows, float).reshape(len(rows), 3 + channels)
    contrast = np.median(contrasts, axis=0) if contrasts else np.zeros(channels)
    return table[:, 0], table[:, 1], table[:, 3:], table[:, 2], contrast


def _explain(figures: Array, images: Array, numbers: Array) -> tuple[Array, float, float]:
    """How figures of regions depend on their number, differences between images left aside.

    Returns: the effect of each number, the share of the differences that it explains, and the chance of that among
        numbers that say nothing (analysis of variance).
    """
    per_image = (images[:, None] == np.unique(images)).astype(float)
    per_number = (numbers[:, None] == np.unique(numbers)[1:]).astype(float)
    effects, rest, freedom = _fit(figures, np.concatenate([per_image, per_number], axis=1))
    _, whole, all_freedom = _fit(figures, per_image)
    numbers_freedom = all_freedom - freedom
    if freedom < 1 or numbers_freedom < 1 or whole <= 0:
        return np.zeros(1), 0.0, 1.0
    ratio = (whole - rest) / numbers_freedom / max(rest / freedom, 1e-12 * whole)
    chance = float(needed("scipy.special", "scipy").fdtrc(numbers_freedom, freedom, ratio))
    return np.concatenate([[0.0], effects[per_image.shape[1] :]]), 1 - rest / whole, chance


def _fit(figures: Array, known: Array) -> tuple[Array, float, int]:
    effects, _, rank, _ = np.linalg.lstsq(known, figures, rcond=None)
    return effects, float(((figures - known @ effects) ** 2).sum()), len(figures) - int(rank)


def _explained_place(several: Sequence[MaskSummary]) -> float:
    """Share of the differences in place that numbers explain, corrected for how few they are; 1 if nobody can tell."""
    chosen = several[:: -(-len(several) // _LOOKED_AT)]
    regions = [(number, *region.place) for mask in chosen for number, region in mask.regions.items() if number]
    often = Counter(number for number, *_ in regions)
    table = np.array([row for row in regions if often[row[0]] > 1], float).reshape(-1, 3)
    freedom = len(table) - len(np.unique(table[:, 0]))
    if freedom < 1:
        return 1.0 if len(several) > 1 else 0.0
    places = table[:, 1:]
    means = {number: places[table[:, 0] == number].mean(axis=0) for number in np.unique(table[:, 0])}
    rest = sum(((place - means[number]) ** 2).sum() for number, place in zip(table[:, 0], places, strict=True))
    whole = ((places - places.mean(axis=0)) ** 2).sum()
    return float(1 - (rest / freedom) / max(whole / (len(table) - 1), 1e-12))
