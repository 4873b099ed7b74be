"""How images were brought to working size, in words, and which of them may have been brought there wrongly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from amsunet.data.preprocessing import Preprocessing, Size
from amsunet.data.spacing import Spacing, describe_spacing
from amsunet.errors import InputError
from amsunet.inference.runtime_options import LARGEST_SCALE
from amsunet.wording import setting

_OTHER = 1.5
"""So many times longer or shorter than those of all training images, sides are another size."""


class Scaling(NamedTuple):
    """How images were brought to working size, in words."""

    line: str
    """How they were scaled."""
    warning: str = ""
    """Of images larger than all training images, where one factor is taken for all."""
    note: str = ""
    """The same of smaller ones: mostly they are cut from larger images, as the crops of a training are."""
    changed: bool = False
    """Whether some were scaled otherwise than in training."""


def describe_scaling(
    preprocessing: Preprocessing, sizes: Mapping[Size, int], set_scale: float | None = None
) -> Scaling:
    """Describe how images were scaled.

    Args:
        preprocessing: Of the network.
        sizes: How many images there were of each height and width, but for those whose pixels decided.
        set_scale: The scale that the user set for all of them.
    """
    if set_scale is not None:
        return Scaling(f"images are scaled by {set_scale:g}, as set with {setting('image_scale')}", changed=True)
    if preprocessing.spacing is not None:
        here = describe_spacing(preprocessing.spacing)
        if not sizes:
            return Scaling(f"images are scaled so that their pixels are those of the training, {here}", changed=True)
        by_size = describe_scaling(preprocessing.model_copy(update={"spacing": None}), sizes)
        count = sum(sizes.values())
        unknown = (
            f"{count} image{'s do' if count > 1 else ' does'} not say how large a pixel is, taken as in the training, "
            f"{here}; {setting('spacing')} sets it"
        )
        return by_size._replace(note="; ".join(filter(None, (unknown, by_size.note))))
    if preprocessing.image_scale == "factor":
        larger, smaller = _of_other_size(preprocessing, sizes)
        return Scaling(f"images are scaled by {preprocessing.scale:g}, as in training", larger, smaller)
    others = {size: count for size, count in sizes.items() if preprocessing.factors(*size)[0] != preprocessing.scale}
    typical = _pixels(preprocessing.typical_size or (0, 0))
    if not others:
        return Scaling(f"images are of about the training's size, {typical}: scaled by {preprocessing.scale:g}")
    scales = sorted(preprocessing.factors(*size)[0] for size in others)
    by = f"{scales[0]:.3g}" if scales[-1] < 1.01 * scales[0] else f"{scales[0]:.3g} to {scales[-1]:.3g}"
    return Scaling(
        f"{_some(others, sizes)} brought to the training's size, {typical}: scaled by {by} "
        f"in place of {preprocessing.scale:g}; {setting('image_scale')} sets another scale",
        changed=True,
    )


def refuse_enlarged(name: object, preprocessing: Preprocessing, size: tuple[int, ...], spacing: Spacing | None) -> None:
    """Refuse an image whose pixels are so much larger than those trained on that one of the two cannot be true.

    Args:
        name: What the image is called.
        preprocessing: Of the network.
        size: Height and width of the image, and more.
        spacing: Of the image, if known.

    Raises:
        InputError: If it would be enlarged more than ``LARGEST_SCALE`` times.
    """
    if spacing is None or preprocessing.spacing is None:
        return
    if max(preprocessing.factors(size[0], size[1], spacing)) > LARGEST_SCALE:
        raise InputError(
            f"the pixels of {name} are {describe_spacing(spacing)}, and those of the training images "
            f"{describe_spacing(preprocessing.spacing)}: set {setting('spacing')} if a file says it wrongly, or "
            f"{setting('image_scale')}"
        )


def _of_other_size(preprocessing: Preprocessing, sizes: Mapping[Size, int]) -> tuple[str, str]:
    """The sentences about images that are larger, and that are smaller, than all training images."""
    if preprocessing.size_range is None:
        return "", ""
    smallest, largest = (math.sqrt(math.prod(size)) for size in preprocessing.size_range)
    larger = {size: count for size, count in sizes.items() if math.sqrt(math.prod(size)) > _OTHER * largest}
    smaller = {size: count for size, count in sizes.items() if math.sqrt(math.prod(size)) < smallest / _OTHER}
    return _describe(preprocessing, larger, sizes), _describe(preprocessing, smaller, sizes)


def _describe(preprocessing: Preprocessing, others: Mapping[Size, int], sizes: Mapping[Size, int]) -> str:
    if not others or preprocessing.size_range is None:
        return ""
    here = max(others, key=lambda size: others[size])
    ratio = preprocessing.size_ratio(*here)
    times = f"{ratio:.2g} times as long" if ratio > 1 else f"{1 / ratio:.2g} times shorter"
    known = " to ".join(dict.fromkeys(map(_pixels, preprocessing.size_range)))
    return (
        f"{_some(others, sizes)} of another size than the training's ({known}): sides of {_pixels(here)} are {times}. "
        f"They are taken as {'more' if ratio > 1 else 'less'} of the same view, pixel for pixel. If they show the same "
        f"view in {'more' if ratio > 1 else 'fewer'} pixels, set "
        f"{setting(image_scale=float(f'{preprocessing.scale / ratio:.2g}'))}"
    )


def _some(others: Mapping[Size, int], sizes: Mapping[Size, int]) -> str:
    count, total = sum(others.values()), sum(sizes.values())
    there = "images" if count == total else f"{count} of {total} images"
    return f"{there} are" if count > 1 or total == count else f"{count} of {total} images is"


def _pixels(size: Size) -> str:
    return f"{size[1]:,} x {size[0]:,} pixels"
