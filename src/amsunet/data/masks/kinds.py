"""Mask conventions of each kind, made from their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from amsunet.data.masks.convention import LARGEST_VALUE, MOST_CLASSES, MaskConvention, name_colours, name_numbers
from amsunet.errors import InputError
from amsunet.wording import setting

WHITE = 255


def values_convention(values: Sequence[int], ignore: int | None = None) -> MaskConvention:
    """The convention of class numbers.

    Args:
        values: Pixel values of the classes, background first.
        ignore: The value of ignored pixels.

    Returns:
        The convention, with names such as ``class 1``.

    Raises:
        InputError: For values that no mask can hold, that appear twice, or that are too many.
    """
    impossible = [value for value in values if not 0 <= value <= LARGEST_VALUE]
    if impossible or len(set(values)) < len(values):
        wrong = impossible[0] if impossible else Counter(values).most_common(1)[0][0]
        raise InputError(
            f"no class can have the value {name_numbers([wrong])}: set {setting('classes')} with values of 0 to "
            f"{LARGEST_VALUE}, each once"
        )
    refuse_too_many(len(values))
    return MaskConvention(kind="values", values=tuple(values), class_names=_names(len(values)), ignore_value=ignore)


def _names(count: int) -> tuple[str, ...]:
    if count == 2:
        return "background", "foreground"
    return ("background", *(f"class {label}" for label in range(1, count)))


def threshold_convention(threshold: float, ignore: int | None = None) -> MaskConvention:
    """The convention of a threshold: foreground from a value on.

    Args:
        threshold: The least value of the foreground.
        ignore: The value of ignored pixels.

    Returns:
        The convention.

    Raises:
        InputError: If the threshold is the ignored value, so that nothing would be foreground.
    """
    # What predictions write as foreground must not be read as ignored.
    foreground = [value for value in (max(WHITE, int(np.ceil(threshold))), int(np.ceil(threshold))) if value != ignore]
    if not foreground:
        both = f"{setting('threshold')} and {setting('ignore_value')} are both {ignore}"
        raise InputError(f"{both}, and nothing would be foreground")
    return MaskConvention(
        kind="threshold",
        values=(0, foreground[0]),
        class_names=("background", "foreground"),
        threshold=threshold,
        ignore_value=ignore,
    )


def objects_convention(ignore: int | None = None) -> MaskConvention:
    """The convention of numbered objects (instance masks): all objects are foreground.

    Args:
        ignore: The value of ignored pixels.

    Returns:
        The convention.
    """
    return MaskConvention(
        kind="instances", values=(0, 1), class_names=("background", "foreground"), ignore_value=ignore
    )


def colours_convention(colours: Sequence[int]) -> MaskConvention:
    """The convention of colours.

    Args:
        colours: Colours of the classes as 65536 R + 256 G + B, background first.

    Returns:
        The convention, with the colours as names.

    Raises:
        InputError: If a colour appears twice, or if there are too many.
    """
    if len(set(colours)) < len(colours):
        raise InputError(
            f"no two classes can have one colour: set {setting('classes')} with each colour once, not "
            f"'{name_colours(colours)}'"
        )
    refuse_too_many(len(colours))
    names = ("background", *(f"#{value:06x}" for value in colours[1:]))
    return MaskConvention(kind="colours", values=tuple(colours), class_names=names)


def refuse_too_many(classes: int) -> None:
    """Refuse more classes than labels can number.

    Args:
        classes: How many there are, background included.

    Raises:
        InputError: If they are more.
    """
    if classes > MOST_CLASSES:
        raise InputError(f"{classes} classes are more than the {MOST_CLASSES} that labels can number: join some")
