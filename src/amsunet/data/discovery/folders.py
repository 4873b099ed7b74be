"""Decide from names whether each picture of a data set is an image, a mask, a field of view, or none of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from amsunet.data.discovery.mask_names import is_mask_name, is_other_observer_name, is_region_name
from amsunet.data.discovery.other_formats import stem_of
from amsunet.data.discovery.pairing import match
from amsunet.data.discovery.words import (
    Role,
    Split,
    is_aside,
    is_kind_of_mask,
    is_of_lines,
    place_of,
    role_of,
    split_of,
    splits_of,
    words_of,
)


@dataclass(frozen=True)
class Picture:
    """A picture file and what the names of its folders mean."""

    path: Path
    folders: tuple[str, ...]
    """The names of the folders from the data set's folder down to the file."""
    role: Role | None
    """The role of the nearest folder whose name means one."""
    homes: frozenset[tuple[str, ...]]
    """The parents of the folders that give the role, up to the first folder with another role."""
    split: Split | None
    places: tuple[str, ...]
    """The name of each folder without the words for a role; a split is written ``=train``."""

    @property
    def where(self) -> frozenset[str]:
        """The places, and for each split the split alone as well: ``=train`` of ``=train 1``."""
        return frozenset({*self.places, *(place.split()[0] for place in self.places if place.startswith("="))} - {""})

    @property
    def evidence(self) -> str:
        """The name of the nearest folder that gives a role; empty if none does."""
        return next((name for name in reversed(self.folders) if role_of(name) is not None), "")


@dataclass
class Roles:
    """The pictures by role: images, masks, regions of interest, masks of other observers, and the rest (``aside``)."""

    images: list[Picture] = field(default_factory=list)
    masks: list[Picture] = field(default_factory=list)
    rois: list[Picture] = field(default_factory=list)
    observers: list[Picture] = field(default_factory=list)
    aside: list[Picture] = field(default_factory=list)
    shifted: tuple[Path, Path] | None = None
    """The first image and the first mask, if images and masks are numbered with a constant offset; else None."""
    channels_in_doubt: str = ""
    """See ``ChannelGroups.in_doubt``."""


def locate_pictures(paths: Sequence[Path], source: Path) -> list[Picture]:
    """Read role, split and place of each file from the names of its folders.

    Args:
        paths: Picture files below ``source``.
        source: The data set's folder.

    Returns:
        One ``Picture`` per path, in the same order.
    """
    below = {path: path.relative_to(source).parts[:-1] for path in paths}
    splits = splits_of({name for folders in below.values() for name in folders})
    numbered = {stem_of(path).lower() for path in paths if any(letter.isdigit() for letter in stem_of(path))}
    return [_look(path, folders, splits, numbered) for path, folders in below.items()]


def _look(path: Path, folders: tuple[str, ...], splits: dict[str, Split], numbered: set[str]) -> Picture:
    roles = [role_of(name) for name in folders]
    if "mask" in roles:  # masks/image_7 holds masks of image_7
        below = roles.index("mask") + 1
        roles[below:] = [
            None if name.lower() in numbered else role
            for name, role in zip(folders[below:], roles[below:], strict=True)
        ]
    with_role = [index for index, role in enumerate(roles) if role is not None]
    role = roles[with_role[-1]] if with_role else None
    run = list(takewhile(lambda index: roles[index] == role, reversed(with_role)))
    split = next((splits[name] for name in reversed(folders) if name in splits), None)
    places = tuple(place_of(name, splits.get(name)) for name in folders)
    return Picture(path, folders, role, frozenset(folders[:index] for index in run), split, places)


