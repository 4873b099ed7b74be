"""The range of values in which images are stored: which values are black and white."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

PixelType = Literal["uint8", "uint16", "float32"]
_BITS = {float(2**bits - 1): f"{bits} bits" for bits in (8, 10, 12, 14, 16)}
_LARGEST = max(_BITS)
_LEAST_USED = 1 / 4
"""Share of a range that values must reach to be of this range."""
_DARK = 1 / 16
"""Share of a range; an image that stays below would look black."""
_BEYOND = 0.05
"""Share of a range by which values may lie outside."""


class ValueRange(BaseModel):
    """The type of an image's pixels with the values of black and white, or with its smallest and largest value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: PixelType
    low: float
    high: float
    always: bool = False
    """Whether the range holds for every image of the type, however dark: a window, or networks of earlier versions."""

    def __str__(self) -> str:
        bits = _BITS.get(self.high, "") if self.low == 0 and self.type != "float32" else ""
        if bits and (self.type == "uint8" or self.high == _LARGEST):
            return bits
        within = "16 bits with " if self.type == "uint16" else ""
        return f"{bits} in 16" if bits else f"{within}values of {self.low:g} to {self.high:g}"


def values_of(image: npt.NDArray[np.generic]) -> ValueRange:
    """The smallest and the largest value of an image."""
    return ValueRange(type=str(image.dtype), low=float(image.min()), high=float(image.max()))  # type: ignore[arg-type]


def common_range(values: Iterable[ValueRange]) -> dict[str, ValueRange]:
    """Find the range of all images of each type.

    Args:
        values: The smallest and largest value of each image.

    Returns:
        By type the standard range that the values fill, else that from 0 (or the smallest value) to the largest.
    """
    found: dict[str, ValueRange] = {}
    for one in values:
        seen = found.get(one.type, one)
        found[one.type] = ValueRange(type=one.type, low=min(seen.low, one.low), high=max(seen.high, one.high))
    return {kind: evident_range(seen, seen.high) or _whole(seen) for kind, seen in found.items()}


def evident_range(values: ValueRange, bright: float) -> ValueRange | None:
    """Find the standard range that values fill: 0 to 1, or that of 8, 10, 12, 14 or 16 bits.

    Args:
        values: The smallest and largest value.
        bright: A value that nearly all pixels stay below.

    Returns:
        The range; None if the values fill none.
    """
    if values.type == "uint8":
        return ValueRange(type="uint8", low=0, high=255)
    for top in (1.0, *_BITS):
        if values.low >= 0 and values.high <= top:
            filled = bright >= _LEAST_USED * top
            return ValueRange(type=values.type, low=0, high=top) if filled else None
    return None


def whole_type(bits: int) -> ValueRange:
    """The full range of a number of bits: black and white of all images in networks of earlier versions."""
    if bits > 16:
        return ValueRange(type="float32", low=0, high=1, always=True)
    return ValueRange(type="uint16" if bits > 8 else "uint8", low=0, high=2**bits - 1, always=True)


def fixed_range(window: tuple[float, float], values: Iterable[ValueRange]) -> tuple[ValueRange, ...]:
    """The ranges of a network that sees all images by one window.

    Args:
        window: The values of black and white.
        values: The range of the training images of each pixel type.
    """
    low, high = window
    return tuple(ValueRange(type=one.type, low=low, high=high, always=True) for one in values)


def shows(known: ValueRange, values: ValueRange, bright: float) -> bool:
    """Whether a known range suits an image: it has the same type, holds the values and does not show them as black.

    Args:
        known: The range of the training images.
        values: The smallest and largest value of the image.
        bright: A value that nearly all pixels of the image stay below.
    """
    if known.always:
        return known.type == values.type
    span = known.high - known.low
    inside = known.low - _BEYOND * span <= values.low and values.high <= known.high + _BEYOND * span
    return known.type == values.type and inside and (known.type == "uint8" or bright >= known.low + _DARK * span)


def _whole(values: ValueRange) -> ValueRange:
    return values if values.low < 0 else values.model_copy(update={"low": 0.0})
