"""What the colours of a data set's masks mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from amsunet.data.masks.convention import MaskConvention, name_colours, name_numbers
from amsunet.data.masks.inversion import refuse_two_backgrounds, soft_convention, surrounds, warn_of_inversion
from amsunet.data.masks.kinds import colours_convention, objects_convention, threshold_convention
from amsunet.data.masks.numbers import classify_numbers
from amsunet.data.masks.soft import threshold_of_soft
from amsunet.data.masks.stray_values import colours_advice, refuse_stray_values
from amsunet.data.masks.summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.data.options import MaskOptions
from amsunet.errors import InputError
from amsunet.wording import setting

_NEAR = 8
"""Largest difference in a channel between colours that are meant to be the same."""
_STRAY = 2
"""Most colours of stray pixels; more are soft edges."""
_FEW = 4
"""Colours among which one that is two others together is hardly chosen for itself."""
_BETWEEN, _APART = 0.95, 0.5
"""Share of a border with two others from which on a colour lies between them, and under which it lies by itself."""
_LINES = 0.8
"""Share of the pixels of thin lines from which on they lie between two other colours; vessels lie in one."""
_SMALLEST_TOP = 32
"""Largest channel below which colours hold numbers."""


def find_colour_convention(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    """Find what colours mean: classes, or one foreground with soft edges.

    Args:
        masks: Summaries of all masks, in the reading that was chosen; some are colour masks.
        options: What the user has set.

    Returns:
        The convention, and notes for the user on how it was found.

    Raises:
        InputError: For masks that may mean several things; the message names the setting for each.
    """
    colour = next(mask for mask in masks if mask.colour)
    if options.ignore_value is not None and not options.colours:
        raise InputError(
            f"{colour.path} is a colour mask, where {setting('ignore_value')} has no meaning: leave it out"
        )
    if options.threshold is not None:
        return threshold_convention(options.threshold), []
    if options.instances:
        return objects_convention(), []
    if options.classes is not None:
        if not options.colours:
            example = setting(classes=(0, 0xFF0000), colours=True)
            raise InputError(f"{colour.path} is a colour mask: set {setting('classes')} with colours, as {example}")
        return colours_convention(options.classes), []
    totals: Counter[int] = Counter()
    for mask in masks:
        # A grey mask among colour masks is one that happens to hold black, white or grey only.
        totals.update({int(v) * (1 if mask.colour else 0x010101): n for v, n in mask.counts.items()})
    black_first = sorted(totals)
    advice = colours_advice(black_first)
    try:
        soft = threshold_of_soft(masks)
    except InputError:
        if len(totals) <= MAXIMUM_CLASSES:
            refuse_stray_values(masks, totals, black_first, advice, most=_STRAY)
        raise
    if soft:
        return soft_convention(masks, *soft)
    if len(totals) == 1:
        raise InputError(
            f"{colour.path} and all other masks hold one colour ({name_colours([*totals])}) in every pixel: nothing "
            "can be learned from that"
        )
    _refuse_numbers(masks, [colour for colour in black_first if _brightest(colour) >= _SMALLEST_TOP])
    _refuse_near(masks, black_first)
    _refuse_white_beside_colour(masks, black_first)
    refuse_stray_values(masks, totals, black_first, advice)
    as_classes = f"set {_classes(black_first)} if these are classes, the background first"
    refuse_two_backgrounds(masks, lambda around: name_colours([around]), lambda _: as_classes)
    two = len(totals) == 2
    inverted = warn_of_inversion(masks, colours_convention(black_first), _classes(black_first)) if two else []
    convention, notes = _background_of_colours(masks, totals)
    if two:
        return convention, [*notes, *inverted]
    _refuse_lines(masks, convention)
    notes += _look_at_objects(masks, convention)
    return convention, [*notes, *_note_mixed_colours(masks, convention)]


def _classes(colours: Sequence[int]) -> str:
    return setting(classes=tuple(colours), colours=True)


def _brightest(colour: float) -> int:
    return max(int(colour) >> 16, int(colour) >> 8 & 255, int(colour) & 255)


def _held(mask: MaskSummary) -> set[int]:
    return {int(value) * (1 if mask.colour else 0x010101) for value in mask.counts}


def _note_mixed_colours(masks: Sequence[MaskSummary], convention: MaskConvention) -> list[str]:
    """Notice a colour that is the sum of two others, in masks with both only: it may mark where two classes overlap.

    It lies between the two then, and hardly borders on the background: that is refused, for a class may lie so too.
    """
    held = [_held(mask) for mask in masks]
    colours = convention.values[1:]
    notes: list[str] = []
    if len(colours) > _FEW:
        return notes
    for one, other in combinations(colours, 2):
        both = one | other
        if one & other or both not in colours or not all({one, other} <= here for here in held if both in here):
            continue
        borders = [mask.between[both] for mask in masks if both in mask.between]
        shared = sum(border[0] for border in borders) / max(1, sum(border[1] for border in borders))
        what = f"{name_colours([both])} is {name_colours([one])} and {name_colours([other])} together"
        if shared >= _BETWEEN and all(convention.values[0] in here for here in held):
            odd = next(mask for mask, here in zip(masks, held, strict=True) if both in here)
            raise InputError(
                f"{odd.path}: {what}, and lies between these two wherever it is: put each class into a separate folder "
                f"of masks if it marks where the two overlap, or set {_classes(convention.values)} if it is a class"
            )
        if shared >= _APART:
            notes.append(
                f"{what}, and only in masks that hold both: it is taken as a separate class; if it marks where the two "
                "overlap, put each class into a separate folder"
            )
    return notes


def _refuse_numbers(masks: Sequence[MaskSummary], colours: Sequence[int]) -> None:
    """Refuse files of small numbers beside files of colours: as colours they are nearly black, and no classes."""
    coloured = next(
        (mask for mask in masks if mask.colour and max(map(_brightest, mask.counts)) >= _SMALLEST_TOP), None
    )
    odd = next((mask for mask in masks if not mask.colour and 0 < max(mask.counts) < _SMALLEST_TOP), None)
    if odd is not None and coloured is not None:
        raise InputError(
            f"{odd.path} holds the numbers {name_numbers([*odd.counts][:6])}, {coloured.path} and others hold colours "
            f"({name_colours(colours[-3:])}), and which number is which colour is not known: save all masks alike"
        )


def _refuse_near(masks: Sequence[MaskSummary], colours: Sequence[int]) -> None:
    """Refuse two colours that look the same and that no file holds both of: one was changed a little."""
    for one, other in combinations(colours, 2):
        channels = np.array([[colour >> shift & 255 for shift in (16, 8, 0)] for colour in (one, other)])
        numbers = one > 0 and channels.max() < _SMALLEST_TOP
        far = np.abs(channels[0] - channels[1]).max() > _NEAR
        if numbers or far or any({one, other} <= _held(mask) for mask in masks):
            continue
        odd, usual = sorted(([mask for mask in masks if colour in _held(mask)] for colour in (one, other)), key=len)
        cut = (int(channels.max()) + 1) // 2
        one_foreground = (
            f"{setting(threshold=cut)} if both are the one foreground, or " if len(colours) == 3 and one else ""
        )
        raise InputError(
            f"{odd[0].path} and {usual[0].path} differ in {name_colours([one])} and {name_colours([other])}, as if one "
            f"was changed a little: save both with the same colour, or set {one_foreground}"
            f"{_classes(colours)} if they are two classes"
        )


def _refuse_white_beside_colour(masks: Sequence[MaskSummary], colours: Sequence[int]) -> None:
    """Refuse files of black and white beside files of black and one colour: both may mark one foreground."""
    if len(colours) == 3 and colours[0] == 0 and colours[2] == 0xFFFFFF and all(len(_held(mask)) < 3 for mask in masks):
        white, coloured = (next(mask for mask in masks if colour in _held(mask)) for colour in (0xFFFFFF, colours[1]))
        raise InputError(
            f"{white.path} marks with white, {coloured.path} with {name_colours(colours[1:2])}, and no mask with both: "
            f"set {setting(threshold=128)} if both are one foreground, or {_classes(colours)} if they are two classes"
        )


def _refuse_lines(masks: Sequence[MaskSummary], convention: MaskConvention) -> None:
    """Refuse a colour of thin lines between two others, as where outlines were drawn around objects."""
    for colour in convention.values[1:]:
        drawn = [mask for mask in masks if colour in mask.lines]
        between, pixels = (sum(mask.lines[colour][end] for mask in drawn) for end in (0, 1))
        if not drawn or len(drawn) < sum(colour in _held(mask) for mask in masks) or between < _LINES * pixels:
            continue
        one = len(convention.values) == 3 and convention.values[0] == 0
        joined = f"{setting(threshold=1)} if it belongs to the object, or " if one else ""
        raise InputError(
            f"{drawn[0].path}: {name_colours([colour])} is drawn in thin lines between other colours, wherever it is: "
            f"save the masks without these lines, or set {joined}{_classes(convention.values)} if it is a class"
        )


def _look_at_objects(masks: Sequence[MaskSummary], convention: MaskConvention) -> list[str]:
    """Refuse colours that behave like object numbers, each in one piece and in no fixed place; a note where they may.

    A colour in one piece that shows no other sign of a class is taken as one, for so colours mostly are.
    """
    often = Counter(colour for mask in masks for colour in _held(mask))
    ranks = sorted(set(convention.values[1:]), key=lambda colour: -often[colour])
    number = {convention.values[0]: 0, **{colour: rank for rank, colour in enumerate(ranks, start=1)}}
    numbered = [
        replace(
            mask,
            colour=False,
            counts={number[int(value)]: count for value, count in mask.counts.items()},
            regions={number[value]: region for value, region in mask.regions.items()},
        )
        for mask in masks
        if mask.colour
    ]
    found = classify_numbers(numbered).kind
    in_one_mask = len(masks) > 1 and often[ranks[0]] == 1  # a class that no second mask holds teaches nothing
    if len(ranks) > 2 and (found == "objects" or in_one_mask):
        raise InputError(
            f"{masks[0].path} and the other masks hold {len(ranks)} colours that look like those of objects: set "
            f"{setting(instances=True)} if each object has its own, or {_classes(convention.values)} if each class has"
        )
    return (
        []
        if found == "classes"
        else [f"each colour is taken as a class (set {setting(instances=True)} if objects have their own)"]
    )


def _background_of_colours(masks: Sequence[MaskSummary], totals: Counter[int]) -> tuple[MaskConvention, list[str]]:
    """Take black as the background, else the most frequent colour; refuse where another colour lies around."""
    most = totals.most_common(1)[0][0]
    if 0 not in totals:
        values = (most, *sorted(set(totals) - {most}))
        edges: Counter[float] = Counter()
        for mask in masks:
            edges.update(mask.edge)
        around = int(edges.most_common(1)[0][0])
        if around != most and all(mask.colour for mask in masks):
            other = (around, *(value for value in values if value != around))
            raise InputError(
                f"{masks[0].path} and the other masks: {name_colours([most])} covers most, but "
                f"{name_colours([around])} lies around: set {_classes(values)} if "
                f"{name_colours([most])} is the background, or {_classes(other)} if "
                f"{name_colours([around])} is"
            )
        return colours_convention(values), [
            f"{name_colours([most])} is taken as background, for it covers most (set {setting('classes')} to change it)"
        ]
    values = (0, *sorted(set(totals) - {0}))
    if most and surrounds(masks, colours_convention((0, most))):
        other = (most, *(value for value in values if value != most))
        raise InputError(
            f"{masks[0].path} and most other masks are {name_colours([most])} around: set "
            f"{_classes(other)} if that is the background, or {_classes(values)} if black is"
        )
    return colours_convention(values), []
