"""Put the files of an image's channels together: ``cell_DAPI.tif`` and ``cell_GFP.tif`` with the mask ``cell.png``."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from amsunet.choices import MOST_CHANNELS
from amsunet.data.channel_files import join_channels
from amsunet.data.discovery.folders import Picture
from amsunet.data.discovery.mask_names import SEPARATOR, without_mask_words, without_words
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.data.discovery.pairing import natural
from amsunet.errors import InputError
from amsunet.wording import setting

_ENDING = re.compile(rf"(.+?{SEPARATOR})([^_\-. ,{{}}]+)")
"""A name: what comes before the last word with what separates both, and the last word."""
_KNOWN = re.compile(
    r"(?:c|ch|channel|w|d)=?\d{1,2}|w\d[a-z]\w*|\d{3}nm|alexa\d+|af\d{3}|"
    "dapi|hoechst|e?gfp|[eybr]fp|cfp|mcherry|cherry|tritc|fitc|texasred|cy[3579]|draq5|sytox|"
    "bf|brightfield|phase|dic|he|actin|tubulin|mito|er|"
    "t1|t1c|t1ce|t1gd|t1n|t1w|t2|t2w|t2f|flair|dwi|adc|pd|swi",
    re.IGNORECASE,
)
"""Words that name a channel: numbers behind c, ch or w, stains, and sequences of MRI."""


@dataclass
class ChannelGroups:
    """Images whose channels lie in a file each stand as one picture, by the name that all files begin with."""

    images: list[Picture]
    addresses: dict[Path, Path] = field(default_factory=dict)
    """By the path of such a picture, which is no file: the address of the image."""
    notes: list[str] = field(default_factory=list)
    in_doubt: str = ""
    """Files that may be channels of one image or images of their own: a sentence on both."""

    def address_of(self, path: Path) -> Path:
        """The address of an image; the path itself of any other."""
        return self.addresses.get(path, path)


Stem = tuple[Path, str, str]
"""Folder, beginning of the name with its separator, and suffix."""


def split_ending(path: Path) -> tuple[Stem, str] | None:
    """Split the last word off the name of a file, without its suffix.

    Args:
        path: A file.

    Returns:
        What all channels of an image share, and the word; None for a name of one word.
    """
    suffix = path.name[len(path.name) - len(suffix_of(path)) :]
    found = _ENDING.fullmatch(path.name.removesuffix(suffix))
    return ((path.parent, found[1], suffix), found[2]) if found else None


def group_channels(
    images: Sequence[Picture], masks: Iterable[Path], channels: Sequence[str] | None = None
) -> ChannelGroups:
    """Put the files of an image's channels together.

    They are channels if their names end in words for channels, and one mask has the name without these words. Files of
    which one has a mask of its own are images.

    Args:
        images: The images of a data set, a file each.
        masks: The masks of the data set, or the names of images that outlines are of.
        channels: What the names of channels end with, in order, where a user set it; other files are left out then.

    Returns:
        The images, and the addresses of those put together.

    Raises:
        InputError: If a channel of an image is missing.
    """
    groups: dict[Stem, dict[str, Picture]] = defaultdict(dict)
    for image in images:
        if ending := split_ending(image.path):
            groups[ending[0]][ending[1]] = image
    if channels is not None:
        chosen = {stem: of for stem, of in groups.items() if set(of) & {*channels}}
        if not chosen:
            raise InputError(
                f"no image has a name that ends with {' or '.join(channels)}, as {setting(channels=tuple(channels))} "
                "has it: set what follows the last _ or - of their names"
            )
        return _joined(images, chosen, lambda _: tuple(channels))
    names = {name for mask in masks for name in _names(mask)}
    alone = {image.path.stem.lower() for image in images}
    groups = {
        stem: of
        for stem, of in groups.items()
        if _name(stem).lower() in names
        and _name(stem).lower() not in alone
        and not any(picture.path.stem.lower() in names for picture in of.values())
        and 1 < len(of) <= MOST_CHANNELS
    }
    known = {stem: of for stem, of in groups.items() if _are_channels(of)}
    found = _joined(images, known, _most_usual(known)) if known else ChannelGroups([*images])
    rest = [stem for stem in groups if stem not in known]
    if rest and len({frozenset(groups[stem]) for stem in rest}) == 1:
        words = sorted(groups[rest[0]], key=natural)
        files = " and ".join(str(groups[rest[0]][word].path) for word in words[:2])
        found.in_doubt = (
            f"{files} may be channels of one image, for one mask is named {_name(rest[0])}, or images that need a mask "
            f"each: set {setting(channels=tuple(words))} if they are channels, in their order"
        )
    return found


def _are_channels(words: Collection[str]) -> bool:
    """Whether words name channels; nnU-Net numbers them from 0000."""
    if all(_KNOWN.fullmatch(word) for word in words):
        return True
    return sorted(words) == [f"{number:04}" for number in range(len(words))]


def _joined(
    images: Sequence[Picture], groups: dict[Stem, dict[str, Picture]], channels_of: Callable[[Stem], tuple[str, ...]]
) -> ChannelGroups:
    """The images, those of the groups put together.

    Raises:
        InputError: If a channel of an image is missing.
    """
    out, taken = ChannelGroups([]), {picture.path for of in groups.values() for picture in of.values()}
    for stem, of in groups.items():
        channels = channels_of(stem)
        if missing := next((channel for channel in channels if channel not in of), None):
            folder, before, suffix = stem
            raise InputError(
                f"{folder / f'{before}{missing}{suffix}'} is missing, where {next(iter(of.values())).path} is there: "
                f"give every image the channels {', '.join(channels)}, or set those that all have as "
                f"{setting('channels')}"
            )
        picture = replace(of[channels[0]], path=stem[0] / f"{_name(stem)}{stem[2]}")
        out.images.append(picture)
        out.addresses[picture.path] = join_channels(stem[0], stem[1], channels, stem[2])
    several = [address for address in out.addresses.values() if "{" in address.name]
    if several:
        out.notes.append(f"{len(several)} images have a file for each channel, as {several[0]}: they are put together")
    out.images = sorted([*out.images, *(one for one in images if one.path not in taken)], key=lambda one: one.path)
    return out


def _most_usual(groups: dict[Stem, dict[str, Picture]]) -> Callable[[Stem], tuple[str, ...]]:
    """What tells the channels that most images of a folder have."""
    counts: dict[tuple[Path, str], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for (folder, _, suffix), of in groups.items():
        counts[folder, suffix][tuple(sorted(of, key=natural))] += 1
    return lambda stem: counts[stem[0], stem[2]].most_common(1)[0][0]


def _names(mask: Path) -> Iterable[str]:
    stem = mask.name.removesuffix(mask.name[len(mask.name) - len(suffix_of(mask)) :])
    return {stem.lower(), without_mask_words(stem), without_words(stem)}


def _name(stem: Stem) -> str:
    """The name of an image without what separates it from the words for channels."""
    return re.sub(rf"{SEPARATOR}$", "", stem[1])
