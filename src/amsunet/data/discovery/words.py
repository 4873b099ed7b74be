"""Interpret the words of a name: whether a folder holds images, masks or something else, and which split."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

Split = Literal["train", "val", "test", "unused"]
Role = Literal["image", "mask", "roi", "other observer", "aside"]

_WORD = re.compile(r"\d(?i:st|nd|rd)|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SPLIT_WORDS = frozenset(_SPLITS)
_IMAGES = frozenset({
    "image", "images", "img", "imgs", "input", "inputs", "data", "photo", "photos", "picture", "pictures", "original",
    "originals", "orig", "raw", "frame", "frames", "scan", "scans", "slide", "slides",
})  # fmt: skip
_MASKS = frozenset({
    "mask", "masks", "label", "labels", "labelled", "labeled", "gt", "gts", "groundtruth", "groundtruths",
    "annotation", "annotations", "annotated", "anno", "annot", "seg", "segs", "segmentation", "segmentations",
    "segmented", "target", "targets", "manual", "ann", "anns", "lbl", "lbls",
})  # fmt: skip
_REGIONS = frozenset({"roi", "rois", "fov", "fieldofview"})
_OBSERVERS = frozenset({
    "observer", "obs", "annotator", "expert", "reader", "rater", "grader", "radiologist", "pathologist", "physician",
    "doctor", "manual", "ho",
})  # fmt: skip
_ASIDE = frozenset({
    "overlay", "overlays", "preview", "previews", "thumbnail", "thumbnails", "thumb", "thumbs", "visualisation",
    "visualisations", "visualization", "visualizations", "vis", "viz", "superpixels", "heatmap", "heatmaps",
    "prediction", "predictions", "pred", "preds", "color", "colour", "colored", "coloured", "object", "objects",
    "instance", "instances", "instanceids", "bbox", "bboxes",
})  # fmt: skip
"""Words for pictures made from images and masks, and for masks of another kind."""
_LINES = frozenset({"edge", "edges", "contour", "contours", "boundary", "boundaries"})
"""Words for the lines around objects, which are no masks of them: ``GT_Edge``, ``7_contour``."""
_FORMS = _ASIDE | _LINES | {
    "binary", "bin", "semantic", "machine", "raw", "modify", "modified", "distance", "map", "maps", "filled", "resized",
    "cropped", "square", "rgb", "gray", "grey",
}  # fmt: skip
"""Words for how a mask is stored, which name no class: ``masks_binary``, ``label masks modify``."""
_HELPERS = _IMAGES | _MASKS | {"set", "sets", "dataset", "part", "split", "fold", "batch"}
_FORMATS = frozenset({"png", "tif", "tiff", "jpg", "jpeg", "bmp", "gif"})
_JOINED = re.compile(
    rf"({'|'.join(sorted(_SPLITS, key=len, reverse=True))})(set|data|{'|'.join(sorted(_IMAGES | _MASKS, key=len))})"
)


def composed(name: str) -> str:
    """A name with letters such as ``ü`` in one character: some systems and archives write them as ``u`` and dots."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


@lru_cache(4096)
def _words(name: str) -> tuple[str, ...]:
    found: list[str] = []
    for word in _WORD.findall(composed(name)):
        plain = word.lower()
        joined = _JOINED.fullmatch(plain)
        found += joined.groups() if joined else [plain]
    text = " ".join(found)
    for several in ("ground truth", "field of view", "label ids", "instance ids", "instance id"):
        text = re.sub(rf"\b{several}", several.replace(" ", ""), text)
    return tuple(text.split())


def words_of(name: str) -> list[str]:
    """Split a name into words and numbers in lower case: ``GroundTruth_1stHO`` gives groundtruth, 1st, ho."""
    return list(_words(name))


def role_of(name: str) -> Role | None:
    """What a folder of that name holds; None if the name does not show it."""
    words = words_of(name)
    known = set(words)
    if known - _SPLITS.keys() in ({"x"}, {"y"}):  # X_train, y_train
        return "image" if "x" in known else "mask"
    masks, images = known & _MASKS, known & _IMAGES
    if is_other_observer(words) or (masks and "vk" in known):
        return "other observer"
    if known & _REGIONS:
        return "roi"
    if known & _ASIDE or (masks and known & _LINES):
        return "aside"
    if masks and images and words[0] in ("images", "imgs"):
        return None  # images_and_masks holds both
    if masks or _first_observer(words):
        return "mask"
    return "image" if images else None


