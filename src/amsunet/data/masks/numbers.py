"""Class numbers (semantic masks) or object numbers (instance masks): what all masks of a data set show together.

A class keeps its brightness, or its size, from image to image, lies in several pieces, or within another class. The
objects of an image are numbered as they come. Where the masks show neither, the question is left open for the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from amsunet.data.images import Array
from amsunet.data.masks.summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.optional import require

_LOOKED_AT = 64
"""Most masks that are compared."""
_SURE = 1e-4
"""Largest probability that objects look as much like classes by chance."""
_MOST = 0.8
"""Share of the differences within images that a class number explains, if it is one."""
_CONTRAST = 0.4
"""Least difference between the brightest and the darkest class, in terms of their contrast to the background: light
that falls off to a side makes the first of the objects darker than the last."""
_TIMES_AS_LARGE = 2
"""Least ratio of the largest class to the smallest."""
_FREEDOM = 5
"""Least degrees of freedom for a comparison of sizes: those of few objects are alike by chance."""
_KEPT, _LOST = 0.8, 0.7
"""Share of the differences in place that numbers explain: where they keep it, and where they do not. Objects that are
numbered row by row keep some of it."""

_STRAIGHT = 0.15
"""Largest distance from the places of a regular grid, in terms of its least step."""
_BRIGHTNESS = "each has its own brightness"
_ENCLOSED = "one lies within another"
_RANKED = 4
"""Numbers from which on it is no accident that each is brighter than the one before."""


@dataclass(frozen=True)
class NumberMeaning:
    """Whether numbers are classes or objects, and why."""

    kind: Literal["classes", "objects", "open"]
    reason: str = ""
    counted: bool = False
    """Whether each mask holds 1, 2, ... up to some number, as objects are counted."""


def classify_numbers(masks: Sequence[MaskSummary], ignore: float | None = None) -> NumberMeaning:
    """Decide whether the numbers of grey masks are classes or objects.

    Args:
        masks: Summaries of all masks.
        ignore: The value of ignored pixels.

    Returns:
        The decision with its reason; ``open`` where the masks do not show it.
    """
    held = [mask.foreground - {ignore} for mask in masks]
    several = [mask for mask, numbers in zip(masks, held, strict=True) if len(numbers) > 1 and mask.regions]
    top = max(max(numbers) for numbers in held if numbers)
    whole = sum(mask.one_piece for mask in several) > 0.5 * len(several)
    if not several:
        often = sum(map(bool, held)) >= 2 * len(set().union(*held))
        return NumberMeaning("classes", "each mask holds one of them") if often else NumberMeaning("open")
    place = _explained_place(several)
    counts = {len(numbers) for numbers in held if numbers}
    from_one = [numbers == set(range(1, len(numbers) + 1)) for numbers in held]
    counted = all(from_one)
    varied = len(counts) > 1 and max(counts) > 2
    opened = NumberMeaning("open", counted=counted and varied)
    as_they_come = sum(from_one) >= _MOST * len(masks) and len(counts) > 2 and max(counts) > 3
    regular = _is_regular(several)
    if top <= MAXIMUM_CLASSES and (reason := _evidence_of_classes(several, as_they_come=as_they_come, regular=regular)):
        if reason == _BRIGHTNESS and place < _LOST and (as_they_come or (whole and _are_in_order(several))):
            return opened  # objects may be numbered from the darkest on
        if reason == _ENCLOSED and place < _LOST and whole and counted and top > 3:
            return opened  # nuclei may be numbered within numbered cells
        return NumberMeaning("classes", reason)
    if sum(0 in mask.counts for mask in masks) <= 0.5 * len(masks):
        return opened  # without a background there are no objects, and what is background is not known
    distinct = len(set().union(*held))
    if whole and len(several) > 1 and distinct > MAXIMUM_CLASSES and distinct == sum(map(len, held)):
        return NumberMeaning("objects", "each in one piece of one mask")
    if not whole or place > _KEPT:
        if whole and not counted and not regular and top <= MAXIMUM_CLASSES and len(several) >= 5:
            return NumberMeaning("classes", "each keeps its place, also where others are absent")
        return opened
    if distinct > MAXIMUM_CLASSES:
        if _evidence_of_classes(several, as_they_come=as_they_come, regular=regular) == _BRIGHTNESS:
            return opened  # many organs in crops of an atlas
        return NumberMeaning("objects", "each in one piece")
    if place < _LOST and (counted or max(counts) > 8) and (varied or (max(counts) > 3 and len(several) > 2)):
        return NumberMeaning("objects", "each in one piece, without a fixed place or brightness")
    return opened


def _evidence_of_classes(several: Sequence[MaskSummary], *, as_they_come: bool, regular: bool) -> str:
    """The reason why numbers can only be classes; empty if there is none.

    Args:
        several: The masks that hold several numbers.
        as_they_come: whether numbers look counted, so that pieces may be those of an object that was cut.
        regular: whether they stand in a grid, so that light may make them differ.
    """
    if not as_they_come and sum(mask.one_piece for mask in several) < 0.3 * len(several):
        return "they lie in several pieces"
    if sum(mask.enclosed for mask in several) > 0.5 * len(several):
        return _ENCLOSED
    before_background = [mask for mask in several if 0 in mask.regions]
    if not before_background:
        return ""
    table = _Table(before_background[:: -(-len(before_background) // _LOOKED_AT)])
    if len(set(table.images.tolist())) < 2:
        return ""
    for channel in range(table.colours.shape[1]):
        found = _explain(table.colours[:, channel], table, curved=regular)
        if found.sure and found.range > _CONTRAST * max(table.contrast[channel], 1e-9) and not found.of_place:
            return _BRIGHTNESS
    found = _explain(np.log(table.areas), table)
    if found.sure and found.range > np.log(_TIMES_AS_LARGE) and found.freedom >= _FREEDOM:
        # Objects numbered from the top are the larger the earlier they come.
        return "each has its own size and place" if _explained_place(several) > _LOST else ""
    return ""


class _Table:
    """Regions of the numbers that several masks hold, a row each."""

    def __init__(self, masks: Sequence[MaskSummary]) -> None:
        often = Counter(number for mask in masks for number in mask.regions if number)
        channels = min(len(mask.regions[0].colour) for mask in masks)
        rows = [
            (image, number, region.area, *region.place, *region.colour[:channels], *mask.regions[0].colour[:channels])
            for image, mask in enumerate(masks)
            for number, region in mask.regions.items()
            if number and often[number] > 1
        ]
        table = np.array(rows, float).reshape(len(rows), 5 + 2 * channels)
        self.images, self.numbers, self.areas = table[:, 0], table[:, 1], table[:, 2]
        self.places, self.colours = table[:, 3:5], table[:, 5 : 5 + channels]
        differences = np.abs(self.colours - table[:, 5 + channels :])
        self.contrast = np.median(differences, axis=0) if rows else np.zeros(channels)
        """Contrast of the regions to the background of their image, by channel."""


@dataclass(frozen=True)
class _Explained:
    """How far numbers explain a figure of regions, apart from differences between images (analysis of variance)."""

    range: float
    """Between the largest and the smallest effect of a number."""
    share: float
    """Share of the differences that numbers explain."""
    chance: float
    """Probability of a share this large among random numbers."""
    freedom: int
    of_place: bool
    """Whether place in the image explains as much, as where light falls off to a side."""

    @property
    def sure(self) -> bool:
        """Whether the numbers explain the figure, beyond chance."""
        return self.chance < _SURE and self.share > _MOST


def _explain(figures: Array, table: _Table, *, curved: bool = False) -> _Explained:
    """See ``_Explained``; ``curved`` allows for light from a lamp, not only from a side."""
    per_image = (table.images[:, None] == np.unique(table.images)).astype(float)
    per_number = (table.numbers[:, None] == np.unique(table.numbers)[1:]).astype(float)
    effects, rest, freedom = _fit(figures, np.concatenate([per_image, per_number], axis=1))
    _, whole, all_freedom = _fit(figures, per_image)
    places = table.places
    if curved:
        places = np.concatenate([places, places**2, places[:, :1] * places[:, 1:]], axis=1)
    _, beside_place, place_freedom = _fit(figures, np.concatenate([per_image, places], axis=1))
    numbers_freedom = all_freedom - freedom
    if freedom < 1 or numbers_freedom < 1 or whole <= 0:
        return _Explained(0, 0, 1, freedom, False)
    ratio = (whole - rest) / numbers_freedom / max(rest / freedom, 1e-12 * whole)
    chance = float(require("scipy.special").fdtrc(numbers_freedom, freedom, ratio))
    steps = np.concatenate([[0.0], effects[per_image.shape[1] :]])
    of_place = beside_place / max(place_freedom, 1) <= 2 * rest / freedom
    return _Explained(float(np.ptp(steps)), 1 - rest / whole, chance, freedom, of_place)


def _are_in_order(several: Sequence[MaskSummary]) -> bool:
    """Whether numbers rise or fall with brightness in nearly all masks, as where objects were sorted by it."""
    ranked = rising = falling = 0
    for mask in several:
        numbers = sorted(number for number in mask.regions if number)
        steps = np.diff([np.mean(mask.regions[number].colour) for number in numbers])
        if len(numbers) >= _RANKED:
            ranked, rising, falling = ranked + 1, rising + int((steps > 0).all()), falling + int((steps < 0).all())
    return max(rising, falling) > _MOST * ranked


def _fit(figures: Array, known: Array) -> tuple[Array, float, int]:
    effects, _, rank, _ = np.linalg.lstsq(known, figures, rcond=None)
    return effects, float(((figures - known @ effects) ** 2).sum()), len(figures) - int(rank)


def _is_regular(several: Sequence[MaskSummary]) -> bool:
    """Whether numbers of one size stand in a row or a grid, one after the other, as wells and lanes do."""
    regions = [(number, region.area, *region.place) for mask in several for number, region in mask.regions.items()]
    table = np.array([row for row in regions if row[0]], float).reshape(-1, 4)
    numbers = np.unique(table[:, 0])
    if not 4 <= len(numbers) <= MAXIMUM_CLASSES:
        return False
    means = np.array([table[table[:, 0] == number, 1:].mean(axis=0) for number in numbers])
    if np.ptp(np.log(means[:, 0])) > np.log(_TIMES_AS_LARGE):
        return False
    places = means[:, 1:]
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    nearest = float(distances[~np.eye(len(places), dtype=bool)].min())
    for width in range(2, int(numbers.max()) + 1):
        rows, columns = np.divmod(numbers - 1, width)
        steps = np.stack([np.ones(len(numbers)), rows, columns], axis=1)
        rest = places - steps @ np.linalg.lstsq(steps, places, rcond=None)[0]
        if np.abs(rest).max() < _STRAIGHT * nearest:
            return True
    return False


def _explained_place(several: Sequence[MaskSummary]) -> float:
    """Share of the differences in place that numbers explain, corrected for how few they are; 1 if it is unknown."""
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
