"""What masks mean that lie in a folder for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from amsunet.data.discovery.words import words_of
from amsunet.data.images import Array
from amsunet.data.masks.convention import MaskConvention, name_numbers
from amsunet.data.masks.inversion import surrounds, warn_of_inversion
from amsunet.data.masks.kinds import refuse_too_many
from amsunet.data.masks.readings import choose_reading
from amsunet.data.masks.soft import threshold_of_soft
from amsunet.data.masks.summary import MaskSummary
from amsunet.data.options import MaskOptions
from amsunet.errors import InputError
from amsunet.safe_text import problem_of_names
from amsunet.wording import Blank, command, setting

_SAME, _SAME_NESTED = 0.5, 0.7
"""Overlap (intersection over union) from which on two folders mark the same objects: where one crosses the other, and
where one lies within the other, as a lumen in its vessel does."""
_MOST = 0.5
"""Share of images, above which most of them are alike."""
_ALL = 0.98
"""Least share of an image that is marked exactly once, if its classes cover everything."""

_SHOWN = 6
"""Most values that a note lists."""

Images = Sequence[Mapping[str, MaskSummary]]
"""The masks of each image, by class."""


def find_folder_convention(
    masks: Mapping[str, Sequence[MaskSummary]], options: MaskOptions, images: Images = (), *, known: bool = False
) -> tuple[MaskConvention, list[str]]:
    """Find what binary masks mean that lie in a folder for each class.

    Where classes overlap, the smaller one is on top in all images: a cup in its disc, a tumour in its organ.

    Args:
        masks: Summaries of the masks, by the folder of their class.
        options: What the user has set.
        images: The same masks by image, then by folder.
        known: Whether a network was trained on these folders, so that their meaning is known.

    Returns:
        The convention, and notes for the user on how it was found.

    Raises:
        InputError: For masks that may mean several things; the message names the setting for each.
    """
    every = [mask for of_class in masks.values() for mask in of_class]
    if options.classes is not None or options.instances:
        values, objects = setting("classes"), setting("instances")
        raise InputError(
            f"{every[0].path} is a mask of one class, by its folder or name: leave {values} and {objects} out"
        )
    reading, notes = choose_reading(every, options)
    masks = {name: [mask.read_as(reading) for mask in of_class] for name, of_class in masks.items()}
    images = [{name: mask.read_as(reading) for name, mask in image.items() if name in masks} for image in images]
    every = [mask.read_as(reading) for mask in every]
    if not any(mask.foreground - {options.ignore_value} for mask in every):
        raise InputError(f"{every[0].path} and all other masks are empty: nothing can be learned from them")
    threshold = options.threshold
    if threshold is None and (soft := threshold_of_soft(every, options.ignore_value)):
        threshold, note = soft
        notes = [*notes, note]
    if not known:
        _refuse_numbers_beside_white(every, options, soft=threshold is not None)
    if threshold is None:
        notes = [*notes, *_note_several_values(masks, options.ignore_value)]
    refuse_too_many(len(masks) + 1)
    names = ("background", *(f"class {number}" for number in range(1, len(masks) + 1)))
    convention = MaskConvention(
        kind="folders",
        values=tuple(range(len(names))),
        class_names=names,
        threshold=threshold,
        ignore_value=options.ignore_value,
        reading=reading,
        folders=tuple(masks),
    )
    if not known:
        notes = [*notes, *_look_around(masks, options, convention, images)]
    if options.class_names is None and not known:
        _refuse_unsafe(masks)
        _refuse_observers(images, list(masks))
    areas = [float(np.mean([_foreground_area(mask, convention) for mask in of_class])) for of_class in masks.values()]
    order = _order(dict(zip(masks, areas, strict=True)), images)
    convention = convention.model_copy(update={"order": order}).named(
        options.class_names or (None if known else tuple(masks))
    )
    if len(order) > 1:
        upwards = ", ".join(convention.class_names[label] for label in order)
        notes = [*notes, f"where classes overlap, the smaller one counts, in all images alike (upwards: {upwards})"]
    lost = [convention.class_names[label] for label in _covered(order, list(masks), images)]
    notes = [*notes, *(f"{name} lies under other classes in all images: no pixel of it is left" for name in lost)]
    empty = [name for name, area in zip(convention.class_names[1:], areas, strict=True) if not area]
    notes = [*notes, *(f"no mask marks {name}: this class cannot be learned or evaluated" for name in empty)]
    return convention, notes


def _refuse_unsafe(masks: Mapping[str, Sequence[MaskSummary]]) -> None:
    """Refuse names that cannot name a class: the masks of a prediction get folders of these names."""
    if problem := problem_of_names(("background", *masks)):
        paths = {name: mask.path for name, of_class in masks.items() for mask in of_class}
        wrong = next((path for name, path in paths.items() if problem_of_names((name,))), next(iter(paths.values())))
        raise InputError(
            f"{wrong} is the mask of a class that cannot be called so, for {problem}: rename its folder or column, or "
            f"set {setting('class_names')}"
        )


def _note_several_values(masks: Mapping[str, Sequence[MaskSummary]], ignore: int | None) -> list[str]:
    """Notice masks of one class that hold several numbers: those of its objects, or of other classes."""
    notes = []
    for name, of_class in masks.items():
        held = [mask.foreground - {ignore} for mask in of_class if not mask.colour]
        if any(len(values) > 1 for values in held):
            values = sorted(set().union(*held))
            shown = name_numbers(values[:_SHOWN]) + (",..." if len(values) > _SHOWN else "")
            notes.append(
                f"masks in the folder {name} hold {shown}, as numbers of objects: all but 0 is taken as {name}"
            )
    return notes


def _foreground_area(mask: MaskSummary, convention: MaskConvention) -> int:
    return sum(count for value, count in mask.counts.items() if convention.is_foreground(value, colour=mask.colour))


def _refuse_numbers_beside_white(every: Sequence[MaskSummary], options: MaskOptions, *, soft: bool) -> None:
    """Refuse 255 beside 1 in one mask: 255 may be ignored pixels."""
    if options.ignore_value is None and not soft:
        odd = next((mask for mask in every if not mask.colour and mask.foreground == {1, 255}), None)
        if odd is not None:
            raise InputError(
                f"{odd.path} holds 1 and 255: set {setting(ignore_value=255)} if 255 is to be ignored, "
                f"{setting(threshold=1)} if both are its class, or {setting(threshold=255)} if 255 alone is"
            )


def _look_around(
    masks: Mapping[str, Sequence[MaskSummary]], options: MaskOptions, convention: MaskConvention, images: Images
) -> list[str]:
    """Refuse folders whose masks may be inverted, unless the user set the threshold."""
    named = next((name for name in masks if _names_background(name)), None)
    if named is not None and options.class_names is None:
        raise InputError(
            f"{masks[named][0].path} is of a folder named {named}, and what no class marks is the background anyway: "
            "take this folder away, or rename it if it is a class"
        )
    if options.threshold is not None or _cover_all(images, len(masks)):
        return []
    notes = []
    for name, of_class in masks.items():
        top = max((value for mask in of_class for value in mask.counts), default=0)
        cut = max(1, int(convention.threshold or (128 if top > 128 else 1)))
        if surrounds(of_class, convention):
            raise InputError(
                f"{of_class[0].path} and most other masks in the folder {name} are bright around and dark within: "
                f"invert the masks of this folder, or set {setting(threshold=cut)} if what is bright is {name}"
            )
        notes += warn_of_inversion(of_class, convention, setting(threshold=cut))
    return notes


def _names_background(name: str) -> bool:
    """Whether a folder is called so, as ``background``, ``0_bg`` or ``class 0 background``."""
    words = {word for word in words_of(name) if not word.isdigit()} - {"class", "mask"}
    return bool(words) and words <= {"background", "bg"}


def _cover_all(images: Images, classes: int) -> bool:
    """Whether each place of an image is of one class."""
    if classes < 2 or not images:
        return False
    marks = [np.sum([mask.bright for mask in image.values()], axis=0) for image in images if image]
    return all((mark == 1).mean() >= _ALL for mark in marks)


def _overlaps(images: Images, one: str, other: str) -> Iterator[tuple[Array, Array]]:
    """Where two classes lie in the images that hold both."""
    for image in images:
        if one in image and other in image:
            here, there = image[one].bright.astype(bool), image[other].bright.astype(bool)
            if here.any() and there.any():
                yield here, there


def _refuse_observers(images: Images, names: Sequence[str]) -> None:
    """Refuse two folders that mark the same objects: if two observers drew them, one would be lost."""
    for one, other in combinations(names, 2):
        held = [*_overlaps(images, one, other)]
        alike = [(here & there).sum() / (here | there).sum() for here, there in held]
        outside = [max((here & ~there).sum() / here.sum(), (there & ~here).sum() / there.sum()) for here, there in held]
        within = [min((here & ~there).sum() / here.sum(), (there & ~here).sum() / there.sum()) for here, there in held]
        nested = bool(held) and np.mean(within) < 0.01 < np.mean(outside)
        least = _SAME_NESTED if nested else _SAME
        if len(held) > _MOST * len(images) and sum(share > least for share in alike) > _MOST * len(held):
            first = next(image for image in images if one in image and other in image)
            raise InputError(
                f"{first[one].path} and {first[other].path} mark the same objects, as the folders {one} and {other} do "
                f"in most images: if two observers drew them, take one folder away, or name the masks of one in a "
                f"manifest ({command('draft_manifest', Blank('DATA'))} writes a draft); if they are classes, set "
                f"{setting(class_names=tuple(names))}"
            )


def _order(areas: Mapping[str, float], images: Images) -> tuple[int, ...]:
    """Classes from the lowest to the topmost: where two overlap, the one that is smaller in these images is above."""
    below = set()
    for one, other in combinations(areas, 2):
        pairs = [(here, there) for here, there in _overlaps(images, one, other) if (here & there).any()]
        sizes = sum(int(here.sum()) for here, _ in pairs), sum(int(there.sum()) for _, there in pairs)
        if sizes[0] != sizes[1]:
            below.add((one, other) if sizes[0] > sizes[1] else (other, one))
    rest = sorted(areas, key=lambda name: -areas[name])
    order = []
    while rest:
        free = [name for name in rest if not any((lower, name) in below for lower in rest)]
        order.append((free or rest)[0])
        rest.remove(order[-1])
    return tuple([*areas].index(name) + 1 for name in order)


def _covered(order: Sequence[int], names: Sequence[str], images: Images) -> list[int]:
    """Classes that are hidden by others in all images."""
    seen, held = set(), set()
    for image in images:
        left: dict[int, Array] = {}
        for label in order:
            if names[label - 1] in image:
                here = image[names[label - 1]].bright.astype(bool)
                left = {lower: mark & ~here for lower, mark in left.items()} | {label: here}
                held |= {label} if here.any() else set()
        seen |= {label for label, mark in left.items() if mark.any()}
    return sorted(held - seen)
