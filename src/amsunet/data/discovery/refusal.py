"""The error message for a folder in which no image has a mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from amsunet.data.discovery.folders import Picture, Roles
from amsunet.data.discovery.mask_names import without_words
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
    if not twice and (two := _one_of_two(roles.images, roles.masks)):
        image, first, other = two
        return (
            f"{first.parent} and {other.parent} hold masks of the same images, as of {image}: keep one of them, or "
            f"write a manifest.csv with the columns image,mask ({command('draft_manifest', source)} makes a draft)"
        )
    if not twice and (two := _one_of_two(roles.masks, roles.images)):
        mask, first, other = two
        return (
            f"{first.parent} and {other.parent} hold images of the same names, and {mask} may be the mask of either: "
            "keep one of them, or name the images and their masks in a manifest.csv "
            f"({command('draft_manifest', source)} makes a draft)"
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


def _one_of_two(ones: Sequence[Picture], others: Sequence[Picture]) -> tuple[Path, Path, Path] | None:
    """One picture that no other has the name of, and two of its name in two folders of the other kind: an image with
    two masks, or a mask with two images.
    """
    named = {one.path: without_words(stem_of(one.path)) for one in (*ones, *others)}
    count = Counter(named[one.path] for one in ones)
    only = {name: one.path for one in ones if count[name := named[one.path]] == 1}
    seen: dict[str, Path] = {}
    for other in others:
        first = seen.setdefault(name := named[other.path], other.path)
        if first.parent != other.path.parent and name in only:
            return only[name], first, other.path
    return None


def _one_of_each_kind(pictures: Sequence[Picture]) -> list[str]:
    """One path for each folder and suffix, four at most."""
    first: dict[tuple[Path, str], str] = {}
    for picture in pictures:
        first.setdefault((picture.path.parent, picture.path.suffix.lower()), str(picture.path))
    return list(first.values())[:4]


def _describe_outlines(source: Path, tree: Tree, roles: Roles) -> str:
    """Name annotation files that make no masks: what is wrong with one, JSON of another kind, or YOLO's (``7.txt``)."""
    unread = []
    for file in tree.outlines:
        try:
            unread += [file] if outlines.find(file) is None else []
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
    return f"; {unread[0]} {ends['.json'].replace('hold', 'holds')}" if unread else ""
