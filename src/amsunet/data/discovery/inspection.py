"""Recognise masks by the values in the files, where names do not distinguish them from images."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amsunet.data.discovery.folders import Picture, Roles
from amsunet.data.discovery.other_formats import stem_of
from amsunet.data.discovery.sample import Layout
from amsunet.data.discovery.words import is_format
from amsunet.data.image_file import count_pixels, open_picture, reading
from amsunet.data.images import Array
from amsunet.errors import InputError

_LOOKED_AT = 8
"""Files of one kind that are read."""
_MOST_KINDS = 24
_FEW = 8
"""A file with at most this many values is a mask."""
_LARGEST = 50_000_000
"""Pixels; a larger file is not read for this, and is no mask."""


def roles_by_content(pictures: Sequence[Picture], layout: Layout) -> Roles | None:
    """Distinguish masks from images by the number of values. Files of one folder with names of one form are one kind.

    Args:
        pictures: The pictures of a data set.
        layout: Gets a warning that names a mask and an image found in this way.

    Returns:
        The pictures by role; None if the files of one kind differ, or all kinds look alike.

    Raises:
        InputError: If two folders hold masks of the same names.
    """
    known = [picture for picture in pictures if picture.role in (None, "image", "mask")]
    kinds: dict[tuple[str, ...], list[Picture]] = defaultdict(list)
    for key in (_folder_and_form, _folder_and_suffix):
        kinds.clear()
        for picture in known:
            kinds[key(picture)].append(picture)
        if len(kinds) <= _MOST_KINDS:
            break
    verdicts = {kind: _look_like_masks(of_kind) for kind, of_kind in kinds.items()}
    masks = [kind for kind, verdict in verdicts.items() if verdict is True]
    images = [kind for kind, verdict in verdicts.items() if verdict is False]
    if not masks or not images or None in verdicts.values():
        return None
    roles = Roles(
        images=[picture for kind in images for picture in kinds[kind]],
        masks=[picture for kind in masks for picture in kinds[kind]],
    )
    with_images = {picture.path.parent for picture in roles.images}
    _refuse_two_folders([mask for mask in roles.masks if mask.path.parent not in with_images])
    known_paths = {picture.path for picture in known}
    roles.aside = [picture for picture in pictures if picture.path not in known_paths]
    mask, image = kinds[masks[0]][0].path, kinds[images[0]][0].path
    layout.warnings.append(
        f"names do not distinguish images from masks: files such as {mask} hold few values and are taken as masks, "
        f"files such as {image} as images"
    )
    return roles


def _refuse_two_folders(masks: Sequence[Picture]) -> None:
    seen: dict[str, Picture] = {}
    for mask in masks:
        before = seen.setdefault("/".join((*mask.folders[1:], stem_of(mask.path))), mask)
        first = before.path.parent
        if first != mask.path.parent:
            if is_format(before.folders[0]) and is_format(mask.folders[0]):
                one, other = (picture.path.parents[len(picture.folders) - 1] for picture in (before, mask))
                raise InputError(
                    f"{one} and {other} hold the same pictures in two formats: name one of them in place of the folder "
                    f"that holds both, as {shlex.quote(str(one))}, or move the other away, so that tables beside them "
                    "are read as well"
                )
            raise InputError(
                f"{first} and {mask.path.parent} both hold files of few values, of the same names: put the folders "
                "into masks/ if they are classes, leave one of them, or write a manifest.csv with image,mask"
            )


def _folder_and_form(picture: Picture) -> tuple[str, ...]:
    form = re.sub(r"\d+", "0", stem_of(picture.path))
    return re.sub(r"\d+", "0", "/".join(picture.folders)), form, picture.path.suffix.lower()


def _folder_and_suffix(picture: Picture) -> tuple[str, ...]:
    return re.sub(r"\d+", "0", "/".join(picture.folders)), picture.path.suffix.lower()


def _look_like_masks(pictures: Sequence[Picture]) -> bool | None:
    """Whether files hold few values; None if some do and others do not."""
    step = max(1, len(pictures) // _LOOKED_AT)
    verdicts = {_has_few_values(picture.path) for picture in pictures[::step][:_LOOKED_AT]}
    return verdicts.pop() if len(verdicts) == 1 else None


def _has_few_values(path: Path) -> bool:
    mode, values = _values_in(path)
    return mode == "1" or (bool(mode) and len(np.unique(values)) <= (20 if mode == "P" else _FEW))


def share_marked(paths: Sequence[Path]) -> float | None:
    """The share of masks that is not black, the median of some.

    Args:
        paths: Files of masks.

    Returns:
        The share; None if one cannot be read.
    """
    step = max(1, len(paths) // _LOOKED_AT)
    found = [_values_in(path) for path in paths[::step][:_LOOKED_AT]]
    return (
        None
        if not found or not all(mode for mode, _ in found)
        else float(np.median([(v != 0).mean() for _, v in found]))
    )


def _values_in(path: Path) -> tuple[str, Array]:
    """The mode and the values of a picture as numbers; the mode is empty if it is too large or cannot be read."""
    if count_pixels(path) > _LARGEST:
        return "", np.zeros(0)
    try:
        with reading(), open_picture(path) as picture:
            plain = picture.mode in ("1", "L", "P", "I", "I;16", "F")
            mode, array = picture.mode, np.asarray(picture if plain else picture.convert("RGB"))
    except Exception:  # the reason is reported when the file is read as a sample
        return "", np.zeros(0)
    flat = array.reshape(-1) if array.ndim == 2 else array.reshape(-1, 3).astype(np.int64) @ (65536, 256, 1)
    return mode, flat