def assign_roles(pictures: Sequence[Picture]) -> Roles:
    """Separate images, masks and the rest: by their folders if these hold both, else by the names of the files too.

    Args:
        pictures: The pictures of a data set, from ``locate_pictures``.

    Returns:
        The pictures by role. Each list keeps the order of ``pictures`` within a folder.
    """
    roles = Roles()
    by_role: dict[Role | None, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_role[picture.role].append(picture)
    plain, masks = by_role[None], by_role["mask"]
    roles.rois, roles.observers, roles.aside = by_role["roi"], by_role["other observer"], by_role["aside"]
    if any("manual" in words_of(mask.evidence) for mask in masks):
        # DRIVE as published: the vessels are in 1st_manual, and mask is the field of view.
        roles.rois += [mask for mask in masks if words_of(mask.evidence) in (["mask"], ["masks"])]
        regions = set(roles.rois)
        masks = [mask for mask in masks if mask not in regions]
    both = Roles()
    if not plain and not by_role["image"]:
        _assign_by_name(masks, both)  # lesion_segmentation/7.png beside 7_mask.png
    if both.images and both.masks:
        roles.images, roles.masks = both.images, both.masks
        roles.rois += both.rois
        roles.observers += both.observers
    elif masks:
        roles.masks += masks
        roles.images += by_role["image"]
        _assign_beside_masks(plain, roles)
    else:
        _assign_by_name([*plain, *by_role["image"]], roles)
    if not roles.masks and roles.observers:
        roles.masks, roles.observers = roles.observers, []
    if not roles.masks:
        kinds = [picture for picture in roles.aside if is_kind_of_mask(picture.evidence)]
        roles.masks = [picture for picture in kinds if not is_of_lines(picture.evidence)] or kinds
        taken = set(roles.masks)
        roles.aside = [picture for picture in roles.aside if picture not in taken]
    _keep_one_kind_of_images(roles)
    _set_aside(roles)
    return roles


def _assign_beside_masks(plain: list[Picture], roles: Roles) -> None:
    """Give a role to files in folders without one, where other folders hold masks: they are images, unless a clear pair
    of an image folder and a mask folder lies beside them.
    """
    pairs = {home for image in roles.images for home in image.homes} & {
        home for mask in roles.masks for home in mask.homes
    }
    by_folder: dict[Path, list[Picture]] = defaultdict(list)
    for picture in plain:
        by_folder[picture.path.parent].append(picture)
    for group in by_folder.values():
        alone = Roles()
        _assign_by_name(group, alone)
        found = match([one.path for one in alone.images], [one.path for one in alone.masks])
        if alone.masks and len(found.masks) == len(alone.images):
            roles.images += alone.images
            roles.masks += alone.masks
            roles.rois += alone.rois
            roles.observers += alone.observers
        elif any(group[0].folders[: len(pair)] == pair for pair in pairs):
            roles.aside += group
        else:
            roles.images += group


def _assign_by_name(pictures: list[Picture], roles: Roles) -> None:
    called_masks = [picture for picture in pictures if is_mask_name(stem_of(picture.path))]
    stems = {stem_of(picture.path) for picture in called_masks}
    called_masks = [
        picture for picture in pictures if stem_of(picture.path) in stems or _continues(stem_of(picture.path), stems)
    ]
    regions = [picture for picture in called_masks if is_region_name(stem_of(picture.path))]
    observers = [picture for picture in called_masks if is_other_observer_name(stem_of(picture.path))]
    apart = {*regions, *observers}
    masks = [picture for picture in called_masks if picture not in apart]
    if not masks:  # files named as regions of interest may be the only masks
        masks, regions, observers = called_masks, [], []
    masked = set(called_masks)
    roles.images += [picture for picture in pictures if picture not in masked]
    roles.masks += masks
    roles.rois += regions
    roles.observers += observers


def _continues(stem: str, masks: set[str]) -> bool:
    """Whether a name is the name of another mask and a further word: ``7_mask_heart`` beside ``7_mask``."""
    return any(stem[: found.start()] in masks for found in re.finditer(r"[_\-. ]+", stem))


def _keep_one_kind_of_images(roles: Roles) -> None:
    """If several folders hold pictures of the same names, keep that called images: not ``raw`` or ``images_8bit``."""
    usual = {"image", "images", "img", "imgs"}
    stems: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for image in roles.images:
        if image.role == "image" and set(words_of(image.evidence)) <= usual:
            for home in image.homes:
                stems[home].add(stem_of(image.path).lower())
    other = {
        image.path.parent
        for image in roles.images
        if image.role == "image"
        and not set(words_of(image.evidence)) <= usual
        and any(stem_of(image.path).lower() in stems.get(home, ()) for home in image.homes)
    }
    roles.aside += [image for image in roles.images if image.path.parent in other]
    roles.images = [image for image in roles.images if image.path.parent not in other]


def _set_aside(roles: Roles) -> None:
    """Set aside pictures whose names show that they are made from others, and second observers among the masks."""
    for kind in (roles.images, roles.masks):
        made = [picture for picture in kind if is_aside(stem_of(picture.path))]
        if len(made) < len(kind):
            roles.aside += made
            left_out = set(made)
            kind[:] = [picture for picture in kind if picture not in left_out]
    second = [mask for mask in roles.masks if is_other_observer_name(stem_of(mask.path))]
    if second and len(second) < len(roles.masks):
        roles.observers += second
        apart = set(second)
        roles.masks = [mask for mask in roles.masks if mask not in apart]


def splits_by_file_names(images: Sequence[Picture]) -> dict[Path, Split]:
    """Read splits from file names such as ``train_1``, ``testA_1`` or ``21_training``.

    Args:
        images: The images of a data set.

    Returns:
        The split of every image by its path; empty if a folder names a split, if a name contains none, or if all
        images have the same one.
    """
    if any(image.split for image in images):
        return {}
    found: dict[Path, Split] = {}
    for image in images:
        split = split_of(stem_of(image.path))
        if split is None:
            return {}
        found[image.path] = split
    return found if len(set(found.values())) > 1 else {}
