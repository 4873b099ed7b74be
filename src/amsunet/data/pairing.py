"""Which mask belongs to which image, from their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

_MASK_WORD = (
    "mask|masks|manual|manual1|manual2|anno|annotation|annotated|seg|segmentation|segmented|gt|groundtruth|"
    "label|labels|labeled|fov|roi|1sthO|target"
)
_IMAGE_WORD = "image|img|training|train|test|val|validation|orig|original|input|photo"
_SEPARATOR = r"[_\-. ]+"
_MASK_ENDS = re.compile(rf"(?:^(?:{_MASK_WORD}){_SEPARATOR})|(?:{_SEPARATOR}(?:{_MASK_WORD})$)", re.IGNORECASE)
_ANY_ENDS = re.compile(
    rf"(?:^(?:{_MASK_WORD}|{_IMAGE_WORD}){_SEPARATOR})|(?:{_SEPARATOR}(?:{_MASK_WORD}|{_IMAGE_WORD})$)", re.IGNORECASE
)


def is_mask_name(stem: str) -> bool:
    """Whether a name alone tells a mask, as in ``7_mask`` or ``mask-7``."""
    return _MASK_ENDS.search(stem) is not None


def pair(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, Path]:
    """Match masks to images: by the same name, then by the name without what tells a mask (``7_anno``), then
    also without what tells an image (``7_training`` and ``7_manual1``). A name that fits twice stays unmatched.
    """
    found: dict[Path, Path] = {}
    for key in (str, _without_mask_words, _without_any_words):
        left_images = [path for path in images if path not in found]
        taken = set(found.values())
        left_masks = [path for path in masks if path not in taken]
        found |= _match(left_images, left_masks, key)
    return found


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
        groups[key(path.stem)].append(path)
    return groups


def _strip(pattern: re.Pattern[str], stem: str) -> str:
    while (shorter := pattern.sub("", stem, count=1)) not in (stem, ""):
        stem = shorter
    return stem.lower()


def _without_mask_words(stem: str) -> str:
    return _strip(_MASK_ENDS, stem)


def _without_any_words(stem: str) -> str:
    return _strip(_ANY_ENDS, stem)
