"""Classes in the names of mask files: ``7_lung.png`` and ``7_heart.png`` of ``7.png``."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase

from amsunet.data.discovery.mask_names import without_mask_words, without_words
from amsunet.data.discovery.other_formats import stem_of
from amsunet.data.discovery.pairing import natural
from amsunet.data.discovery.words import is_form, words_of

_SEPARATOR = re.compile(r"[_\-. ]+")
_NUMBER = re.compile(r"[_\-. ]*\(?\d+\)?$")
_VERSIONS = frozenset({"v", "old", "new", "final", "backup", "corrected", "auto", "automatic", "copy"})
_MOST = 20
_TWICE = 2
"""Least number of images with several classes, and of images of each class; fewer may be alike by chance."""


def find_named_classes(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, dict[str, list[Path]]]:
    """Find the masks of each image by class, where every mask is named after its image and a class.

    Masks of one class that are numbered (``7_lung_1``, ``7_lung_2``) are parts of one.

    Args:
        images: Image files.
        masks: Mask files.

    Returns:
        By image, by class, the mask files; empty unless the names of all masks hold a class.
    """
    found: dict[Path, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    image_of = _unique_names(images)
    for mask in sorted(masks, key=lambda path: natural(stem_of(path))):
        image_and_class = _image_and_class(stem_of(mask), image_of)
        if image_and_class is None:
            return {}
        image, label = image_and_class
        found[image][label].append(mask)
    labels = Counter(label for of_image in found.values() for label in of_image)
    several = [image for image, of_image in found.items() if len(of_image) > 1]
    if not 1 < len(labels) <= _MOST or len(several) < _TWICE or min(labels.values()) < _TWICE:
        return {}
    if "" in labels or not all(map(names_a_class, labels)):
        return {}
    letters = [label for label, _ in sorted(labels.items(), key=lambda one: -one[1])]
    if letters == [*ascii_lowercase[: len(labels)]] and len({*labels.values()}) > 1:
        return {}  # a in most images, b in fewer: letters count pieces
    return {image: dict(of_image) for image, of_image in found.items()}


def names_a_class(words: str) -> bool:
    """Whether words may be a class: heart, left; but not v2, 3 or old, nor how masks are stored, as binary."""
    parts = [part for part in words_of(words) if not part.isdigit()]
    return bool(parts) and not is_form(parts) and not _VERSIONS & set(parts)


def _unique_names(images: Sequence[Path]) -> dict[str, Path]:
    """Images by their names, whole and without words such as ``image``; those that two share left out."""
    names: dict[str, set[Path]] = defaultdict(set)
    for image in images:
        for name in {stem_of(image).lower(), without_words(stem_of(image))}:
            names[name].add(image)
    return {name: next(iter(same)) for name, same in names.items() if len(same) == 1}


def _image_and_class(stem: str, image_of: Mapping[str, Path]) -> tuple[Path, str] | None:
    """The image of a mask and the class in its name, '' if none; by the longest image name that fits."""
    breaks = [(found.start(), found.end()) for found in _SEPARATOR.finditer(stem)]
    ends = [(stem, ""), *((stem[:start], stem[end:]) for start, end in reversed(breaks))]
    starts = [(stem[end:], stem[:start]) for start, end in breaks]
    for name, rest in (*ends, *starts):
        image = image_of.get(name.lower()) or image_of.get(without_mask_words(name))
        if image is not None:
            return image, _class_in(rest)
    return None


def _class_in(rest: str) -> str:
    """A class without words that mark a mask, and without the number of a part."""
    words = _SEPARATOR.split(_NUMBER.sub("", rest))
    kept = [word for word in words if word and without_mask_words(f"x_{word}") != "x"]
    return "_".join(kept)
