"""Match masks to images by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.mask_names import NUMBERED, SEPARATOR, without_mask_words, without_words
from amsunet.data.discovery.other_formats import bare_stem
from amsunet.data.discovery.words import composed

_NUMBER_BEHIND = re.compile(rf"(.+?){SEPARATOR}\(?\d+\)?")
_WORD_AND_NUMBER = re.compile(rf"(.+){SEPARATOR}([^\W\d_]+)(?:{SEPARATOR})?\(?\d+\)?")
_KINDS = frozenset({
    "category", "channel", "class", "grade", "group", "layer", "level", "organ", "stage", "structure", "tissue", "type",
})  # fmt: skip
"""Words whose numbers are those of classes."""


@dataclass
class Matches:
    """Which masks belong to which image, by names."""

    masks: dict[Path, list[Path]] = field(default_factory=dict)
    """The masks of each image, in the order of their names."""
    guessed: list[tuple[Path, Path]] = field(default_factory=list)
    """Pairs whose names are only similar."""
    shifted: tuple[Path, Path] | None = None
    """The first image and the first mask, if images and masks are numbered with a constant offset. Nothing is paired
    then, for the mask of a neighbour would be as likely.
    """


def pair(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Match one mask to an image: by the same name, then without the words for a mask (``7_anno``), then also without
    the words for an image (``7_training`` and ``7_manual1``).

    Args:
        images: Image files.
        masks: Mask files.

    Returns:
        The mask of each image that has one. A name that fits twice stays unmatched.
    """
    found: dict[Path, Path] = {}
    for key in (str, without_mask_words, without_words):
        left_images = [path for path in images if path not in found]
        taken = set(found.values())
        left_masks = [path for path in masks if path not in taken]
        found |= _match(left_images, left_masks, key)
    return found


def match(images: Sequence[Path], masks: Sequence[Path]) -> Matches:
    """Match as ``pair`` does, then match several masks to one image, then the rest by similar names.

    Several masks of an image have a number behind its name (``7_mask_1``). Names are similar if they differ by an
    ending that all masks share (``7_L``), contain the same numbers, or begin alike.

    Args:
        images: Image files.
        masks: Mask files.

    Returns:
        The masks of each image, and which pairs are guessed.
    """
    as_written = {path.with_name(composed(path.name)): path for path in (*images, *masks)}
    if len(as_written) < len(images) + len(masks) or all(map(Path.__eq__, as_written, as_written.values())):
        return _match_names(images, masks)
    found = _match_names(*([path.with_name(composed(path.name)) for path in paths] for paths in (images, masks)))
    return Matches(
        {as_written[image]: [as_written[mask] for mask in several] for image, several in found.masks.items()},
        [(as_written[image], as_written[mask]) for image, mask in found.guessed],
        found.shifted and (as_written[found.shifted[0]], as_written[found.shifted[1]]),
    )


def _match_names(images: Sequence[Path], masks: Sequence[Path]) -> Matches:
    """Match files whose letters are written alike; see ``match``."""
    found = Matches({image: [mask] for image, mask in pair(images, masks).items()})
    _several_with_mask_word(images, masks, found)
    _several_with_one_word(images, masks, found)
    for likely in (_without_common_ends, _same_numbers, _beginning_alike):
        more = likely(images, masks, found)
        found.masks |= {image: [mask] for image, mask in more.items()}
        found.guessed += more.items()
    _several_with_number(images, masks, found)
    if first := _shifted(images, masks, found):
        return Matches(shifted=first)
    return found


