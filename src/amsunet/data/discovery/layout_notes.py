"""What is said of how the files of a data set were taken: joined, guessed, left out, or as splits."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from amsunet.data.discovery.folders import Picture, Roles, locate_pictures
from amsunet.data.discovery.pairs import Paired
from amsunet.data.discovery.sample import Layout
from amsunet.data.discovery.words import SPLIT_WORDS, words_of
from amsunet.wording import setting

_LIKE_SPLITS = frozenset({"dev", "eval", "evaluation", "holdout", "heldout", "hold", "devel", "development"})


def note_pairs(roles: Roles, paired: Paired, layout: Layout) -> None:
    """Note which masks were joined, guessed or set aside as those of a second observer."""
    joined = [sample for sample in layout.samples if sample.more_masks]
    if joined:
        label = next(iter(joined[0].more_masks))
        files = [joined[0].masks[label], *joined[0].more_masks[label]]
        layout.notes.append(
            f"{len(joined)} of {len(layout.samples)} images have several masks, as {joined[0].image} "
            f"({', '.join(path.name for path in files[:3])}{', ...' if len(files) > 3 else ''}): they are joined into "
            f"one; {setting(instances=True)} keeps their objects apart, a manifest.csv with a column mask:CLASS "
            "for each makes them classes"
        )
    if paired.guessed:
        image, mask = paired.guessed[0]
        layout.warnings.append(
            f"{len({image for image, _ in paired.guessed})} images get their masks by names that are only similar, as "
            f"{image} gets {mask}: if that is wrong, write a manifest.csv with the columns image,mask"
        )
    layout.warnings += paired.warnings
    for name in paired.class_names:
        absent = [sample for sample in layout.samples if name not in sample.masks]
        if absent:
            layout.warnings.append(
                f"{len(absent)} of {len(layout.samples)} images have no file for the class {name}, as "
                f"{absent[0].image}: they are taken as images without this class"
            )
    for folder in sorted({one.path.parent for one in roles.observers}):
        left_out = _all_in(folder, roles)
        layout.notes.append(
            f"{folder} {'is left out: a second' if left_out else 'holds a second'} observer's masks: they are not "
            "trained on, evaluate scores them beside the network"
        )
    scored = {sample.other_observer for sample in layout.samples}
    if further := sorted(one.path for one in roles.observers if one.path not in scored):
        layout.warnings.append(
            f"{len(further)} masks of further observers are not used, as {further[0]}: one per image is scored"
        )


def _all_in(folder: Path, roles: Roles) -> bool:
    return not any(mask.path.parent == folder for mask in roles.masks)


def note_left_out(aside: list[Picture], used_rois: set[Path], rois: list[Picture], layout: Layout) -> None:
    """Warn of pictures that are neither images nor masks, by folder."""
    left = [*aside, *(roi for roi in rois if roi.path not in used_rois)]
    by_kind: dict[str, list[Path]] = defaultdict(list)
    for picture in left:
        by_kind[re.sub(r"\d+", "0", str(picture.path.parent))].append(picture.path)
    for paths in list(by_kind.values())[:4]:
        layout.warnings.append(f"{len(paths)} pictures are not used, as {paths[0]}: neither images nor their masks")
    rest = list(by_kind.values())[4:]
    if rest:
        layout.warnings.append(f"{sum(map(len, rest))} more pictures are not used, in {len(rest)} other folders")


def note_splits(layout: Layout, source: Path) -> None:
    """Note which folders were taken for splits."""
    named: dict[str, set[str]] = defaultdict(set)
    placed = locate_pictures([sample.image for sample in layout.samples], source)
    by_mask = [
        mask
        for one, sample in zip(placed, layout.samples, strict=True)
        if sample.split and not one.split
        for mask in list(sample.masks.values())[:1]
    ]
    for picture in [*placed, *locate_pictures(by_mask, source)]:
        for name, place in zip(picture.folders, picture.places, strict=True):
            if place.startswith("="):
                named[place.split()[0][1:]].add(name)
    if named:
        folders = "; ".join(f"{split}: {', '.join(sorted(names))}" for split, names in sorted(named.items()))
        layout.notes.append(f"folders name the splits ({folders})")
    _note_no_splits(source, layout, bool(named))


def _note_no_splits(source: Path, layout: Layout, named: bool) -> None:
    """Warn of folders that may be meant as a split and are not taken for one: ``external_test``, ``holdout``; the
    latter only where other folders are ``named`` as splits.
    """
    other: dict[str, list[Path]] = defaultdict(list)
    for picture in locate_pictures([sample.image for sample in layout.samples if sample.split is None], source):
        for name in picture.folders:
            words = set(words_of(name))
            if words & SPLIT_WORDS or (named and words & _LIKE_SPLITS):
                other[name].append(picture.path)
    for name, paths in sorted(other.items()):
        if len(paths) == len(layout.samples):
            continue
        layout.warnings.append(
            f"the folder {name} names no split (train, val and test alone do): its {len(paths)} images are used as "
            "others, and may be trained on; rename it to val or test, or name its images in a split.json"
        )
