"""The rules by which the meaning of a data set's masks is found, from all of them, in a fixed order.

What the user says comes first, then what colours of palettes say, then what values leave no doubt about. Else the
masks are refused, with both readings and the option for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from amsunet.data.colour_masks import find_of_colours
from amsunet.data.mask_kinds import WHITE, of_objects, of_threshold, of_values
from amsunet.data.mask_numbers import weigh_numbers
from amsunet.data.mask_readings import choose_reading
from amsunet.data.mask_summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.data.mask_surroundings import of_soft, surrounds
from amsunet.data.masks import MaskConvention, MaskOptions, name_numbers, name_value
from amsunet.data.odd_values import numbers_advice, refuse_odd_values
from amsunet.data.soft_masks import refuse_lossy_numbers, threshold_of_soft
from amsunet.errors import InputError


def find_convention(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    """Find what the values mean; where it would be a guess, refuse and name the option that says it.

    Returns: the convention, and what should be said aloud about how it was found.
    Raises: InputError for masks that cannot be understood without being told.
    """
    options.refuse_two()
    reading, notes = choose_reading(masks, options)
    masks = [mask.read_as(reading) for mask in masks]
    colour = any(mask.colour for mask in masks)
    convention, said = (find_of_colours if colour else _find_of_numbers)(masks, options)
    return convention.model_copy(update={"reading": reading}).named(options.class_names), [*notes, *said]


def find_folder_convention(
    masks: Mapping[str, Sequence[MaskSummary]], options: MaskOptions
) -> tuple[MaskConvention, list[str]]:
    """As ``find_convention``, of binary masks in one folder for each class, by the folders' names.

    Where classes overlap, the one that is smaller in the mean is on top in all images: a cup in its disc, a tumour in
    its organ.
    """
    every = [mask for of_class in masks.values() for mask in of_class]
    if options.classes is not None or options.instances:
        raise InputError(f"{every[0].path} lies in the folder of its class: leave --classes and --instances out")
    reading, notes = choose_reading(every, options)
    every = [mask.read_as(reading) for mask in every]
    if not any(mask.foreground - {options.ignore_value} for mask in every):
        raise InputError(f"{every[0].path} and all other masks are empty: nothing can be learned from them")
    threshold = options.threshold
    if threshold is None and (soft := threshold_of_soft(every, options.ignore_value)):
        threshold, note = soft
        notes = [*notes, note]
    names = ("background", *masks)
    convention = MaskConvention(
        kind="folders",
        values=tuple(range(len(names))),
        class_names=names,
        threshold=threshold,
        ignore_value=options.ignore_value,
        reading=reading,
        folders=tuple(masks),
    )
    areas = [
        np.mean([_foreground_area(mask.read_as(reading), convention) for mask in of_class])
        for of_class in masks.values()
    ]
    order = tuple(sorted(range(1, len(names)), key=lambda label: -areas[label - 1]))
    convention = convention.model_copy(update={"order": order}).named(options.class_names)
    if len(order) > 1:
        upwards = ", ".join(convention.class_names[label] for label in order)
        notes = [*notes, f"where classes overlap, the smaller one counts, in all images alike (upwards: {upwards})"]
    empty = [name for name, area in zip(convention.class_names[1:], areas, strict=True) if not area]
    notes = [*notes, *(f"no mask marks {name}: this class cannot be learned or judged" for name in empty)]
    return convention, notes


def _foreground_area(mask: MaskSummary, convention: MaskConvention) -> int:
    return sum(count for value, count in mask.counts.items() if convention.is_foreground(value, colour=mask.colour))


def _find_of_numbers(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    ignore = options.ignore_value
    if options.colours:
        raise InputError(f"{masks[0].path} and all other masks are grey: say --classes with their values, not colours")
    totals = _total(masks)
    values = sorted(set(totals) - {ignore})
    if not values or values == [0]:
        raise InputError(f"{masks[0].path} and all other masks are empty: nothing can be learned from them")
    if options.threshold is not None:
        return of_threshold(options.threshold, ignore), []
    if options.instances:
        soft = threshold_of_soft(masks, ignore) if any(mask.lossy for mask in masks) else None
        objects = of_objects(ignore)
        return (objects.model_copy(update={"threshold": soft[0]}), [soft[1]]) if soft else (objects, [])
    if options.classes is not None:
        return of_values(options.classes, ignore), []
    if len(values) == 1:
        raise InputError(
            f"{masks[0].path} and all other masks hold the value {name_value(values[0])} in every pixel: all of "
            "every image would be foreground, and nothing can be learned from that"
        )
    refuse_lossy_numbers(masks, ignore)
    if len(values) == 2 and values[0] == 0:
        white = values[1]
        convention = of_values((0, int(white)), ignore) if white % 1 == 0 else of_threshold(white / 2, ignore)
        if ignore is None and surrounds(masks, convention):
            raise InputError(
                f"{masks[0].path} and most other masks are {name_value(white)} around and 0 within: say --classes "
                f"{name_numbers([white, 0])} if {name_value(white)} is the background, or --classes "
                f"{name_numbers([0, white])} if it is the object"
            )
        return convention, []
    if ignore is None and _are_classes_and_ignored(values) and not any(mask.lossy for mask in masks):
        _refuse_mixed_foreground(masks, values)
        _refuse_noise_beside_white(masks, totals, values)
        refuse_odd_values(masks, totals, values[:-1], numbers_advice(values))
        note = "mask value 255 beside small class numbers is taken as 'ignore' (say --classes to make it a class)"
        return of_values([int(value) for value in values[:-1]], WHITE), [note]
    if soft := threshold_of_soft(masks, ignore):
        return of_soft(masks, soft[0], soft[1], ignore)
    _refuse_fractions(masks)
    return _find_of_many(masks, totals, values, ignore)


def _find_of_many(
    masks: Sequence[MaskSummary], totals: Mapping[float, int], values: list[float], ignore: int | None
) -> tuple[MaskConvention, list[str]]:
    """Of more values than two: class numbers, object numbers, or what only the user knows."""
    if values[0] < 0:
        odd = next(mask for mask in masks if values[0] in mask.counts)
        raise InputError(
            f"{odd.path} holds the value {name_value(values[0])}, and no class can have one below 0: say "
            f"--ignore-value={name_value(values[0])} if these pixels do not count"
        )
    found = weigh_numbers(masks, ignore)
    if found.kind == "objects":
        note = (
            f"mask values look like object numbers (up to {name_value(max(values))}; {found.reason}): every object "
            "is taken as foreground (say --classes to take them as classes)"
        )
        return of_objects(ignore), [note]
    refuse_odd_values(masks, totals, values, numbers_advice(values))
    if found.kind == "classes" and values == list(range(len(values))) and len(values) <= MAXIMUM_CLASSES:
        note = f"mask values are taken as class numbers: {found.reason} (say --instances if they number objects)"
        return of_values([int(value) for value in values], ignore), [note]
    _refuse_open(masks, values, ignore)
    raise AssertionError


def _are_classes_and_ignored(values: Sequence[float]) -> bool:
    """Whether values are 0, 1, ... and 255: classes, and what does not count."""
    small = list(values[:-1])
    return values[-1] == WHITE and small == list(range(len(small))) and 1 < len(small) <= MAXIMUM_CLASSES


def _refuse_mixed_foreground(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    """0/1 masks and 0/255 masks in one data set, or an ignored border that some masks have alone."""
    if not any(mask.foreground > {WHITE} for mask in masks):
        other = next(mask for mask in masks if mask.foreground == {WHITE})
        raise InputError(
            f"{other.path} marks foreground with 255 while other masks use {name_value(values[1])}: save all masks "
            "alike, or say --mask-threshold 1"
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
            f"{odd.path} holds {name_numbers(small)} in specks beside areas of 255: say --mask-threshold 128 if 255 is "
            f"the object, or --classes {name_numbers(values[:-1])} --ignore-value 255 if the specks are"
        )


def _refuse_fractions(masks: Sequence[MaskSummary]) -> None:
    odd = next((mask for mask in masks if any(value % 1 for value in mask.counts)), None)
    if odd is not None:
        top = max(max(mask.counts) for mask in masks)
        raise InputError(
            f"{odd.path} holds fractions, not class numbers: save the mask as integers, or say --mask-threshold "
            f"{name_numbers([top / 2])} to take all from there on as foreground"
        )


def _refuse_open(masks: Sequence[MaskSummary], values: Sequence[float], ignore: int | None) -> None:
    """Refuse numbers that may be classes or objects, both options filled in with what the masks hold."""
    holding = Counter(value for mask in masks for value in mask.counts)
    classes = [value for value in values if value >= 0]
    usual = [value for value in classes if holding[value] > 0.1 * len(masks)]
    odd = max(masks, key=lambda mask: len(mask.foreground))
    few = [mask for mask in masks if not set(mask.counts) <= {*usual, ignore}]
    aside = ""
    if 1 < len(usual) < len(classes) and 10 * len(few) <= len(masks):
        odd, classes = few[0], usual
        aside = f" ({len(few)} of {len(masks)} masks hold others: mend these)"
    shown = ", ".join(map(name_value, values[:6])) + (", ..." if len(values) > 6 else "")
    if values[0] > 0 and len(values) <= MAXIMUM_CLASSES:
        other = f" or --classes {name_numbers(values[::-1])}" if len(values) == 2 else ""
        raise InputError(
            f"{odd.path}: the masks hold the values {shown}, and which of them is the background is not known: say "
            f"--classes {name_numbers(values)}{other}, the background first"
        )
    listed = name_numbers(classes[:MAXIMUM_CLASSES])
    more = ",..." if len(classes) > MAXIMUM_CLASSES else ""
    middle = len(classes) == 3 and classes[0] == 0 and classes[1] > MAXIMUM_CLASSES
    between = (
        f", or --classes {name_numbers(classes[::2])} --ignore-value {name_numbers(classes[1:2])}" if middle else ""
    )
    raise InputError(
        f"{odd.path}: the masks hold the values {shown}, which may be classes or objects: say --classes "
        f"{listed}{more}{aside} or --instances{between}"
    )


def _total(masks: Sequence[MaskSummary]) -> Counter[float]:
    totals: Counter[float] = Counter()
    for mask in masks:
        totals.update(mask.counts)
    return totals


def absent_classes(masks: Sequence[MaskSummary], convention: MaskConvention) -> list[str]:
    """Tell of classes that no mask holds: they cannot be learned, and their scores would mean nothing."""
    if convention.kind not in ("values", "colours"):
        return []
    grey = 0x010101 if convention.kind == "colours" else 1
    held = {value if mask.colour else value * grey for mask in masks for value in mask.counts}
    return [
        f"no mask holds {convention.name_value(value)} ({name}): this class cannot be learned or judged"
        for value, name in zip(convention.values, convention.class_names, strict=True)
        if value not in held
    ]
