"""The rules by which the meaning of a data set's masks is found, from all of them, in a fixed order.

The user's settings come first, then the colours of palettes, then values that have one meaning only. All other masks
are refused: the message names both meanings and the setting for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from amsunet.data.masks.artefacts import refuse_dithered, refuse_lossy_numbers
from amsunet.data.masks.colours import find_colour_convention
from amsunet.data.masks.convention import LARGEST_VALUE, MaskConvention, name_numbers, name_value
from amsunet.data.masks.inversion import (
    refuse_two_backgrounds,
    soft_convention,
    surrounding_value,
    surrounds,
    warn_of_inversion,
)
from amsunet.data.masks.kinds import WHITE, objects_convention, threshold_convention, values_convention
from amsunet.data.masks.numbers import NumberMeaning, classify_numbers
from amsunet.data.masks.readings import choose_reading
from amsunet.data.masks.soft import threshold_of_soft
from amsunet.data.masks.stray_values import numbers_advice, refuse_nearly_white, refuse_stray_values
from amsunet.data.masks.summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.data.options import MaskOptions
from amsunet.errors import InputError
from amsunet.wording import setting


def find_convention(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    """Find what the values mean, or refuse where it would be a guess.

    Args:
        masks: Summaries of all masks of the data set.
        options: What the user has set.

    Returns:
        The convention, and notes for the user on how it was found.

    Raises:
        InputError: For masks that may mean several things; the message names the setting for each.
    """
    options.refuse_two()
    reading, notes = choose_reading(masks, options)
    masks = [mask.read_as(reading) for mask in masks]
    colour = any(mask.colour for mask in masks)
    convention, more = (find_colour_convention if colour else _find_number_convention)(masks, options)
    return convention.model_copy(update={"reading": reading}).named(options.class_names), [*notes, *more]


def _find_number_convention(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    ignore = options.ignore_value
    if options.colours:
        raise InputError(
            f"{masks[0].path} and all other masks are grey: set {setting('classes')} with their values, not colours"
        )
    totals = _total(masks)
    values = sorted(set(totals) - {ignore})
    if not values or values == [0]:
        raise InputError(f"{masks[0].path} and all other masks are empty: nothing can be learned from them")
    if options.threshold is not None:
        return threshold_convention(options.threshold, ignore), []
    if options.instances:
        soft = threshold_of_soft(masks, ignore) if any(mask.lossy for mask in masks) else None
        objects = objects_convention(ignore)
        return (objects.model_copy(update={"threshold": soft[0]}), [soft[1]]) if soft else (objects, [])
    if options.classes is not None:
        return values_convention(options.classes, ignore), _note_surroundings(masks, options.classes, ignore)
    if values[0] < 0 and len(values) == 2:
        _refuse_negative(masks, values)
    if len(values) == 1:
        raise InputError(
            f"{masks[0].path} and all other masks hold the value {name_value(values[0])} in every pixel: all of "
            "every image would be foreground, and nothing can be learned from that"
        )
    refuse_lossy_numbers(masks, ignore)
    if len(values) == 2 and values[0] == 0:
        return _find_of_two(masks, values[1], ignore)
    _refuse_mixed_white(masks, values)
    refuse_nearly_white(masks, values)
    if ignore is None and _are_classes_and_ignored(values) and not any(mask.lossy for mask in masks):
        _refuse_lone_white(masks, values)
        _refuse_noise_beside_white(masks, totals, values)
        _refuse_around(masks, values)
        if (numbers := classify_numbers(masks, WHITE)).kind == "objects":
            convention, notes = _of_numbered(numbers, values[-2], WHITE)
            return convention, [*notes, "mask value 255 beside object numbers is taken as 'ignore'"]
        if numbers.kind == "open" and numbers.counted:
            _refuse_open(masks, values[:-1], WHITE)
        refuse_stray_values(masks, totals, values[:-1], numbers_advice(values))
        name = setting("classes")
        note = f"mask value 255 beside small class numbers is taken as 'ignore' (set {name} to make it a class)"
        return values_convention([int(value) for value in values[:-1]], WHITE), [note]
    if soft := threshold_of_soft(masks, ignore):
        return soft_convention(masks, soft[0], soft[1], ignore)
    _refuse_fractions(masks)
    return _find_of_many(masks, totals, values, ignore)


def _find_of_many(
    masks: Sequence[MaskSummary], totals: Mapping[float, int], values: list[float], ignore: int | None
) -> tuple[MaskConvention, list[str]]:
    """Find the meaning of three values or more: class numbers or object numbers, else refuse."""
    if values[0] < 0:
        _refuse_negative(masks, values)
    if ignore is None:
        _refuse_around(masks, values)
    found = classify_numbers(masks, ignore)
    if found.kind == "objects":
        return _of_numbered(found, values[-1], ignore)
    refuse_stray_values(masks, totals, values, numbers_advice(values))
    if found.kind == "classes" and values == list(range(len(values))) and len(values) <= MAXIMUM_CLASSES:
        objects = setting(instances=True)
        note = f"mask values are taken as class numbers: {found.reason} (set {objects} if they number objects)"
        return values_convention([int(value) for value in values], ignore), [note]
    _refuse_open(masks, values, ignore)
    raise AssertionError


def _of_numbered(found: NumberMeaning, top: float, ignore: int | None) -> tuple[MaskConvention, list[str]]:
    note = (
        f"mask values look like object numbers (up to {name_value(top)}; {found.reason}): every object is taken as "
        f"foreground (set {setting('classes')} to take them as classes)"
    )
    return objects_convention(ignore), [note]


def _find_of_two(masks: Sequence[MaskSummary], white: float, ignore: int | None) -> tuple[MaskConvention, list[str]]:
    """Read 0 and one other value as background and foreground; refuse masks that look inverted."""
    if white % 1 or white > LARGEST_VALUE:
        convention = threshold_convention(white / 2 if white % 1 else 1, ignore)
    else:
        convention = values_convention((0, int(white)), ignore)
    numbers = convention.kind == "values"
    around = f"set {setting(classes=(white, 0))}" if numbers else "invert the masks"
    as_it_is = setting(classes=(0, white)) if numbers else setting(threshold=convention.threshold)
    refuse_dithered(masks, as_it_is)
    if ignore is None and surrounds(masks, convention):
        shown = name_value(white)
        raise InputError(
            f"{masks[0].path} and most other masks are {shown} around and 0 within: {around} if {shown} is the "
            f"background, or {'' if numbers else 'set '}{as_it_is} if it is the object"
        )
    return convention, [] if ignore is not None else warn_of_inversion(masks, convention, as_it_is)


def _note_surroundings(masks: Sequence[MaskSummary], classes: Sequence[int], ignore: int | None) -> list[str]:
    """Warn where the background that the user sets is not the value that lies around."""
    around = surrounding_value(masks)
    if around is None or around in (classes[0], ignore) or around not in classes:
        return []
    first = setting(classes=(around, *(value for value in classes if value != around)))
    return [
        f"{around} lies around in most masks, and {setting('classes')} takes {classes[0]} as the background (set "
        f"{first} if {around} is)"
    ]


def _refuse_around(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    """Refuse several values of which another than the first lies around, as a background does; in some masks too."""
    refuse_two_backgrounds(masks, name_value, lambda other: _as_classes_or_ignored(values, other))
    around = surrounding_value(masks)
    if around in (None, values[0]):
        return
    rest = tuple(value for value in values if value != around)
    aside = f", or {setting(classes=rest, ignore_value=around)} if it is to be ignored" if len(values) > 2 else ""
    raise InputError(
        f"{masks[0].path} and most other masks are {around} around and something else within: set "
        f"{setting(classes=(around, *rest))} if {around} is the background, {setting(classes=tuple(values))} if "
        f"{name_value(values[0])} is{aside}"
    )


def _as_classes_or_ignored(values: Sequence[float], other: float) -> str:
    rest = tuple(value for value in values if value != other)
    ignored = setting(classes=rest, ignore_value=other)
    return f"set {ignored} if {name_value(other)} is to be ignored, {setting(classes=tuple(values))} if it is a class"


def _refuse_negative(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    odd = next(mask for mask in masks if values[0] in mask.counts)
    what = f"{odd.path} holds the value {name_value(values[0])}, and no class can have one below 0"
    if values[-1] <= 0:
        raise InputError(f"{what}: save the masks with 0 for the background and 1 for the object")
    if len(values) == 2:
        raise InputError(
            f"{what}: set {setting(threshold=values[1])} if {name_value(values[1])} is the object and "
            f"{name_value(values[0])} all around it; else save the masks with 0 for the background and 1 for the object"
        )
    raise InputError(f"{what}: set {setting(ignore_value=values[0])} if these pixels are to be ignored")


def _refuse_mixed_white(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    """Refuse files that mark foreground with different values: the largest of 8 and of 16 bits, or 1."""
    if values[0] == 0 and {*values[1:]} <= {1, WHITE, LARGEST_VALUE} and all(len(m.foreground) < 2 for m in masks):
        odd = next(mask for mask in masks if values[-1] in mask.counts)
        ignored = f", or {setting(ignore_value=values[-1])} if {name_value(values[-1])} is to be ignored"
        raise InputError(
            f"{odd.path} marks foreground with {name_value(values[-1])} while other masks use "
            f"{name_value(values[1])}: save all masks alike, or set {setting(threshold=1)} if both mark the object"
            f"{ignored if values[1:-1] == [1] else ''}"
        )


def _are_classes_and_ignored(values: Sequence[float]) -> bool:
    """Whether values are 0, 1, ... and 255: classes and ignored pixels."""
    small = list(values[:-1])
    return values[-1] == WHITE and small == list(range(len(small))) and 1 < len(small) <= MAXIMUM_CLASSES


def _refuse_lone_white(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    """Refuse class numbers in some masks and 255 alone in others: ignored images, or foreground."""
    if not any(mask.foreground > {WHITE} for mask in masks):
        other = next(mask for mask in masks if mask.foreground == {WHITE})
        raise InputError(
            f"{other.path} holds no class but 255, while other masks hold {name_numbers(values[1:-1])}: set "
            f"{setting(ignore_value=WHITE)} if these pixels are to be ignored, or save all masks alike"
        )


def _refuse_noise_beside_white(
    masks: Sequence[MaskSummary], totals: Mapping[float, int], values: Sequence[float]
) -> None:
    """Refuse 255 where it may be the object: small numbers beside it that are specks, as of a JPEG, are no classes."""
    small = list(values[1:-1])
    cores = sum(mask.cores.get(value, 0) for mask in masks for value in small)
    white = sum(mask.cores.get(WHITE, 0) for mask in masks)
    if cores <= 0.05 * sum(totals[value] for value in small) and white > 0.3 * totals[WHITE]:
        odd = max(masks, key=lambda mask: sum(mask.counts.get(value, 0) for value in small))
        raise InputError(
            f"{odd.path} holds {name_numbers(small)} in specks beside areas of 255: set {setting(threshold=128)} if "
            f"255 is the object, or {setting(classes=tuple(values[:-1]), ignore_value=WHITE)} if the specks are"
        )


def _refuse_fractions(masks: Sequence[MaskSummary]) -> None:
    odd = next((mask for mask in masks if any(value % 1 for value in mask.counts)), None)
    if odd is not None:
        top = max(max(mask.counts) for mask in masks)
        raise InputError(
            f"{odd.path} holds fractions, not class numbers: save the mask as integers, or set "
            f"{setting(threshold=top / 2)} to take all from there on as foreground"
        )


def _refuse_open(masks: Sequence[MaskSummary], values: Sequence[float], ignore: int | None) -> None:
    """Refuse numbers that may be classes or objects; the message fills both settings in with the masks' values."""
    holding = Counter(value for mask in masks for value in mask.counts)
    classes = [value for value in values if value >= 0]
    usual = [value for value in classes if holding[value] > 0.1 * len(masks)]
    odd = max(masks, key=lambda mask: len(mask.foreground))
    few = [mask for mask in masks if not set(mask.counts) <= {*usual, ignore}]
    aside = ""
    if 1 < len(usual) < len(classes) and 10 * len(few) <= len(masks):
        odd, classes = few[0], usual
        aside = f" ({len(few)} of {len(masks)} masks hold others: fix these)"
    shown = ", ".join(map(name_value, values[:6])) + (", ..." if len(values) > 6 else "")
    if values[0] > 0 and len(values) <= MAXIMUM_CLASSES:
        other = f" or {setting(classes=tuple(values[::-1]))}" if len(values) == 2 else ""
        raise InputError(
            f"{odd.path}: the masks hold the values {shown}, and which of them is the background is not known: set "
            f"{setting(classes=tuple(values))}{other}, the background first"
        )
    middle = ignore is None and len(classes) == 3 and classes[0] == 0 and classes[1] > MAXIMUM_CLASSES
    between = f", or {setting(classes=tuple(classes[::2]), ignore_value=classes[1])}" if middle else ""
    counted = classes[:-1] == list(range(len(classes) - 1))
    if ignore is None and len(classes) > 2 and counted and classes[-1] > MAXIMUM_CLASSES:
        between = f", or {setting(classes=tuple(classes[:-1]), ignore_value=classes[-1])}"
    besides = {} if ignore is None else {"ignore_value": ignore}
    listed = f"{setting(classes=tuple(classes), **besides)}{aside} or "
    if len(classes) > MAXIMUM_CLASSES:
        listed, between = "", f", or {setting('classes')} with all {len(classes)} values"
    raise InputError(
        f"{odd.path}: the masks hold the values {shown}, which may be classes or objects: set {listed}"
        f"{setting(instances=True, **besides)}{between}"
    )


def _total(masks: Sequence[MaskSummary]) -> Counter[float]:
    totals: Counter[float] = Counter()
    for mask in masks:
        totals.update(mask.counts)
    return totals


def absent_classes(masks: Sequence[MaskSummary], convention: MaskConvention) -> list[str]:
    """List classes that no mask holds: they cannot be learned, and their scores would mean nothing.

    Args:
        masks: Summaries of all masks, in the reading of the convention.
        convention: What the values mean.

    Returns:
        One warning for each such class.
    """
    if convention.kind not in ("values", "colours"):
        return []
    grey = 0x010101 if convention.kind == "colours" else 1
    held = {value if mask.colour else value * grey for mask in masks for value in mask.counts}
    return [
        f"no mask holds {convention.name_value(value)} ({name}): this class cannot be learned or evaluated"
        for value, name in zip(convention.values, convention.class_names, strict=True)
        if value not in held
    ]
