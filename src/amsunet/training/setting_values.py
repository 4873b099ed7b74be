"""What settings may be: types that read them as a person writes them, and how they are shown."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from amsunet.choices import MOST_CHANNELS, Normalization
from amsunet.records import refuse_removed

_Side = Annotated[int, Field(ge=32, le=65536)]


def split_words(value: Any) -> Any:
    """Words as the command line has them, between commas."""
    return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value


def _sides(value: Any) -> Any:
    """Height and width; one number is both, and text has an x between them."""
    sides = value.replace("x", ",").split(",") if isinstance(value, str) else value
    sides = [sides] if isinstance(sides, int) else sides
    if not isinstance(sides, (tuple, list)):
        return value
    if not 1 <= len(sides) <= 2 or not all(str(side).strip().isdecimal() for side in sides):
        raise ValueError("give a side, or height x width, in whole numbers, as 64 or 64x96")
    return (sides[0], sides[-1])


def _ends(value: Any) -> Any:
    """Two numbers; text has a comma between them."""
    try:
        low, high = map(float, value.split(",") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        raise ValueError("give the values of black and of white, as -160,240") from None
    if not (math.isfinite(high - low) and low < high):
        raise ValueError("give the value of black first, and a larger one of white, as -160,240")
    return (low, high)


Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
Scale = Annotated[float, Field(ge=1e-4, le=4)]
NormalizationSetting = Annotated[Normalization, BeforeValidator(refuse_removed)]
Window = Annotated[tuple[float, float], BeforeValidator(_ends)]
Crop = Annotated[tuple[_Side, _Side], BeforeValidator(_sides)]
BatchSize = Annotated[int, Field(ge=1, le=65536)]
Share = Annotated[float, Field(ge=0, le=1)]
"""Values of the settings that a plan always has: they are written twice, as what may be set and as what is decided."""


def as_text(value: Any) -> str:
    """A setting as it is shown: sides with an x between them, words with commas, ends of a range with a word."""
    if isinstance(value, (tuple, list)):
        if value and all(isinstance(part, float) for part in value):
            return " to ".join(f"{part:.4g}" for part in value)
        return (", " if any(isinstance(part, str) for part in value) else " x ").join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
