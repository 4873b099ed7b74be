"""Masks with soft edges: binary masks that were smoothed, resized with interpolation, or saved as JPEG.

All masks of a data set together distinguish soft edges from class numbers and object numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import ndimage

from amsunet.data.masks.artefacts import SMALLEST_GREY, refuse_lossy_numbers
from amsunet.data.masks.convention import name_numbers
from amsunet.data.masks.summary import COLOUR_STEP, LIMIT, MAXIMUM_CLASSES, MaskSummary
from amsunet.errors import InputError
from amsunet.wording import setting

_END = 0.12
"""How far JPEG noise reaches from the ends of the range, as a share of it."""
_RINGING = 0.25
"""Largest overshoot of smoothing, as Lanczos has it, as a share of the largest value."""
_FEW_BETWEEN = 0.01
"""Most pixels half-way between black and white, as a share of the bright ones, in lossy masks of two values."""
_EDGE = 0.05
"""Largest share of the pixels of a value that have equal neighbours, if the value occurs on edges only."""


def threshold_of_soft(masks: Sequence[MaskSummary], ignore: float | None = None) -> tuple[float, str] | None:
    """Find the threshold for binary masks with soft edges.

    Args:
        masks: The masks of a data set, in the reading that was chosen.
        ignore: The value of ignored pixels.

    Returns:
        The threshold and a note on how it was found; None if the masks are not binary with soft edges.

    Raises:
        InputError: For soft edges between several classes: the classes of the pixels in between are lost.
    """
    if any(mask.colour for mask in masks):
        return _threshold_of_colours(masks)
    counts, flat = _total(mask.counts for mask in masks), _total(mask.cores for mask in masks)
    values = sorted(set(counts) - {ignore})
    if values[0] < 0:
        _refuse_signed(masks, values)
    refuse_lossy_numbers(masks, ignore)
    top = values[-1]
    whole = all(value % 1 == 0 for value in values)
    soft = [mask for mask in masks if mask.antialiased or (mask.lossy and len(mask.foreground) > 1) or not whole]
    _refuse_steps(masks, flat, values)
    if len(values) < 3 or (whole and top < SMALLEST_GREY):
        _refuse_blurred_numbers([mask for mask in masks if mask.antialiased], masks, top)
        return None
    if not soft and not _are_steps(values, counts, flat, top):
        return None
    if not whole and len(values) <= MAXIMUM_CLASSES and not _are_edges(values[1:-1], counts, flat):
        _refuse_levels(masks, values)
    middle = [value for value in values if _END * top < value < (1 - _END) * top]
    cores = sum(flat[value] for value in middle)
    whites = sum(flat[value] for value in values if value >= (1 - _END) * top)
    numbers = len(values) <= MAXIMUM_CLASSES and not any(mask.lossy for mask in soft)
    near = set(values) - set(middle) - {0, top}
    soft_edges = whites and cores <= 0.02 * (whites + cores)
    if (soft_edges and not (numbers and near and not _are_edges(near, counts, flat))) or _are_thin(soft, counts, top):
        cut = _half(top, whole=whole)
        odd = max(masks, key=lambda mask: len(mask.counts))
        _refuse_fainter(masks, cut)
        return cut, (
            f"{len([mask for mask in masks if len(mask.foreground) > 1])} of {len(masks)} masks have soft edges "
            f"({odd.path.name}: {len(odd.counts)} values from 0 to {top:g}): foreground is taken from {cut:g} on "
            f"(set {setting('threshold')} to cut elsewhere)"
        )
    if 2 * len(soft) >= len([mask for mask in masks if len(mask.foreground) > 1]):
        _refuse(soft, masks, top, _peaks(flat, top), whole=whole)
    return None


def _are_thin(soft: Sequence[MaskSummary], counts: Mapping[float, int], top: float) -> bool:
    """Whether lossy masks hold black and white only, of structures so thin that they have no cores: nothing lies
    half-way, and no other value is frequent.
    """
    half_way = sum(count for value, count in counts.items() if 0.4 * top < value < 0.6 * top)
    bright = sum(count for value, count in counts.items() if value >= 0.6 * top)
    return all(mask.lossy for mask in soft) and half_way <= _FEW_BETWEEN * bright and len(_peaks(counts, top)) == 2


def _half(top: float, *, whole: bool) -> float:
    """Half of the largest value; of shares up to 1, such as probabilities, 0.5 whatever the largest one is."""
    if whole:
        return (top + 1) // 2
    return 0.5 if 0.5 < top <= 1 + _RINGING else top / 2


def _refuse_signed(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    below = [value for value in values if value < 0]
    odd = next(mask for mask in masks if below[0] in mask.counts)
    if len(below) == 1 and below[0] % 1 == 0:
        name = name_numbers(below)
        raise InputError(
            f"{odd.path} holds the value {name}, and no class can have one below 0: set "
            f"{setting(ignore_value=below[0])} if these pixels are to be ignored"
        )
    above_0 = setting(threshold=min(value for value in values if value > 0) if 0 in values and values[-1] > 0 else 0)
    if below[0] >= -_RINGING * values[-1]:
        raise InputError(
            f"{odd.path} holds values from {below[0]:g} to {values[-1]:g}, as smoothing leaves them that overshoots: "
            f"set {setting(threshold=_half(values[-1], whole=False))} if all from half of the largest on is one "
            f"foreground, or {above_0} if what is above 0 is, as of logits; else save them without "
            "smoothing"
        )
    raise InputError(
        f"{odd.path} holds values below 0 (down to {below[0]:g}), which no class can have: set {above_0} "
        "if what is above 0 is foreground, as of logits, or save the masks without them"
    )


def _refuse_levels(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    odd = next(mask for mask in masks if any(value % 1 for value in mask.counts))
    shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
    raise InputError(
        f"{odd.path} holds levels that are no class numbers (all masks: {shown}), as where several observers agree: "
        f"set {setting(threshold=values[-1] / 2)} to take all from there on as foreground, or save classes as integers"
    )


def _refuse_fainter(masks: Sequence[MaskSummary], cut: float) -> None:
    """Refuse a threshold that empties masks which mark objects with lower values, as 1 where others have 255."""
    for mask in masks:
        held = {_brightness(value, mask): 0 for value in mask.counts}
        top = max(held)
        if not 0 < top < cut:
            continue
        half = {value: count for value, count in mask.counts.items() if 2 * _brightness(value, mask) >= top}
        cores = sum(n for value, n in mask.cores.items() if _brightness(value, mask) >= (1 - _END) * top)
        if len(held) == 2 or 4 * cores > sum(half.values()):  # flat on top, and no faint or uncertain object
            highest = max(_brightness(value, other) for other in masks for value in other.counts)
            raise InputError(
                f"{mask.path} marks with {top:g} while other masks go up to {highest:g}, and a cut at {cut:g} would "
                f"leave nothing of it: save all masks alike, or set {setting(threshold=cut)} if it is to be empty"
            )


def _brightness(value: float, mask: MaskSummary) -> float:
    return max(_channels(int(value))) if mask.colour else value


def _refuse_steps(masks: Sequence[MaskSummary], flat: Mapping[float, int], values: list[float]) -> None:
    """Refuse class or object numbers with rims of the numbers between them."""
    odd = next((mask for mask in masks if mask.stepped), None)
    if odd is None or len(values) > LIMIT:
        return
    in_areas = [value for value in values if flat.get(value)]
    near = aside = ""
    if len(in_areas) == len(values) or values[-1] <= MAXIMUM_CLASSES:
        cut = values[1] if len(in_areas) > 2 else (values[-1] + 1) // 2
        remedy = (
            f"{setting(classes=tuple(values[:MAXIMUM_CLASSES]))} if the rims are right, or {setting(threshold=cut)}"
        )
        counts = _total(mask.counts for mask in masks)
        if len(rims := [value for value in values if _are_edges([value], counts, flat)]) == 1:
            rest = tuple(value for value in values if value not in rims)
            aside = f", or {setting(classes=rest, ignore_value=rims[0])} if the rims are to be ignored"
    elif len(peaks := _peaks(flat, values[-1])) > 2 and not any(mask.lossy for mask in masks):
        near = f" (near {name_numbers(peaks)})"
        remedy = setting(threshold=next((peak for peak in peaks if peak), values[-1]) / 2)
    else:
        return
    raise InputError(
        f"{odd.path} has soft edges between several values{near}: rims of the numbers between lie around others, as "
        "where class numbers were resized with smoothing: save masks without smoothing, or set "
        f"{remedy} if all are one foreground{aside}"
    )


def _are_steps(values: list[float], counts: Mapping[float, int], flat: Mapping[float, int], top: float) -> bool:
    """Whether values between the ends are steps on edges, though no single mask shows it: a JPEG of best quality, or
    probabilities that reach neither end.
    """
    between = set(values) - {0, top}
    if len(values) > MAXIMUM_CLASSES:
        between = {value for value in between if _END * top < value < (1 - _END) * top}
    return len(between) > 1 and _are_edges(between, counts, flat)


def _are_edges(values: Iterable[float], counts: Mapping[float, int], flat: Mapping[float, int]) -> bool:
    chosen = list(values)
    return sum(flat.get(value, 0) for value in chosen) <= _EDGE * sum(counts[value] for value in chosen)


def _refuse_blurred_numbers(soft: Sequence[MaskSummary], masks: Sequence[MaskSummary], top: float) -> None:
    several = [mask for mask in masks if len(mask.foreground) > 1]
    if soft and 2 * len(soft) >= len(several):
        _refuse(soft, masks, top, [], whole=True)


def _refuse(
    soft: Sequence[MaskSummary], masks: Sequence[MaskSummary], top: float, peaks: list[float], *, whole: bool
) -> None:
    cut = _half(top, whole=whole)
    several = f" between several values (near {', '.join(f'{peak:g}' for peak in peaks)})" if len(peaks) > 2 else ""
    lowest = min(value for mask in masks for value in mask.foreground)
    least = (
        "" if lowest >= cut or any(mask.lossy for mask in soft) else f", or {setting(threshold=lowest)} if all but 0 is"
    )
    raise InputError(
        f"{soft[0].path} has soft edges{several} ({len(soft[0].counts)} values; {len(soft)} of {len(masks)} masks do): "
        f"save masks without smoothing or JPEG, or set {setting(threshold=cut)}, and all from there on is one "
        f"foreground{least}"
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
    """Find the threshold for colour masks with soft edges: one colour on black is cut half-way."""
    counts, flat = _in_colours(masks, "counts"), _in_colours(masks, "cores")
    soft = [mask for mask in masks if len(mask.counts) > MAXIMUM_CLASSES]
    few = len(counts) <= MAXIMUM_CLASSES
    if few:
        peaks = {colour for colour in counts if flat[colour] > _EDGE * counts[colour]}
        grades = set(counts) - peaks
        if not grades or not all(_is_between(colour, peaks) for colour in grades):
            return None
    else:
        peaks = _colour_peaks(flat)
    odd = soft[0] if soft else max(masks, key=lambda mask: len(mask.counts))
    shown = ", ".join(f"#{colour:06x}" for colour in sorted(peaks)[:6])
    if few and len(peaks) == 2 and 0 in peaks:
        top = max(_channels(max(peaks)))
        cut = (top + 1) // 2
        _refuse_fainter(masks, cut)
        return cut, (
            f"{odd.path.name} has soft edges ({len(odd.counts)} shades between {shown}): foreground is taken from "
            f"half of the colour on (set {setting('threshold')} to cut elsewhere than at {cut})"
        )
    if not few and len(peaks) == 2 and 0 in peaks:
        cut = (max(_channels(max(peaks))) + 1) // 2
        _refuse_fainter(masks, cut)
        return cut, (
            f"{odd.path.name} has soft edges or is a JPEG ({len(odd.counts)} shades near {shown}): foreground is "
            f"taken from half of the colour on (set {setting('threshold')} to cut elsewhere than at {cut})"
        )
    kinds = (
        f"near {shown}" if 1 < len(peaks) <= MAXIMUM_CLASSES else f"and all masks {len(counts)}: too many for classes"
    )
    raise InputError(
        f"{odd.path} has {len(odd.counts)} shades, {kinds}, and soft edges are no classes: save the mask with one "
        "flat colour a class, without smoothing or JPEG; where each object has a different colour, set "
        f"{setting(instances=True)}"
    )


def _colour_peaks(flat: Mapping[int, int]) -> set[int]:
    """The colours around which cores of regions gather: of those that differ by a step or are joined by such, one."""
    side = 255 // COLOUR_STEP + 1
    held = np.zeros((side, side, side))
    for colour, count in flat.items():
        held[tuple(round(channel / COLOUR_STEP) for channel in _channels(colour))] += count
    most = sorted(held.ravel().tolist())[-2]  # but for the background
    groups, number = ndimage.label(held > max(0.002 * most, 1), np.ones((3, 3, 3)))
    each = range(1, number + 1)
    sums = ndimage.sum_labels(held, groups, each)
    places = ndimage.maximum_position(held, groups, each)
    enough = max(20, 0.02 * sorted([0, 0, *sums])[-2])
    return {
        int(np.dot(place, COLOUR_STEP * np.array([65536, 256, 1])))
        for place, total in zip(places, sums, strict=True)
        if total > enough
    }


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
