"""The words by which the names of files show masks, images and observers."""

from __future__ import annotations

import re

from amsunet.data.discovery.words import is_other_observer, words_of

_MASK_WORD = (
    "mask|masks|manual|manual1|manual2|anno|annotation|annotated|seg|segmentation|segmented|gt|groundtruth|"
    "ground[_ ]?truth|label|labels|labeled|labelled|labelids|gtfine_labelids|gtcoarse_labelids|fov|roi|"
    r"(?:1st|2nd)[_ ]?(?:ho|manual|observer|annotator|expert|reader)|"
    r"(?:obs|observer|annotator|expert|reader|rater|grader|radiologist)[_ ]?\d|"
    "target"
)
_IMAGE_WORD = "image|img|training|train|test|val|validation|orig|original|input|photo|leftimg8bit"
SEPARATOR = r"[_\-. ]+"
# ah and vk are the observers of STARE, 0000 is the first channel of nnU-Net.
_MASK_ENDS = re.compile(
    rf"(?:^(?:{_MASK_WORD}){SEPARATOR})|(?:{SEPARATOR}(?:{_MASK_WORD})$)|(?:\.(?:ah|vk)$)", re.IGNORECASE
)
_ANY_ENDS = re.compile(
    rf"(?:^(?:{_MASK_WORD}|{_IMAGE_WORD}){SEPARATOR})|(?:{SEPARATOR}(?:{_MASK_WORD}|{_IMAGE_WORD})$)|(?:\.(?:ah|vk)$)|(?:_0000$)",
    re.IGNORECASE,
)
_WHOLE = re.compile(rf"(?:{_MASK_WORD})", re.IGNORECASE)
NUMBERED = re.compile(rf"(.+?){SEPARATOR}(?:{_MASK_WORD})(?:{SEPARATOR})?\(?\d+\)?", re.IGNORECASE)
"""The name of an image, a word for a mask and a number: ``7_mask_1``."""


def is_mask_name(stem: str) -> bool:
    """Whether a name alone is that of a mask, as ``7_mask``, ``mask-7``, ``7_mask_1`` or ``mask``."""
    return any((_MASK_ENDS.search(stem), _WHOLE.fullmatch(stem), NUMBERED.fullmatch(stem)))


def is_region_name(stem: str) -> bool:
    """Whether a name ends like that of a field of view: ``7_fov``."""
    return re.search(rf"(?:^|{SEPARATOR})(?:fov|roi)$", stem, re.IGNORECASE) is not None


def is_other_observer_name(stem: str) -> bool:
    """Whether a name ends like that of a second observer's mask: ``7_2ndHO``, ``7.vk``, ``7_manual2``."""
    last = re.split(SEPARATOR, stem)[-2:]
    return stem.lower().endswith(".vk") or is_other_observer(words_of(" ".join(last)))


def without_words(name: str) -> str:
    """Strip the words for a mask or an image from both ends of a name, in lower case."""
    return _strip(_ANY_ENDS, name)


def _strip(pattern: re.Pattern[str], stem: str) -> str:
    while (shorter := pattern.sub("", stem, count=1)) not in (stem, ""):
        stem = shorter
    return stem.lower()


def without_mask_words(stem: str) -> str:
    """Strip the words for a mask from both ends of a name, in lower case."""
    return _strip(_MASK_ENDS, stem)
