"""What values images are stored in, and which of them are black and white."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

_BITS = {float(2**bits - 1): f"{bits} bits" for bits in (8, 10, 12, 14, 16)}
_LARGEST = max(_BITS)
_LEAST_USED = 1 / 4
"""Share of a range that values must reach, or it is not theirs."""
_DARK = 1 / 16
"""Share of a range below which an image would be black."""
_BEYOND = 0.05
"""Share of a range by which single values may lie outside."""


class ValueRange(BaseModel):
    """The type of an image's pixels, and the values that are black and white, or its smallest and largest one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["uint8", "uint16", "float32"]
    low: float
    high: float
    always: bool = False
    """Whether every image of the type is seen in it, however dark: so networks of earlier versions were trained."""

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
    """The range of all images of each type: the known one that their values fill, or else from black to the largest."""
    found: dict[str, ValueRange] = {}
    for one in values:
        seen = found.get(one.type, one)
        found[one.type] = ValueRange(type=one.type, low=min(seen.low, one.low), high=max(seen.high, one.high))
    return {kind: evident_range(seen, seen.high) or _whole(seen) for kind, seen in found.items()}


def evident_range(values: ValueRange, bright: float) -> ValueRange | None:
    """The range that values point to: 0 to 1 or that of 8, 10, 12, 14 or 16 bits; None if they fill none.

    Args:
        bright: what nearly all values are below.
    """
    if values.type == "uint8":
        return ValueRange(type="uint8", low=0, high=255)
    for top in (1.0, *_BITS):
        if values.low >= 0 and values.high <= top:
            filled = bright >= _LEAST_USED * top
            return ValueRange(type=values.type, low=0, high=top) if filled else None
    return None


def whole_type(bits: int) -> ValueRange:
    """What a value of so many bits may be, which was black and white in earlier versions, whatever the images held."""
    if bits > 16:
        return ValueRange(type="float32", low=0, high=1, always=True)
    return ValueRange(type="uint16" if bits > 8 else "uint8", low=0, high=2**bits - 1, always=True)


def shows(known: ValueRange, values: ValueRange, bright: float) -> bool:
    """Whether an image may be seen in a known range of its type: it lies in it and is not black there."""
    if known.always:
        return known.type == values.type
    span = known.high - known.low
    inside = known.low - _BEYOND * span <= values.low and values.high <= known.high + _BEYOND * span
    return known.type == values.type and inside and (known.type == "uint8" or bright >= known.low + _DARK * span)


def _whole(values: ValueRange) -> ValueRange:
    return values if values.low < 0 else values.model_copy(update={"low": 0.0})
