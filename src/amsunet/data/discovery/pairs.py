"""Pair images with masks across folders: one mask per image, several, or one per class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.folders import Picture
from amsunet.data.discovery.inspection import share_marked
from amsunet.data.discovery.mask_names import without_words
from amsunet.data.discovery.other_formats import stem_of
from amsunet.data.discovery.pairing import natural
from amsunet.data.discovery.places import by_place, listed, match_in_places, refuse_kinds, shared_places
from amsunet.data.discovery.words import is_format, kind_of, place_of, role_of
from amsunet.data.masks.named_classes import find_named_classes, names_a_class
from amsunet.errors import InputError


@dataclass
class Paired:
    """The masks of each image by class, which is the name of their folder; ``""`` if folders name no class."""

    masks: dict[Path, dict[str, list[Picture]]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    unmatched: list[Picture] = field(default_factory=list)
    """Masks that belong to no image."""
    aside: list[Picture] = field(default_factory=list)
    """Masks of another kind, which are not used."""
    guessed: list[tuple[Path, Path]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    shifted: tuple[Path, Path] | None = None
    """An image and a mask, if images and masks are numbered with a constant offset."""


def pair_pictures(images: Sequence[Picture], masks: Sequence[Picture]) -> Paired:
    """Find the masks of every image.

    Args:
        images: The images of a data set.
        masks: The masks of a data set.

    Returns:
        The masks of each image by class.

    Raises:
        InputError: If two folders hold masks of the same images and it is not clear which to use.
    """
    kinds: dict[str, list[Picture]] = defaultdict(list)
    shared, above_images = shared_places(images, masks), _folders_above(images)
    for mask in masks:
        kinds[_kind(mask, above_images, shared)].append(mask)
    paired = {kind: _pair_kind(images, of_kind) for kind, of_kind in kinds.items()}
    if len(paired) == 1 or not _several_of_an_image(one.masks for one in paired.values()):
        return _merge(list(paired.values()))
    return _choose_kind(paired, kinds)


def pair_one(images: Sequence[Picture], others: Sequence[Picture]) -> tuple[dict[Path, Path], list[tuple[Path, Path]]]:
    """Match one file to each image, such as a field of view.

    Args:
        images: The images of a data set.
        others: The files to match.

    Returns:
        The file of each image, the first one if there are several; and the pairs that are guessed.
    """
    found = match_in_places(images, others)
    return {image: several[0].path for image, several in found.masks.items()}, found.guessed


def _pair_kind(images: Sequence[Picture], masks: Sequence[Picture]) -> Paired:
    """Pair masks of one kind: all together, or class folder by class folder."""
    by_label: dict[str, list[Picture]] = defaultdict(list)
    shared, above_images = shared_places(images, masks), _folders_above(images)
    for mask in masks:
        by_label[_label(mask, above_images, shared)].append(mask)
    if len(by_label) == 1 and (named := _named_classes(images, masks)):
        return named
    if by_folder := _in_folders_of_images(images, by_label, shared):
        taken = {mask.path for several in by_folder.values() for mask in several}
        unmatched = [mask for mask in masks if mask.path not in taken]
        return Paired({image: {"": several} for image, several in by_folder.items()}, unmatched=unmatched)
    found = {label: match_in_places(images, of_label) for label, of_label in by_label.items()}
    out = Paired(shifted=next((one.shifted for one in found.values() if one.shifted), None))
    labels = sorted(label for label, one in found.items() if one.masks)
    if len(labels) == 1 and role_of(labels[0]) is not None:
        labels = [""]  # masks/expert1, annotation/all_masks name no class
    classes = labels != [""] and (len(labels) == 1 or _several_of_an_image(found[label].masks for label in labels))
    if not classes:
        all_found = match_in_places(images, masks)
        out.guessed, out.shifted = all_found.guessed, out.shifted or all_found.shifted
        out.masks = {image: {"": several} for image, several in all_found.masks.items()}
        if len(labels) > 1 and "" not in labels:
            out.warnings.append(f"{listed(labels)} have no image in common: their masks are taken as one class")
    elif "" in labels:
        raise InputError(
            f"{listed([str(by_label[label][0].path.parent) for label in labels])} hold masks of the same images: keep "
            "one of them, or write a manifest.csv with the columns image,mask"
        )
    else:
        out.class_names = tuple(labels)
        for label in labels:
            for image, several in found[label].masks.items():
                out.masks.setdefault(image, {})[label] = several
            out.guessed += found[label].guessed
    taken = {mask.path for of_image in out.masks.values() for several in of_image.values() for mask in several}
    out.unmatched = [mask for mask in masks if mask.path not in taken]
    return out


def _named_classes(images: Sequence[Picture], masks: Sequence[Picture]) -> Paired | None:
    """Pair masks by the class in their names; None if their names hold none."""
    shared, picture_of = shared_places(images, masks), {mask.path: mask for mask in masks}
    images_in, out = by_place(images, shared), Paired()
    for place, of_place in by_place(masks, shared).items():
        here = [image.path for image in images_in.get(place, ())]
        found = find_named_classes(here, [mask.path for mask in of_place])
        if not found:
            return None
        for image, of_image in found.items():
            out.masks[image] = {name: [picture_of[path] for path in several] for name, several in of_image.items()}
    out.class_names = tuple(sorted({name for of_image in out.masks.values() for name in of_image}))
    image, most = max(out.masks.items(), key=lambda item: len(item[1]))
    files = [several[0].path.name for several in most.values()]
    out.warnings.append(
        f"classes are taken from the names of masks ({', '.join(out.class_names)}), as {listed(files)} of {image}: "
        f"if they are pieces of one class, number them ({stem_of(image)}_mask_1, {stem_of(image)}_mask_2) and they are "
        "joined"
    )
    return out


def _in_folders_of_images(
    images: Sequence[Picture], by_label: dict[str, list[Picture]], shared: set[str]
) -> dict[Path, list[Picture]]:
    """The masks of images that have a folder each: ``masks/7/*.png`` belongs to ``images/7.png``. Empty if fewer than
    half of the images or of the folders match: folders of classes 1 and 2 do not belong to images 1 and 2.
    """
    folders = {label: without_words(label) for label in by_label if label}
    names = defaultdict(list)
    for image in images:
        names[without_words(stem_of(image.path))].append(image)
    known = sum(name in names for name in folders.values())
    if not known or 2 * known < len(folders) or 2 * sum(name in folders.values() for name in names) < len(names):
        return {}
    out: dict[Path, list[Picture]] = defaultdict(list)
    for label, name in folders.items():
        for mask in sorted(by_label[label], key=lambda one: natural(stem_of(one.path))):
            here = [image for image in names.get(name, ()) if image.where & shared == mask.where & shared]
            if len(here) == 1:
                out[here[0].path].append(mask)
    refuse_kinds(out)
    return out


def _choose_kind(paired: dict[str, Paired], kinds: dict[str, list[Picture]]) -> Paired:
    """Choose among folders with masks of the same images: the one called masks, or all as classes if all name one."""
    found = {kind: one for kind, one in paired.items() if one.masks}
    folder = {kind: kinds[kind][0].evidence for kind in found}
    if all(names_a_class(place_of(name)) for name in folder.values()) and not any(
        one.class_names for one in found.values()
    ):
        out = Paired(class_names=tuple(sorted(folder.values())))
        for kind, one in found.items():
            for image, of_image in one.masks.items():
                out.masks.setdefault(image, {})[folder[kind]] = of_image[""]
            out.guessed += one.guessed
            out.unmatched += one.unmatched
        return out
    called_masks = [kind for kind in found if kind in ("mask", "masks")]
    if len(called_masks) != 1:
        raise InputError(
            f"{listed([str(next(iter(kinds[kind])).path.parent) for kind in found])} hold masks of the same images: "
            "keep one of them, or write a manifest.csv with the columns image,mask"
        )
    _refuse_field_of_view(kinds[called_masks[0]], [mask for kind in found for mask in kinds[kind]])
    out = found[called_masks[0]]
    out.aside = [mask for kind in paired if kind != called_masks[0] for mask in kinds[kind]]
    return out


def _refuse_field_of_view(masks: Sequence[Picture], every: Sequence[Picture]) -> None:
    """Refuse a folder called masks that covers most of the images, where another one marks less: ``mask`` and ``GT`` of
    IOSTAR.
    """
    taken = {mask.path for mask in masks}
    others = [mask.path for mask in every if mask.path not in taken]
    share, least = share_marked([mask.path for mask in masks]), share_marked(others)
    if share is not None and least is not None and share > 0.5 and least < share / 2:
        fov, other = masks[0].path.parent, others[0].parent
        raise InputError(
            f"{fov} and {other} hold masks of the same images, and the first cover {share:.0%} of them, as a field of "
            f"view does: rename {fov.name} to fov if it is one, or keep one of them"
        )


def _merge(several: list[Paired]) -> Paired:
    """Merge what was found in the branches of a data set."""
    out = Paired()
    named = [one.class_names for one in several if one.masks]
    if len(set(named)) > 1:
        first, other = [", ".join(names) or "none" for names in dict.fromkeys(named)][:2]
        raise InputError(
            f"images differ in their class folders, {first} and {other}: give every split the same folders"
        )
    out.class_names = named[0] if named else ()
    for one in several:
        out.masks |= one.masks
        out.unmatched += one.unmatched
        out.guessed += one.guessed
        out.warnings += one.warnings
        out.shifted = out.shifted or one.shifted
    return out


def _folders_above(images: Iterable[Picture]) -> set[tuple[str, ...]]:
    return {image.folders[:end] for image in images for end in range(len(image.folders) + 1)}


def _kind(mask: Picture, above_images: set[tuple[str, ...]], shared: set[str]) -> str:
    """The name of the highest folder that holds masks alone; empty if it is a place that images share."""
    for end, (name, place) in enumerate(zip(mask.folders, mask.places, strict=True), start=1):
        if mask.folders[:end] not in above_images and role_of(name) == "mask":
            return "" if place in shared else kind_of(name)
    return ""


def _label(mask: Picture, above_images: set[tuple[str, ...]], shared: set[str]) -> str:
    """The folder that may name a mask's class: the last one below the folder of masks with no other meaning."""
    inside, label = False, ""
    for end, (name, place) in enumerate(zip(mask.folders, mask.places, strict=True), start=1):
        if mask.folders[:end] in above_images:
            continue
        if inside and place and not place.startswith("=") and place not in shared and not is_format(name):
            label = name
        inside = inside or role_of(name) == "mask"
    return label


def _several_of_an_image(groups: Iterable[Iterable[Path]]) -> bool:
    seen: set[Path] = set()
    for group in groups:
        here = set(group)
        if here & seen:
            return True
        seen |= here
    return False