def is_other_observer(words: list[str]) -> bool:
    """Whether words name a second or further observer: ``2ndHO``, ``annotator_2``, ``second_manual``."""
    for before, word in zip(["", *words], [*words, ""], strict=True):
        if before in ("2nd", "3rd", "second", "third") and word in _OBSERVERS | _MASKS:
            return True
        if before in _OBSERVERS and word in ("2", "3", "4", "5", "b", "c"):
            return True
    return False


def _first_observer(words: list[str]) -> bool:
    return any(
        (before in ("1st", "first") and word in _OBSERVERS) or (before in _OBSERVERS and word in ("1", "a"))
        for before, word in zip(["", *words], [*words, ""], strict=True)
    )


def is_aside(stem: str) -> bool:
    """Whether a file's name is that of a picture made from an image or mask (``7_overlay``, ``7_color``), or of the
    markers of the Cell Tracking Challenge (``man_track007``).
    """
    words = words_of(stem)
    return len(words) > 1 and (words[-1] in _ASIDE | _LINES or words[:2] == ["man", "track"])


def is_kind_of_mask(name: str) -> bool:
    """Whether a folder that is ignored beside masks holds masks too: object numbers, masks in colour."""
    return bool(set(words_of(name)) & (_MASKS | {"instance", "instances", "object", "objects"}))


def is_of_lines(name: str) -> bool:
    """Whether a folder's name shows that it holds the lines around objects."""
    return bool(set(words_of(name)) & _LINES)


def is_form(words: Sequence[str]) -> bool:
    """Whether words say only how a mask is stored, and no class."""
    return bool(words) and {*words} <= _FORMS


def kind_of(name: str) -> str:
    """The name of a folder of masks without its split: masks of different kinds are not mixed."""
    return " ".join(word for word in words_of(name) if word not in _SPLITS and word not in ("tr", "ts"))


def place_of(name: str, split: Split | None = None) -> str:
    """The name of a folder without the words for what it holds.

    Args:
        name: The folder's name.
        split: The split that it names; it becomes one word, as ``=train``.
    """
    rest = [word for word in words_of(name) if word not in _IMAGES | _MASKS | _FORMATS]
    if split is not None:
        rest = [f"={split}", *(w for w in rest if w not in _SPLITS and w not in _HELPERS and w not in ("tr", "ts"))]
    return " ".join(rest)


def split_of(name: str) -> Split | None:
    """The split that a name holds as a whole word: ``test``, ``testA``, ``Train_Set1``; not ``testis`` or ``valve``."""
    split, alone = _split_in(name)
    return split if alone else None


def splits_of(names: Iterable[str]) -> dict[str, Split]:
    """The splits that folders name.

    Args:
        names: The names of folders; other words before the split, as in ``stage1_train``, are accepted only if the
            names hold at least two splits.

    Returns:
        The split of each name that has one.
    """
    found = {name: _split_in(name) for name in names}
    several = len({split for split, _ in found.values() if split}) > 1
    return {name: split for name, (split, alone) in found.items() if split and (alone or several)}


def _split_in(name: str) -> tuple[Split | None, bool]:
    """The split in a name, and whether only helper words and numbers stand before it."""
    words = words_of(name)
    if len(words) == 2 and words[0] in _IMAGES | _MASKS and words[1] in ("tr", "ts"):  # as nnU-Net names them
        return ("train" if words[1] == "tr" else "test"), True
    places = [index for index, word in enumerate(words) if word in _SPLITS]
    if len(places) != 1:
        return None, False
    behind, before = words[places[0] + 1 :], words[: places[0]]
    if not all(word in _HELPERS or _is_number(word) for word in behind):
        return None, False
    return _SPLITS[words[places[0]]], all(word in _HELPERS or _is_number(word) for word in before)


def _is_number(word: str) -> bool:
    return word.isdigit() or len(word) == 1


def is_format(name: str) -> bool:
    """Whether the name of a folder is only the format of its files."""
    return name.lower() in _FORMATS
