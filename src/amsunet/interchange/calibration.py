"""The size of pixels and the area of objects in the unit that suits them."""

from __future__ import annotations

from typing import NamedTuple

from amsunet.data.spacing import Spacing, unit_of

_PER_MILLIMETRE = {"mm": 1, "µm": 1000}


class Calibration(NamedTuple):
    """The size of a pixel."""

    unit: str
    """``mm`` or ``µm``."""
    height: float
    width: float

    @property
    def per_millimetre(self) -> int:
        """Units in a millimetre."""
        return _PER_MILLIMETRE[self.unit]

    @property
    def area(self) -> float:
        """Of a pixel, in the square of the unit."""
        return self.height * self.width


def calibrate(spacing: Spacing | None) -> Calibration | None:
    """Choose the unit for an image, as evaluation and the page have it.

    Args:
        spacing: Millimetres a pixel (rows, columns); None if it is not known.
    """
    if spacing is None:
        return None
    unit = "µm" if unit_of(spacing) == "um" else "mm"
    times = _PER_MILLIMETRE[unit]
    return Calibration(unit, spacing[0] * times, spacing[1] * times)
