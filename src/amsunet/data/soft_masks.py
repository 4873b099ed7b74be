"""Masks with soft edges: smoothed, resized, or saved as JPEG; told from classes and objects by all of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from amsunet.data.mask_summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.data.masks import name_numbers
from amsunet.errors import InputError

_END = 0.12
"""Share of the range that noise of a JPEG reaches from its ends."""
_SMALLEST_TOP = 32
"""Largest value below which values are numbers and no greys."""
_EDGE = 0.05
"""Largest share of pixels of a value that have equal neighbours, if the value is but a step of an edge."""


def threshold_of_soft(masks: Sequence[MaskSummary], ignore: float | None = None) -> tuple[float, str] | None:
    """Where to cut the masks of a data set if they are binary with soft edges, and what to say; else None.

    Raises: InputError for soft edges between several classes, which are lost.
    """
    if any(mask.colour for mask in masks):
        return _threshold_of_colours(masks)
    counts, flat = _total(mask.counts for mask in masks), _total(mask.cores for mask in masks)
    values = sorted(set(counts) - {ignore})
    top = values[-1]
    whole = all(value % 1 == 0 for value in values)
    soft = [mask for mask in masks if mask.antialiased or (mask.lossy and len(mask.foreground) > 1) or not whole]
    if len(values) > 2 and whole and top < _SMALLEST_TOP and any(mask.lossy for mask in soft):
        raise InputError(
            f"{soft[0].path} is a JPEG, which changes numbers as small as class numbers ({name_numbers(values[:6])}): "
            "save the masks as PNG from where they came"
        )
    if len(values) < 3 or (whole and top < _SMALLEST_TOP):
        _refuse_blurred_numbers([mask for mask in masks if mask.antialiased], masks, top)
        return None
    if not soft and not _are_steps(values, counts, flat, top):
        return None
    middle = [value for value in values if _END * top < value < (1 - _END) * top]
    cores = sum(flat[value] for value in middle)
    whites = sum(flat[value] for value in values if value >= (1 - _END) * top)
    numbers = len(values) <= MAXIMUM_CLASSES and not any(mask.lossy for mask in soft)
    near = set(values) - set(middle) - {0, top}
    if whites and cores <= 0.02 * (whites + cores) and not (numbers and near and not _are_edges(near, counts, flat)):
        cut = (top + 1) // 2 if whole else top / 2
        odd = max(masks, key=lambda mask: len(mask.counts))
        return cut, (
            f"{len([mask for mask in masks if len(mask.foreground) > 1])} of {len(masks)} masks have soft edges "
            f"({odd.path.name}: {len(odd.counts)} values from 0 to {top:g}): foreground is taken from {cut:g} on "
            "(say --mask-threshold to cut elsewhere)"
        )
    if 2 * len(soft) >= len([mask for mask in masks if len(mask.foreground) > 1]):
        _refuse(soft, masks, top, _peaks(flat, top))
    return None


def _are_steps(values: list[float], counts: Mapping[float, int], flat: Mapping[float, int], top: float) -> bool:
    """Whether values but 0 and the top are steps on edges, though no single mask tells: a JPEG of the best quality."""
    between = set(values) - {0, top}
    return len(between) > 1 and _are_edges(between, counts, flat)


def _are_edges(values: Iterable[float], counts: Mapping[float, int], flat: Mapping[float, int]) -> bool:
    chosen = list(values)
    return sum(flat.get(value, 0) for value in chosen) <= _EDGE * sum(counts[value] for value in chosen)


def _refuse_blurred_numbers(soft: Sequence[MaskSummary], masks: Sequence[MaskSummary], top: float) -> None:
    several = [mask for mask in masks if len(mask.foreground) > 1]
    if soft and 2 * len(soft) >= len(several):
        _refuse(soft, masks, top, [])


def _refuse(soft: Sequence[MaskSummary], masks: Sequence[MaskSummary], top: float, peaks: list[float]) -> None:
    cut = (top + 1) // 2 if top % 1 == 0 else top / 2
    several = f" between several values (near {', '.join(f'{peak:g}' for peak in peaks)})" if len(peaks) > 2 else ""
    raise InputError(
        f"{soft[0].path} has soft edges{several} ({len(soft[0].counts)} values; {len(soft)} of {len(masks)} masks do): "
        f"save masks without smoothing or JPEG, or say --mask-threshold {cut:g}, and all from there on is one "
        "foreground"
    )


def _peaks(flat: Mapping[float, int], top: float) -> list[float]:
    """The values around which cores of regions gather."""
    steps = 32
    histogram = np.zeros(steps + 1)
    for value, count in flat.items():
        histogram[max(0, round(value / top * steps))] += count
    padded = np.pad(histogram, 1)
    sums = padded[:-2] + padded[1:-1] + padded[2:]
    high = (histogram > padded[:-2]) & (histogram >= padded[2:]) & (sums >= 0.02 * histogram[2:].sum())
    high[0] = histogram[0] > 0
    near = [
        max((value for value in flat if max(0, round(value / top * steps)) == step), key=lambda value: flat[value])
        for step in np.flatnonzero(high).tolist()
    ]
    return near if len(near) <= MAXIMUM_CLASSES else []


def _threshold_of_colours(masks: Sequence[MaskSummary]) -> tuple[float, str] | None:
    """As ``threshold_of_soft``, of colour masks: one colour on black may be cut half-way."""
    counts, flat = _in_colours(masks, "counts"), _in_colours(masks, "cores")
    soft = [mask for mask in masks if len(mask.counts) > MAXIMUM_CLASSES]
    few = len(counts) <= MAXIMUM_CLASSES
    most = sorted(flat.values())[-2:][0] if flat else 0  # but for the background
    if few:
        peaks = {colour for colour in counts if flat[colour] > _EDGE * counts[colour]}
        grades = set(counts) - peaks
        if not grades or not all(_is_between(colour, peaks) for colour in grades):
            return None
    else:
        peaks = {colour for colour, count in flat.items() if count >= 0.02 * most and count > 20}
    odd = soft[0] if soft else max(masks, key=lambda mask: len(mask.counts))
    shown = ", ".join(f"#{colour:06x}" for colour in sorted(peaks)[:6])
    if few and len(peaks) == 2 and 0 in peaks:
        top = max(_channels(max(peaks)))
        cut = (top + 1) // 2
        return cut, (
            f"{odd.path.name} has soft edges ({len(odd.counts)} shades between {shown}): foreground is taken from "
            f"half of the colour on (say --mask-threshold to cut elsewhere than at {cut})"
        )
    if not few and len(peaks) == 2 and 0 in peaks:
        top = max(max(_channels(colour)) for colour in counts)
        cut = (top + 1) // 2
        return cut, (
            f"{odd.path.name} has soft edges or is a JPEG ({len(odd.counts)} shades near {shown}): foreground is "
            f"taken from half of the colour on (say --mask-threshold to cut elsewhere than at {cut})"
        )
    kinds = (
        f"near {shown}" if 1 < len(peaks) <= MAXIMUM_CLASSES else f"and all masks {len(counts)}: too many for classes"
    )
    raise InputError(
        f"{odd.path} has {len(odd.counts)} shades, {kinds}, and soft edges are no classes: save the mask with one "
        "flat colour a class, without smoothing or JPEG, or where each object has a colour of its own say --instances"
    )


def _in_colours(masks: Sequence[MaskSummary], what: str) -> Counter[int]:
    total: Counter[int] = Counter()
    for mask in masks:
        held: Mapping[float, int] = getattr(mask, what)
        total.update({int(value) * (1 if mask.colour else 0x010101): count for value, count in held.items()})
    return total


def _total(counts: Iterable[Mapping[float, int]]) -> Counter[float]:
    total: Counter[float] = Counter()
    for each in counts:
        total.update(each)
    return total


def _channels(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


def _is_between(colour: int, peaks: Iterable[int]) -> bool:
    """Whether a colour lies on the way from one of ``peaks`` to another."""
    point, ends = np.array(_channels(colour), float), [np.array(_channels(peak), float) for peak in peaks]
    for number, start in enumerate(ends):
        for end in ends[number + 1 :]:
            way = end - start
            share = float(np.clip((point - start) @ way / max(way @ way, 1), 0, 1))
            if np.abs(point - start - share * way).max() <= 12:
                return True
    return False
