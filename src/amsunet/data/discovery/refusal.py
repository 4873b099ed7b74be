"""The error message for a folder in which no image has a mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from amsunet.data.discovery.folders import Picture, Roles
from amsunet.data.discovery.other_formats import stem_of, without_suffix
from amsunet.data.discovery.tree import Tree, describe_other_files
from amsunet.data.discovery.words import role_of
from amsunet.data.readers import outlines
from amsunet.errors import InputError
from amsunet.wording import command


def explain_nothing_found(source: Path, tree: Tree, roles: Roles) -> str:
    """Word the error for a folder in which no image has a mask: what was tried, one name per kind, and what to do.

    Args:
        source: The data set's folder.
        tree: The files in it.
        roles: The pictures in it by role.

    Returns:
        One sentence.
    """
    others = describe_other_files(tree)
    more = f"; {'; '.join(others)}" if others else ""
    if tree.undecodable_names:
        more += f"; {len(tree.undecodable_names)} names are not UTF-8, as {tree.undecodable_names[0]}: rename the files"
    if not tree.pictures:
        coco = next((path for path in sorted(source.rglob("*.json")) if "coco" in path.name.lower()), None)
        more += f"; {coco} names images (COCO): put them beside it" if coco else ""
        return (
            f"{source} holds no images (.bmp, .jpg, .png, .tif, ...){more}: put them into folders images/ and masks/, "
            "or write a manifest.csv with the columns image,mask"
        )
    more += _describe_outlines(source, tree, roles)
    found = f"images: {', '.join(_one_of_each_kind(roles.images))}" if roles.images else "no images"
    found += f"; masks: {', '.join(_one_of_each_kind(roles.masks))}" if roles.masks else ""
    rest = [*roles.rois, *roles.observers, *roles.aside]
    found += f"; neither: {', '.join(_one_of_each_kind(rest))}" if rest else ""
    if twice := _one_name_twice([*roles.images, *roles.masks]):
        more += f"; {twice[0]} and {twice[1]} have the same name: keep one of them, of masks the one that is not JPEG"
    if roles.shifted:
        more += (
            f"; images and masks are numbered from {roles.shifted[0].name} and {roles.shifted[1].name} on: name in a "
            "manifest.csv which belong together"
        )
    if two := _two_masks_of_one(roles):
        image, first, other = two
        return (
            f"{first.parent} and {other.parent} hold masks of the same images, as of {image}: keep one of them, or "
            f"write a manifest.csv with the columns image,mask ({command('draft_manifest', source)} makes a draft)"
        )
    empty = [folder for folder in tree.empty if role_of(folder.name) == "mask"]
    if empty and not roles.masks:
        return (
            f"{empty[0]} is empty, and no other file is a mask of the {len(roles.images)} images ({found}{more}): put "
            "the masks into it, under the names of their images, or write a manifest.csv with the columns image,mask "
            f"({command('draft_manifest', source)} makes a draft)"
        )
    return (
        f"{source} holds {len(roles.images)} images but no masks that match them by the same name, by a word such as "
        f"_mask, or by few values in their files ({found}{more}): put the masks into a folder masks/ beside images/, "
        "under the same names, or write a manifest.csv with the columns image,mask ("
        f"{command('draft_manifest', source)} makes a draft)"
    )


def _one_name_twice(pictures: Sequence[Picture]) -> tuple[Path, Path] | None:
    seen: dict[Path, Path] = {}
    for picture in pictures:
        before = seen.setdefault(without_suffix(picture.path), picture.path)
        if before != picture.path:
            return before, picture.path
    return None


def _two_masks_of_one(roles: Roles) -> tuple[Path, Path, Path] | None:
    """An image and two masks of its name in two folders, where no other image has that name."""
    count = Counter(stem_of(image.path).lower() for image in roles.images)
    image_of = {stem: image.path for image in roles.images if count[stem := stem_of(image.path).lower()] == 1}
    seen: dict[str, Path] = {}
    for mask in roles.masks:
        first = seen.setdefault(stem := stem_of(mask.path).lower(), mask.path)
        if first.parent != mask.path.parent and stem in image_of:
            return image_of[stem], first, mask.path
    return None


def _one_of_each_kind(pictures: Sequence[Picture]) -> list[str]:
    """One path for each folder and suffix, four at most."""
    first: dict[tuple[Path, str], str] = {}
    for picture in pictures:
        first.setdefault((picture.path.parent, picture.path.suffix.lower()), str(picture.path))
    return list(first.values())[:4]


def _describe_outlines(source: Path, tree: Tree, roles: Roles) -> str:
    """Name annotation files that make no masks: what is wrong with one, JSON of another kind, or YOLO's (``7.txt``)."""
    for file in tree.outlines:
        try:
            outlines.find(file)
        except InputError as error:
            return f"; {error}"
    if coco := next((path for path in sorted(source.rglob("*.json")) if "coco" in path.name.lower()), None):
        return f"; {coco} is no data set of COCO, or names none of these images"
    stems = {stem_of(picture.path) for picture in (*roles.images, *roles.masks)}
    ends = {
        ".json": "hold no outlines of a kind that is read (GeoJSON, LabelMe, COCO)",
        ".txt": "hold outlines or boxes, as YOLO has them, which are not read here: draw them into masks",
    }
    for suffix, end in ends.items():
        if beside := [path for path in sorted(source.rglob(f"*{suffix}")) if stem_of(path) in stems]:
            return f"; {len(beside)} files as {beside[0]} {end}"
    return ""
