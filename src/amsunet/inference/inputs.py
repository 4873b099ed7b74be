"""The images that paths, folders, patterns and lists name, each with the name of its mask."""

from __future__ import annotations

import glob
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from amsunet.data.builtin_samples import PREFIX, locate
from amsunet.data.channel_files import image_name, join_channels, split_channels
from amsunet.data.containers import Address, addresses, find_address, is_container, is_volume
from amsunet.data.discovery.channel_groups import split_ending
from amsunet.data.discovery.other_formats import describe_other, without_suffix
from amsunet.data.discovery.stacks import planes_of
from amsunet.data.discovery.tree import describe_other_files, walk
from amsunet.data.discovery.words import role_of
from amsunet.data.image_file import is_image, read_errors
from amsunet.data.options import checked_axes
from amsunet.data.slides import SLIDE_SUFFIXES
from amsunet.errors import InputError
from amsunet.inference.stores import as_path, is_url
from amsunet.wording import setting

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class InputImage:
    """One image to be predicted and the name its mask gets, relative and without suffix."""

    image: Path
    name: str


def find_inputs(inputs: Sequence[str], out: Path | None = None) -> list[InputImage]:
    """Find the images that paths, folders, patterns and lists (.txt, one path a line) name.

    Of a folder or a pattern, images below ``out``, where the masks go, are passed over, unless all of them are. Images
    of one name get masks of names that differ: see ``named_apart``. Names that were changed, and what is left out of a
    folder, are logged.

    Raises:
        InputError: If an input names nothing, or two images would get the same mask name.
    """
    jobs: list[InputImage] = []
    for text in inputs:
        text = as_path(text)  # noqa: PLW2901 - what it means
        refuse_url(text)
        path = locate(text)
        if text.startswith(PREFIX):
            path = path / "test" / "images"
        if path.is_dir():
            found = _not_below(out, _in_folder(path))
        elif path.suffix.lower() == ".txt" and path.is_file():
            lines = _read_list(path)
            for line in filter(is_url, lines):
                raise InputError(f"{path}: {line} is not on a disk: a list names files; name the store's folder itself")
            found = [InputImage(path.parent / line, _name(path.parent / line)) for line in lines]
        elif parts := split_channels(path):
            if absent := next((part for part in parts.values() if not (part.exists() or _is_place(part))), None):
                raise InputError(f"{absent} does not exist, which {text} names: check the path")
            found = [InputImage(path, _name_of_place(path) if _is_place(next(iter(parts.values()))) else _name(path))]
        elif path.exists():
            if not is_input(path) and (kind := describe_other(path)):
                raise InputError(f"{path} is {kind}")
            found = [InputImage(path, _name(path))]
        elif _is_place(path):
            found = [InputImage(path, _name_of_place(path))]
        else:
            found = [InputImage(Path(name), _name(Path(name))) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
            found = _not_below(out, [job for job in found if is_input(job.image)])
        if not found:
            raise InputError(f"{text} names no image: check the path (folders, patterns and .txt lists are fine too)")
        jobs += [image for job in found for image in _images_in(job)]
    return named_apart(list({_absolute(job.image): job for job in jobs}.values()))


def _name(path: Path) -> str:
    """What the mask of a file is called: as the file, of a volume without the channel that nnU-Net's names end in."""
    return image_name(path).removesuffix("_0000") if is_volume(path) else image_name(path)


def _is_place(path: Path) -> bool:
    """Whether a path is the address of an image within a file that exists."""
    address = find_address(path)
    return address is not None and bool(address.place) and address.file.exists()


def _name_of_place(path: Path) -> str:
    """What the mask of an image within a file is called: as ``head_z012``, of channels in a file each without them."""
    place = cast(Address, find_address(path)).place
    return f"{_name(path.parents[place.count('/')])}_{place.replace('/', '_')}"


def _images_in(job: InputImage) -> list[InputImage]:
    """The images in a file of several, whose masks go into a folder of its name; a volume gets one mask."""
    if not is_container(job.image) or is_volume(job.image):
        return [job]
    try:
        with read_errors(job.image):
            found = addresses(job.image)
    except InputError:  # noted when its turn comes
        return [job]
    if len(found) == 1:
        return [replace(job, image=found[0])]
    return [InputImage(one, f"{job.name}/{one.relative_to(job.image).as_posix()}") for one in found]


def with_channels_joined(inputs: Sequence[InputImage], names: Sequence[str]) -> list[InputImage]:
    """Put files together that end with the names of a network's channels: ``cell_DAPI.tif`` and ``cell_GFP.tif``.

    Args:
        inputs: The images, a file each.
        names: Of the channels that the network takes, in their order.

    Returns:
        The images in their order; a file without the others of its image stays, and is refused when it is read.
    """
    ends = {one.image: split_ending(one.image) for one in inputs}
    whole = Counter(end[0] for end in ends.values() if end is not None and end[1] in names)
    joined: dict[Path, InputImage] = {}
    for one in inputs:
        end = ends[one.image]
        image, name = one.image, one.name
        if end is not None and end[1] in names and whole[end[0]] == len(names) > 1:
            image = join_channels(end[0][0], end[0][1], names, end[0][2])
            name = str(Path(one.name).with_name(image_name(image)))
        joined.setdefault(image, InputImage(image, name))
    return [*joined.values()]


def with_stacks_expanded(inputs: Sequence[InputImage], axes: str) -> list[InputImage]:
    """Put the slices and moments of every TIFF in its place, as ``NAME_z003``.

    Args:
        inputs: The images.
        axes: Of the files, as ``ZCYX``.

    Returns:
        Them; a file that has other axes stays, and is refused when it is read.

    Raises:
        InputError: If no TIFF has such axes.
    """
    axes = checked_axes(axes)
    expanded: list[InputImage] = []
    for one in inputs:
        try:
            planes = planes_of(one.image, axes)
        except InputError:
            planes = [("", one.image)]
        expanded += [InputImage(image, f"{one.name}_{behind}" if behind else one.name) for behind, image in planes]
    return expanded


def refuse_url(place: str | Path) -> None:
    """Raise InputError for a place that is no path, as ``s3://bucket/folder``."""
    if is_url(place):
        raise InputError(
            f"{place} is not on a disk: mount it, or copy it, and name that folder; predictions with "
            f"{setting(engine='ray')} read and write stores"
        )


def _in_folder(path: Path) -> list[InputImage]:
    """The images below a folder, through links; what is left out is logged."""
    try:
        tree = walk(path)
    except PermissionError as error:
        raise InputError(f"{error.filename} may not be read: change its permissions") from None
    slides = [other for suffix in SLIDE_SUFFIXES for other in tree.others.pop(suffix, [])]
    for note in tree.notes:
        logger.info(f"note: {note}")
    for warning in [*tree.warnings, *describe_other_files(tree)]:
        logger.warning(warning)
    found = without_masks(path, sorted([*tree.pictures, *tree.undecodable, *slides]))
    return [InputImage(image, str(image.relative_to(path).with_name(_name(image)))) for image in found]


def without_masks(path: Path, found: list[Path]) -> list[Path]:
    """The images of a data set, without what lies in folders of masks beside folders of images, by their names; what is
    left out is logged. All of them, if the names do not tell both apart.
    """
    roles = {image: {role_of(part) for part in image.relative_to(path).parent.parts} for image in found}
    masks = [image for image, of_folders in roles.items() if of_folders & {"mask", "other observer", "roi"}]
    if not masks or not any("image" in roles[image] for image in {*found} - {*masks}):
        return found
    logger.info(
        f"note: {path} holds images and masks: {len(masks)} files in folders of masks, as "
        f"{masks[0].relative_to(path)}, are left out; name their folder to predict them"
    )
    return [image for image in found if image not in {*masks}]


def named_apart(jobs: list[InputImage]) -> list[InputImage]:
    """Where images of different folders would get one mask name, the name of every mask begins with the folders of its
    image, from the one that holds all images; where images of one folder would, as a.jpg and a.png, those masks keep
    the suffix of the image.

    Raises:
        InputError: If two names are the same even so.
    """
    if any(len({_absolute(job.image).parent for job in same}) > 1 for same in _namesakes(jobs)):
        folder = Path(os.path.commonpath([_absolute(job.image).parent for job in jobs]))
        jobs = [replace(job, name=str(without_suffix(_absolute(job.image).relative_to(folder)))) for job in jobs]
        logger.info(
            f"note: images of several folders have the same name: masks are named from {folder} on, as {jobs[0].name}"
        )
    ambiguous = [job for same in _namesakes(jobs) for job in same]
    if ambiguous:
        again = set(ambiguous)
        jobs = [replace(job, name=str(Path(job.name).with_name(job.image.name))) if job in again else job
                for job in jobs]  # fmt: skip
        first, second = (job.image for job in ambiguous[:2])
        logger.info(f"note: {first} and {second.name} have one name: their masks keep the suffix, as {first.name}.png")
    for one, other, *_ in _namesakes(jobs):
        raise InputError(
            f"{one.image} and {other.image} would get the same mask name: predict them into different folders"
        )
    return jobs


def _namesakes(jobs: list[InputImage]) -> list[list[InputImage]]:
    """Images whose masks would have one name."""
    by_name: dict[str, list[InputImage]] = {}
    for job in jobs:
        by_name.setdefault(job.name, []).append(job)
    return [same for same in by_name.values() if len(same) > 1]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - without "..", and without following links


def _read_list(path: Path) -> list[str]:
    """The lines of a list of paths that are not empty. A list that ``find`` or ``ls`` made may hold names that are not
    UTF-8: these are taken as they are, if there are such files.

    Raises:
        InputError: If the list is not of UTF-8 and names no file that way.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = os.fsdecode(content)
        unprintable = [line.strip() for line in text.splitlines() if not line.isprintable()]
        if "\0" in text or not all((path.parent / line).exists() for line in unprintable):
            raise InputError(f"{path} is not a list of paths: save it as UTF-8 text, one path a line") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _not_below(out: Path | None, found: list[InputImage]) -> list[InputImage]:
    if out is None:
        return found
    return [job for job in found if not job.image.resolve().is_relative_to(out.resolve())] or found


def is_input(path: Path) -> bool:
    """Whether a file of a folder is an image, a slide or a file of several images, by its name."""
    return (
        is_image(path)
        or is_container(path)
        or (path.suffix.lower() in SLIDE_SUFFIXES and not path.name.startswith("."))
    )