def _shifted(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> tuple[Path, Path] | None:
    """The first image and the first mask, if their numbers have a constant offset: images 0 to 11, masks 1 to 12."""
    if len(images) != len(masks) or len(images) < 3 or len(found.masks) == len(images):
        return None
    numbered = [_by_one_number(images), _by_one_number(masks)]
    if any(len(by_number) != len(images) for by_number in numbered):
        return None
    first, second = (sorted(by_number) for by_number in numbered)
    if len({mask - image for image, mask in zip(first, second, strict=True)}) > 1:
        return None
    return numbered[0][first[0]], numbered[1][second[0]]


def _by_one_number(paths: Sequence[Path]) -> dict[int, Path]:
    """The paths by the last number in their names; empty if the names differ in anything else."""
    matches = [re.fullmatch(r"(.*?)(\d+)(\D*)", bare_stem(path).lower()) for path in paths]
    if None in matches or len({(one[1], one[3]) for one in matches if one}) != 1:
        return {}
    return {int(one[2]): path for one, path in zip(matches, paths, strict=True) if one}


def likely_images(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Find an image to which an unmatched mask may belong.

    Args:
        images: Image files.
        masks: Mask files that were matched to no image.

    Returns:
        For each mask an image with the same name but for the words for a mask or an image, or with a name that begins
        the mask's.
    """
    by_name = _group(images, without_words) | _group(images, str.lower)
    out = {}
    for mask in masks:
        stem, short = bare_stem(mask).lower(), without_words(bare_stem(mask))
        heads = (stem[:end] for end in range(len(stem) - 1, 0, -1) if re.match(SEPARATOR, stem[end:]))
        name = next((name for name in (stem, short, *heads) if name in by_name), None)
        if name is not None:
            out[mask] = by_name[name][0]
    return out


def _left(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> tuple[list[Path], list[Path]]:
    taken = {mask for several in found.masks.values() for mask in several}
    return [image for image in images if image not in found.masks], [mask for mask in masks if mask not in taken]


def _several_with_mask_word(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> None:
    """Add ``7_mask_1`` to the masks of image 7, which may have ``7_mask`` already."""
    image_of = {name: same[0] for name, same in _group(images, str.lower).items() if len(same) == 1}
    for mask in sorted(_left(images, masks, found)[1], key=lambda path: natural(bare_stem(path))):
        numbered = NUMBERED.fullmatch(bare_stem(mask))
        if numbered and numbered[1].lower() in image_of:
            found.masks.setdefault(image_of[numbered[1].lower()], []).append(mask)


def _several_with_one_word(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> None:
    """Add ``7_lesion1``, ``7_lesion2`` to the masks of image 7, if all masks that are left have that word."""
    left = _left(images, masks, found)[1]
    names = {mask: _WORD_AND_NUMBER.fullmatch(bare_stem(mask).lower()) for mask in left}
    words = {name[2] if name else "" for name in names.values()}
    image_of = {name: same[0] for name, same in _group(images, str.lower).items() if len(same) == 1}
    fits = {mask: image_of.get(name[1]) for mask, name in names.items() if name}
    several: dict[Path, list[Path]] = defaultdict(list)
    for mask in sorted(left, key=lambda path: natural(bare_stem(path))):
        if (image := fits.get(mask)) is None or len(words) > 1 or words <= _KINDS or image in found.masks:
            return
        several[image].append(mask)
    if any(len(of_image) > 1 for of_image in several.values()):
        found.masks |= several
        found.guessed += [(image, mask) for image, of_image in several.items() for mask in of_image]


def _several_with_number(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> None:
    """Add ``7_0``, ``7_1``, ... to the masks of image 7, if that fits all masks that are left."""
    left = _left(images, masks, found)[1]
    image_of = {name: same[0] for name, same in _group(images, str.lower).items() if len(same) == 1}
    fits = {}
    for mask in left:
        numbered = _NUMBER_BEHIND.fullmatch(without_mask_words(bare_stem(mask)))
        fits[mask] = image_of.get(numbered[1].lower()) if numbered else None
    for mask in sorted(left, key=lambda path: natural(bare_stem(path))) if None not in fits.values() else ():
        if (image := fits[mask]) is not None:
            found.masks.setdefault(image, []).append(mask)
            found.guessed.append((image, mask))


def _without_common_ends(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> dict[Path, Path]:
    """Pairs whose names differ only by a start or end that all masks, or all images, share: ``7.png``, ``7_L.png``."""
    free, left = _left(images, masks, found)
    # The ends are those of all names, not only of those left: a single name has no common end.
    images_by, masks_by = _group(free, _common_ends(images)), _group(left, _common_ends(masks))
    return {
        same[0]: masks_by[name][0]
        for name, same in images_by.items()
        if name and len(same) == 1 and len(masks_by.get(name, ())) == 1
    }


def _same_numbers(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> dict[Path, Path]:
    """Pairs with the same numbers in their names, if all images share one word and all masks another: ``t000`` and
    ``man_seg000``. It has to fit all images and all masks, or it may be chance; in the Cell Tracking Challenge, whose
    names are known, images may lack a mask.
    """
    forms = [{re.sub(r"\d+", "0", bare_stem(path).lower()) for path in paths} for paths in (images, masks)]
    if any(len(form) != 1 for form in forms):
        return {}
    free, left = _left(images, masks, found)

    def numbers(stem: str) -> str:
        return " ".join(str(int(number)) for number in re.findall(r"\d+", stem))

    matched = {image: mask for image, mask in _match(free, left, numbers).items() if numbers(bare_stem(image))}
    by_standard = forms == [{"t0"}, {"man_seg0"}]
    return matched if by_standard or len(matched) == len(free) == len(left) else {}


def _beginning_alike(images: Sequence[Path], masks: Sequence[Path], found: Matches) -> dict[Path, Path]:
    """Pairs in which one name is the other followed by words, if each fits one only."""
    free, left = _left(images, masks, found)
    forwards = _longer_names(free, left, images)
    return forwards or {image: mask for mask, image in _longer_names(left, free, masks).items()}


def _longer_names(short: Sequence[Path], long: Sequence[Path], all_short: Sequence[Path]) -> dict[Path, Path]:
    """For each short name the one long name that begins with it, and with no longer short name."""
    by_name, every = _group(short, str.lower), set(_group(all_short, str.lower))
    fits: dict[Path, list[Path]] = defaultdict(list)
    for path in long:
        stem = bare_stem(path).lower()
        head = next((stem[:end] for end in range(len(stem) - 1, 0, -1) if stem[:end] in every), None)
        if head is None or len(by_name.get(head, ())) != 1:
            continue
        if re.match(rf"{SEPARATOR}.*[^\W\d_]", stem[len(head) :]):
            fits[by_name[head][0]].append(path)
    return {path: several[0] for path, several in fits.items() if len(several) == 1}


def _common_ends(paths: Sequence[Path]) -> Callable[[str], str]:
    """A key function: a name without the words that all names begin and end with; numbers stay."""
    stems = [bare_stem(path).lower() for path in paths]
    front = _common_start(stems) if len(stems) > 1 else ""
    behind = _common_start([stem[::-1] for stem in stems])[::-1] if len(stems) > 1 else ""
    words_in_front = re.match(rf"(?:[^\W\d_]\w*?{SEPARATOR})*", front)
    words_behind = re.search(rf"(?:{SEPARATOR}[^\W\d_][^_\-. ]*)*$", behind)
    start, end = len(words_in_front[0]) if words_in_front else 0, len(words_behind[0]) if words_behind else 0

    def key(stem: str) -> str:
        return stem.lower()[start : len(stem) - end]

    return key


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    return first[: next((i for i, letter in enumerate(first) if last[i : i + 1] != letter), len(first))]


def natural(stem: str) -> list[int | str]:
    """A sort key that puts 2 before 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", stem)]


def _match(images: Sequence[Path], masks: Sequence[Path], key: Callable[[str], str]) -> dict[Path, Path]:
    images_by, masks_by = _group(images, key), _group(masks, key)
    return {
        same[0]: masks_by[name][0]
        for name, same in images_by.items()
        if len(same) == 1 and len(masks_by.get(name, ())) == 1
    }


def _group(paths: Sequence[Path], key: Callable[[str], str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        groups[key(bare_stem(path))].append(path)
    return groups
