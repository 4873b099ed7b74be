"""Give images the masks that files of outlines make: by the name of the image's file, or as COCO names it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from amsunet.data.containers import OUTLINE_SUFFIXES
from amsunet.data.discovery.channel_groups import ChannelGroups, group_channels
from amsunet.data.discovery.folders import Picture, Roles, locate_pictures, splits_by_file_names
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.data.discovery.places import match_in_places
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.words import splits_of
from amsunet.data.image_file import orientation_of, stored_size
from amsunet.data.readers import outlines
from amsunet.errors import InputError

_Source = tuple[Path, str]
"""A file of outlines, and the name of an image in it; empty if the file belongs to one image."""
_MOST_NAMES = 3
_MOST_CLASSES = 254


def add_outlined(source: Path, files: Sequence[Path], roles: Roles, groups: ChannelGroups, layout: Layout) -> bool:
    """Add the images of a data set whose masks are outlines.

    Args:
        source: The folder of the data set.
        files: In it, those that may hold outlines.
        roles: Its pictures; those that are taken for images get masks.
        groups: These images with channels put together where a user named them, else by the names in the files.
        layout: Gets the samples, the classes, and notes.

    Returns:
        Whether there are any.

    Raises:
        InputError: If a file cannot be read, or it is not clear which belongs to an image, or what class an object has.
    """
    found: dict[Path, Mapping[str, Sequence[str]]] = {}
    for file in files:
        try:
            if (classes := outlines.find(file)) is not None:
                found[file] = classes
        except InputError as error:
            if file.suffix.lower() != ".json":  # which may be of anything
                raise
            layout.warnings.append(str(error))
    if not groups.addresses:
        groups = group_channels(roles.images, [Path(listed or file) for file in found for listed in found[file]])
        roles.channels_in_doubt = groups.in_doubt
    images = groups.images
    of_image, listed = _match_names(source, found, images), _match_listed(found, images, layout)
    for path in of_image.keys() & listed.keys():
        raise InputError(f"{of_image[path][0]} and {listed[path][0]} both hold outlines of {path}: keep one of them")
    of_image |= listed
    if not of_image:
        return False
    names = _class_names(found, of_image)
    split_of = splits_by_file_names(images)
    split_of_file = splits_of({file.stem for file, listed in of_image.values() if listed})
    if len({*split_of_file.values()}) > 1 and not any(image.split for image in images):
        split_of = {
            image: split_of_file[file.stem] for image, (file, _) in of_image.items() if file.stem in split_of_file
        }
        layout.notes.append(
            f"the splits are taken from the names of files of outlines: {', '.join(sorted(split_of_file))}"
        )
    for image in images:
        path = groups.address_of(image.path)
        if image.path in of_image:
            split = image.split or split_of.get(image.path)
            masks = _masks(path, *of_image[image.path], found, names)
            layout.samples.append(Sample(image.path.stem, path, masks, split=split))
        else:
            layout.images_without_mask.append(path)
    layout.notes += groups.notes
    layout.class_names = names if len(names) > 1 else ()
    layout.only_class = names[0] if len(names) == 1 else ""
    used = sorted({file for file, _ in of_image.values()})
    layout.masks_without_image += [file for file, classes in found.items() if "" in classes and file not in used]
    shown = ", ".join(path.name for path in used[:_MOST_NAMES]) + (", ..." if len(used) > _MOST_NAMES else "")
    of = f" of the classes {', '.join(names)}" if names else ""
    layout.notes.append(f"masks are drawn from outlines{of}, in {len(used)} file{'s' * (len(used) > 1)} ({shown})")
    return True


def outlined_mask(image: Path, mask: Path, class_name: str = "") -> Path:
    """The mask that a manifest names, as its address if it is a file of outlines.

    Args:
        image: The image that it belongs to.
        mask: The file.
        class_name: The class that its column names; empty for the mask of all classes.

    Raises:
        InputError: If the file has no outlines of the image, or of several classes where one is asked for.
    """
    if suffix_of(mask) not in OUTLINE_SUFFIXES:
        return mask
    if (found := outlines.find(mask)) is None:
        raise InputError(f"{mask} holds no outlines of a kind that is read: GeoJSON, LabelMe, COCO, regions of ImageJ")
    namesakes = [name for name in found if not name or _parts(name)[-1:] == (image.name,)]
    if not namesakes:
        raise InputError(f"{mask} does not name {image.name}: name the file that outlines it")
    listed = max(namesakes, key=lambda name: _parts(name) == image.parts[-len(_parts(name)) :])
    names = {*found[listed]} - {""}
    if class_name:
        return outlines.address_of(mask, _size(image), listed, class_name if names else None)
    if len(names) > 1:
        raise InputError(
            f"{mask} outlines objects of the classes {', '.join(sorted(names))}: name it in a column mask:CLASS for "
            "each of them"
        )
    return outlines.address_of(mask, _size(image), listed)


def _match_names(
    source: Path, found: Mapping[Path, Mapping[str, Sequence[str]]], images: Sequence[Picture]
) -> dict[Path, _Source]:
    """Files of one image each, by their names as masks are."""
    single = [file for file, classes in found.items() if "" in classes]
    first: dict[Path, Path] = {}
    for file in single:
        if (other := first.setdefault(file.with_suffix(""), file)) != file:
            raise InputError(f"{other} and {file} both hold outlines of one image: keep one of them")
    matched: dict[Path, list[Picture]] = {}
    by_name: dict[str, list[Path]] = defaultdict(list)
    for outlined in single:
        by_name[outlined.with_suffix("").name].append(outlined)
    located = {one.path: one for one in locate_pictures(single, source)}
    for image in images:  # a.png.geojson
        if whole := [file for file in by_name.get(image.path.name, ()) if len(by_name[image.path.name]) == 1]:
            matched[image.path] = [located[whole[0]]]
    taken = {one.path for several in matched.values() for one in several}
    left = [one for path, one in located.items() if path not in taken]
    others = [image for image in images if image.path not in matched]
    matched |= {image: several for image, several in match_in_places(others, left).masks.items() if several}
    for path, several in matched.items():
        if len(several) > 1:
            raise InputError(
                f"{several[0].path} and {several[1].path} both hold outlines of {path}: keep one of them, or move "
                "the other one elsewhere"
            )
    return {image: (several[0].path, "") for image, several in matched.items()}


def _match_listed(
    found: Mapping[Path, Mapping[str, Sequence[str]]], images: Sequence[Picture], layout: Layout
) -> dict[Path, _Source]:
    """Images that files name: by as much of their path as is needed to tell them apart."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        by_name[image.path.name].append(image.path)
    matched: dict[Path, _Source] = {}
    for file, classes in found.items():
        absent = []
        for listed in filter(_parts, classes):
            parts = _parts(listed)
            here = by_name.get(parts[-1], [])
            while len(here) > 1 and (nearer := _nearer(here, file, parts)) != here:
                here = nearer
            if len(here) > 1:
                raise InputError(
                    f"{file} names {listed}, which {here[0]} and {here[1]} are called: write the folder before the "
                    "name, or keep one of them"
                )
            if not here:
                absent.append(listed)
                continue
            if (other := matched.setdefault(here[0], (file, listed))) != (file, listed):
                raise InputError(f"{other[0]} and {file} both hold outlines of {here[0]}: keep one of them")
        if absent:
            layout.warnings.append(f"{file} names images that are not found: {len(absent)}, as {absent[0]}")
    return matched


