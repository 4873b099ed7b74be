"""Find images and their masks in a folder of any usual layout, without renaming files."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from amsunet.data.containers import holds_mask, is_container
from amsunet.data.discovery.channel_groups import ChannelGroups, group_channels
from amsunet.data.discovery.dataset_json import apply_dataset_json
from amsunet.data.discovery.dicom_series import name_patients, pair_segmentations
from amsunet.data.discovery.folders import Picture, Roles, assign_roles, locate_pictures, splits_by_file_names
from amsunet.data.discovery.inspection import roles_by_content
from amsunet.data.discovery.layout_notes import note_left_out, note_pairs, note_splits
from amsunet.data.discovery.manifest import read_manifest
from amsunet.data.discovery.other_formats import describe_other, stem_of, without_suffix
from amsunet.data.discovery.outline_files import add_outlined
from amsunet.data.discovery.pairing import likely_images
from amsunet.data.discovery.pairs import Paired, pair_one, pair_pictures
from amsunet.data.discovery.patient_table import apply_tables
from amsunet.data.discovery.refusal import explain_nothing_found
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.split_file import apply_split_file
from amsunet.data.discovery.tree import Tree, describe_other_files, walk
from amsunet.data.discovery.words import Split
from amsunet.data.image_file import is_image
from amsunet.errors import InputError
from amsunet.regular_file import refuse_irregular

__all__ = ["Layout", "Sample", "Split", "find_samples"]


def find_samples(source: Path, channels: Sequence[str] | None = None) -> Layout:
    """Find the samples of a data set.

    Args:
        source: A folder in any usual layout, or a CSV manifest.
        channels: As for ``group_channels``.

    Returns:
        The samples, the files that were left out, and notes and warnings on how files were interpreted.

    Raises:
        InputError: If there is no image or no mask.
    """
    try:
        layout = _find(source, channels)
    except PermissionError as error:
        raise InputError(f"{error.filename} may not be read: change its permissions") from None
    layout.samples = _unique_names(layout.samples)
    return layout


def _find(source: Path, channels: Sequence[str] | None) -> Layout:
    if not source.exists():
        raise InputError(f"{source} does not exist: check the path")
    if not source.is_dir():
        refuse_irregular(source)
        if kind := describe_other(source):
            raise InputError(f"{source} is {kind}")
        if is_container(source) or is_image(source):
            raise InputError(f"{source} is an image or a volume: name the folder that holds it and its mask")
        return read_manifest(source)
    if manifest := next((path for path in source.iterdir() if path.name.lower() == "manifest.csv"), None):
        return read_manifest(manifest)
    tree, layout, roles = _look_through(source, channels)
    if not layout.samples and not layout.in_doubt:
        if roles.channels_in_doubt:
            raise InputError(roles.channels_in_doubt)
        if layout.problems:  # of masks that name their images, as two DICOM SEG of one image
            raise InputError(layout.problems[0][2])
        raise InputError(explain_nothing_found(source, tree, roles))
    return _with_tables(source, tree, layout)


def find_all(source: Path) -> Layout:
    """Find what ``find_samples`` finds, for a draft: a manifest is ignored, and images need no mask.

    Args:
        source: A folder.

    Returns:
        The samples, those with uncertain masks included, and the images and masks without a partner.

    Raises:
        InputError: If there are no images.
    """
    tree, layout, roles = _look_through(source)
    layout.samples = sorted([*layout.samples, *layout.to_review], key=lambda sample: sample.image)
    layout.masks_without_image = sorted({*layout.masks_without_image, *layout.in_doubt.values()})
    if not layout.samples and not layout.images_without_mask:
        raise InputError(explain_nothing_found(source, tree, roles))
    return _with_tables(source, tree, layout)


def _look_through(source: Path, channels: Sequence[str] | None = None) -> tuple[Tree, Layout, Roles]:
    tree = walk(source)
    layout = Layout(
        notes=list(tree.notes),
        warnings=tree.warnings + describe_other_files(tree),
        undecodable_names=tree.undecodable_names,
    )
    roles = _add_from_tree(source, tree, layout, channels)
    layout.samples.sort(key=lambda sample: sample.image)
    return tree, layout, roles


def _with_tables(source: Path, tree: Tree, layout: Layout) -> Layout:
    apply_dataset_json(source, layout)
    layout.samples = _unique_names(layout.samples)  # by which tables tell them apart
    if layout.samples:
        note_splits(layout, source)
        apply_split_file(source, layout, tree.tables)
        apply_tables(source, layout)
        name_patients(layout)
    return layout


def _add_from_tree(source: Path, tree: Tree, layout: Layout, channels: Sequence[str] | None) -> Roles:
    """Add the samples of a folder to a layout, found by the names of files, else by their content."""
    pair_segmentations(tree, layout)
    if layout.samples and not tree.pictures:
        return Roles()
    both = {path for path in tree.pictures if holds_mask(path)}
    layout.samples += [
        Sample(stem_of(one.path), one.path, {"": one.path}, split=one.split)
        for one in locate_pictures(sorted(both), source)
    ]
    pictures = locate_pictures([path for path in tree.pictures if path not in both], source)
    roles = assign_roles(pictures)
    groups, paired = _pair(roles, channels)
    if not paired.masks and tree.outlines and add_outlined(source, tree.outlines, roles, groups, layout):
        return roles
    if not paired.masks and (seen := roles_by_content(pictures, layout)):
        roles = seen
        groups, paired = _pair(roles, channels)
    _add_samples(roles, paired, layout)
    layout.notes += groups.notes
    layout.warnings += [groups.in_doubt] if groups.in_doubt else []
    layout.samples, layout.to_review = (
        [replace(sample, image=groups.address_of(sample.image)) for sample in samples]
        for samples in (layout.samples, layout.to_review)
    )
    layout.images_without_mask = [groups.address_of(path) for path in layout.images_without_mask]
    layout.in_doubt = {groups.address_of(path): mask for path, mask in layout.in_doubt.items()}
    roles.shifted, roles.channels_in_doubt = paired.shifted, groups.in_doubt or roles.channels_in_doubt
    return roles


def _pair(roles: Roles, channels: Sequence[str] | None) -> tuple[ChannelGroups, Paired]:
    """Put channels that lie in a file each together, and find the masks of every image."""
    groups = group_channels(roles.images, [mask.path for mask in roles.masks], channels)
    roles.images = groups.images
    return groups, pair_pictures(roles.images, roles.masks)


def _add_samples(roles: Roles, paired: Paired, layout: Layout) -> None:
    roi_of = pair_one(roles.images, roles.rois)[0]
    observer_of = pair_one(roles.images, roles.observers)[0]
    split_of = splits_by_file_names(roles.images)
    if split_of:
        layout.notes.append(
            "the splits are taken from the names of the images, which begin or end with train, val or test"
        )
    layout.class_names = paired.class_names
    for image in roles.images:
        masks = paired.masks.get(image.path)
        if not masks:
            continue
        first = {label: several[0].path for label, several in masks.items()}
        more = {label: tuple(one.path for one in several[1:]) for label, several in masks.items() if several[1:]}
        mask_split = next(iter(masks.values()))[0].split
        layout.samples.append(
            Sample(
                stem_of(image.path),
                image.path,
                first,
                roi_of.get(image.path),
                split=image.split or mask_split or split_of.get(image.path),
                more_masks=more,
                other_observer=observer_of.get(image.path),
            )
        )
    without = [image for image in roles.images if image.path not in paired.masks]
    if layout.samples:
        without = _leave_branches_alone(without, roles, paired, layout)
        note_pairs(roles, paired, layout)
        note_left_out(roles.aside, {*roi_of.values()}, roles.rois, layout)
        if paired.aside:
            used = next(iter(layout.samples[0].masks.values())).parent
            layout.warnings.append(
                f"{len(paired.aside)} masks of another kind are not used, as {paired.aside[0].path}: those in {used} "
                "are used"
            )
        _warn_of_uncertain_pairs(roles, paired, layout)
    layout.images_without_mask += sorted(image.path for image in without if image.path not in layout.in_doubt)
    uncertain = set(layout.in_doubt.values())
    layout.masks_without_image += sorted(mask.path for mask in paired.unmatched if mask.path not in uncertain)


def _warn_of_uncertain_pairs(roles: Roles, paired: Paired, layout: Layout) -> None:
    """Take out images that may lack one of their masks: its objects would be trained on as background."""
    images_at: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    masks_at: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for image in roles.images:
        images_at[image.places].append(image.path)
    for mask in paired.unmatched:
        masks_at[mask.places].append(mask.path)
    everywhere = [image.path for image in roles.images]
    for place, masks in masks_at.items():
        for mask_path, image_path in likely_images(images_at.get(place, everywhere), masks).items():
            layout.in_doubt.setdefault(image_path, mask_path)
    layout.to_review = [sample for sample in layout.samples if sample.image in layout.in_doubt]
    layout.samples = [sample for sample in layout.samples if sample.image not in layout.in_doubt]


def _leave_branches_alone(without: list[Picture], roles: Roles, paired: Paired, layout: Layout) -> list[Picture]:
    """Leave out, with a warning, folders of pictures that are not called images and hold no image with a mask."""
    by_folder: dict[Path, list[Picture]] = defaultdict(list)
    for image in without:
        by_folder[image.path.parent].append(image)
    with_masks = {image.path.parent for image in roles.images if image.path in paired.masks}
    split_with_masks = {image.split for image in roles.images if image.path in paired.masks}
    alone = [
        folder
        for folder, images in by_folder.items()
        if folder not in with_masks
        and (images[0].role is None or (images[0].split == "test" and "test" not in split_with_masks))
    ]
    if not alone:
        return without
    count = sum(len(by_folder[folder]) for folder in alone)
    layout.warnings.append(
        f"{count} pictures are left out, as {by_folder[alone[0]][0].path}: none in their folders has a mask"
    )
    return [image for image in without if image.path.parent not in set(alone)]


def _unique_names(samples: list[Sample]) -> list[Sample]:
    """Make names unique: put the folders before a name that several samples share, and if needed the suffix behind."""
    if not samples:
        return samples
    full = {sample.image: Path(os.path.normpath(sample.image.absolute())) for sample in samples}
    if len(full) < len(samples):
        twice = Counter(sample.image for sample in samples).most_common(1)[0][0]
        raise InputError(f"{twice} is named more than once: keep one of its lines")
    common = Path(os.path.commonpath([path.parent for path in full.values()]))
    longer = {image: path.relative_to(common) for image, path in full.items()}
    for names in ({image: without_suffix(path) for image, path in longer.items()}, longer):
        seen = Counter(sample.name for sample in samples)
        samples = [replace(s, name="_".join(names[s.image].parts)) if seen[s.name] > 1 else s for s in samples]
    return samples
