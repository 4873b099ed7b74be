"""Match masks to images within the places that both lie in: a patient, a split, a folder of one image."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.folders import Picture
from amsunet.data.discovery.other_formats import stem_of
from amsunet.data.discovery.pairing import match
from amsunet.data.discovery.words import place_of
from amsunet.errors import InputError


@dataclass
class Matched:
    """The masks of one folder by image, with the guessed pairs."""

    masks: dict[Path, list[Picture]] = field(default_factory=dict)
    guessed: list[tuple[Path, Path]] = field(default_factory=list)
    shifted: tuple[Path, Path] | None = None


def match_in_places(images: Sequence[Picture], masks: Sequence[Picture]) -> Matched:
    """Match by names within each place that images and masks share, as a patient P1 or the split train; an image that
    is alone in its place gets all masks of the place.
    """
    shared = shared_places(images, masks)
    picture_of = {mask.path: mask for mask in masks}
    images_in, masks_in = by_place(images, shared), by_place(masks, shared)
    found = Matched()
    for place, here in images_in.items():
        matches = match([image.path for image in here], [mask.path for mask in masks_in.get(place, ())])
        found.masks |= {image: [picture_of[mask] for mask in several] for image, several in matches.masks.items()}
        found.guessed += matches.guessed
        found.shifted = found.shifted or matches.shifted
    taken = {mask.path for several in found.masks.values() for mask in several}
    left = [mask for mask in masks if mask.path not in taken]
    found.masks |= _alone_in_place(images, left, found.masks)
    return found


def _alone_in_place(
    images: Sequence[Picture], left: Sequence[Picture], found: dict[Path, list[Picture]]
) -> dict[Path, list[Picture]]:
    """Masks in the folder of one image, whatever their names: ``7/images/7.png`` and ``7/masks/*.png``, or
    ``images/7.png`` and ``masks/7/*.png``.
    """
    names = {image.path: (image.where | {place_of(stem_of(image.path))}) - {""} for image in images}
    shared = set().union(*names.values()) & {place for mask in left for place in mask.where} if left else set()
    at: dict[frozenset[str], list[Path]] = defaultdict(list)
    for image, places in names.items():
        at[frozenset(places & shared)].append(image)
    out: dict[Path, list[Picture]] = defaultdict(list)
    for mask in sorted(left, key=lambda one: one.path):
        place = frozenset(mask.where & shared)
        here = at.get(place, [])
        if place and len(here) == 1:
            out[here[0]].append(mask)
    refuse_kinds(out)
    return {image: [*found.get(image, ()), *several] for image, several in out.items()}


def refuse_kinds(masks_of: dict[Path, list[Picture]]) -> None:
    """Refuse masks that have the same names in every folder (liver, tumour): they are two classes, not parts of one."""
    by_forms: dict[frozenset[str], list[Path]] = defaultdict(list)
    for image, masks in masks_of.items():
        by_forms[frozenset(re.sub(r"\d+", "", stem_of(mask.path)) for mask in masks)].append(image)
    for forms, images in by_forms.items():
        if len(forms) > 1 and len(images) > 1:
            names = [mask.path.name for mask in masks_of[images[0]]]
            raise InputError(
                f"{images[0]} has the masks {listed(names)}, and others have masks of the same names: put the masks "
                "of each class into a folder of its own, masks/CLASS, or write a manifest.csv with a column mask:CLASS "
                "for each"
            )


def shared_places(images: Sequence[Picture], masks: Sequence[Picture]) -> set[str]:
    """The places in which both images and masks lie."""
    return {place for image in images for place in image.where} & {place for mask in masks for place in mask.where}


def by_place(pictures: Iterable[Picture], shared: set[str]) -> dict[frozenset[str], list[Picture]]:
    """Group pictures by those of the shared places in which they lie."""
    out: dict[frozenset[str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        out[picture.where & shared].append(picture)
    return out


def listed(names: Sequence[str]) -> str:
    """Names as they stand in a sentence."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