def _nearer(images: list[Path], file: Path, parts: tuple[str, ...]) -> list[Path]:
    """Of images with one name those whose folders are named too, else those that lie beside or below the file."""
    named = [path for path in images if path.parts[-len(parts) :] == parts]
    if named and len(named) < len(images):
        return named
    below = [path for path in images if path.is_relative_to(file.parent)]
    return below if below and len(below) < len(images) else images


def _class_names(
    found: Mapping[Path, Mapping[str, Sequence[str]]], of_image: Mapping[Path, _Source]
) -> tuple[str, ...]:
    """The classes of all objects.

    Raises:
        InputError: If some objects have a class and others have none, or there are more classes than a mask can hold.
    """
    names = {name: file for file, image in of_image.values() for name in found[file][image]}
    if len(names) > _MOST_CLASSES:
        raise InputError(
            f"{next(iter(names.values()))} and others name {len(names)} classes, where a mask holds {_MOST_CLASSES}: "
            "if these are names of objects, give all of them one class"
        )
    if "" in names and len(names) > 1:
        count = sum(not name for name in (one for of in found[names[""]].values() for one in of))
        raise InputError(
            f"{names['']} holds {count} object{'s' * (count > 1)} without a class, and others have one "
            f"({', '.join(sorted(filter(None, names)))}): give all a class, or none"
        )
    return tuple(sorted(filter(None, names)))


def _masks(
    image: Path,
    file: Path,
    listed: str,
    found: Mapping[Path, Mapping[str, Sequence[str]]],
    names: tuple[str, ...],
) -> dict[str, Path]:
    """The mask of an image, or one of each class that it has; without objects that of the first class, empty."""
    size = _size(image)
    if len(names) < 2:
        return {"": outlines.address_of(file, size, listed)}
    here = [name for name in names if name in {*found[file][listed]}] or [names[0]]
    return {name: outlines.address_of(file, size, listed, name) for name in here}


def _parts(listed: str) -> tuple[str, ...]:
    """The folders and the name of an image as a file lists it, perhaps one written under Windows."""
    return Path(listed.replace("\\", "/")).parts


def _size(image: Path) -> tuple[int, int]:
    """Height and width of an image, upright."""
    size = stored_size(image) or (1, 1)  # of an image that cannot be read, which is told when it is read
    return size[::-1] if orientation_of(image) > 4 else size
