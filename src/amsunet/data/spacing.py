"""The size of a pixel: as it is typed, as the standards of files state it, and the unit that lengths are written in."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from amsunet.errors import InputError, brief
from amsunet.wording import setting

Spacing = tuple[float, float]
"""Millimetres per pixel, down and across."""
Unit = Literal["pixels", "um", "mm"]

LIMITS = (1e-8, 1e4)
"""Millimetres: a tenth of an atom, and ten metres."""
_PRINTED = 0.01
"""Millimetres. Coarser resolutions in inches or centimetres are those of a printer or a screen, as 72 dpi, and not the
size of what is seen; finer ones are those of instruments."""
_FURTHEST_APART = 16
"""Between the smallest and the largest pixel of a data set; beyond it some file is wrong."""
_IN_MILLIMETRES = {
    "Å": 1e-7,
    "nm": 1e-6,
    **dict.fromkeys(("um", "µm", "μm", "\\u00B5m", "micron", "microns", "micrometer"), 1e-3),
    "mm": 1.0,
    "cm": 10.0,
    "m": 1e3,
}
_TYPED = re.compile(r"(?P<down>[\d.eE+-]+)\s*(?:[x,*]\s*(?P<across>[\d.eE+-]+)\s*)?(?P<unit>[^\W\d]+)")
_ACROSS, _DOWN, _UNIT = 282, 283, 296
"""Tags of TIFF: pixels a unit of length, and that unit."""
_OF_TAG = {2: 25.4, 3: 10.0}


def parse_spacing(given: Any) -> Spacing:
    """Read the size of a pixel.

    Args:
        given: Text with a unit (nm, um, mm, cm), as ``0.5um``, or ``0.8x0.7mm`` for rows and columns; or a number, or
            two, of millimetres.

    Returns:
        Millimetres a pixel, down and across.

    Raises:
        InputError: If it is none of these.

    Example:
        >>> parse_spacing("0.5um"), parse_spacing((0.8, 0.7))
        ((0.0005, 0.0005), (0.8, 0.7))
    """
    found: Spacing | None = None
    if isinstance(given, str):
        parts = _TYPED.fullmatch(given.strip())
        unit = None if parts is None else _IN_MILLIMETRES.get(parts["unit"])
        if parts is not None and unit is not None:
            found = _lengths(parts["down"], parts["across"] or parts["down"], unit)
    elif isinstance(given, int | float):
        found = _lengths(given, given)
    elif isinstance(given, list | tuple) and len(given) == 2:
        found = _lengths(*given)
    if found is None:
        examples = f"{setting(spacing='0.5um')}, or {setting(spacing='0.8x0.7mm')} for rows and columns"
        raise InputError(f"{setting('spacing')}: {brief(repr(given))} is not the size of a pixel: write {examples}")
    return found


def of_imagej(description: str, across: float, down: float) -> Spacing | None:
    """What ImageJ wrote into a TIFF: pixels a unit, and the unit in its text."""
    unit = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    return _of_density(down, across, _IN_MILLIMETRES.get(unit[1].strip()) if unit else None)


def of_ome(description: str) -> Spacing | None:
    """What the OME-XML of a TIFF says of its first image."""
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", description)
    if pixels is None:
        return None
    stated = dict(re.findall(r'\bPhysicalSize([XY](?:Unit)?)\s*=\s*"([^"]*)"', html.unescape(pixels[0])))
    units = [_IN_MILLIMETRES.get(stated.get(f"{axis}Unit", "µm")) for axis in "YX"]
    if None in units or not {"X", "Y"} <= stated.keys():
        return None
    down, across = (_lengths(stated[axis], stated[axis], unit or 0) for axis, unit in zip("YX", units, strict=True))
    return None if down is None or across is None else (down[0], across[1])


def of_density(down: float, across: float, unit: float) -> Spacing | None:
    """What a resolution says that may be meant for a printer: pixels in so many millimetres, down and across."""
    found = _of_density(down, across, unit)
    return found if found is not None and max(found) <= _PRINTED else None


def of_tiff_page(page: Any, description: str) -> Spacing | None:
    """What a TIFF says of a page.

    Args:
        page: The page, of tifffile, as it is stored.
        description: The text of the file's first page.
    """
    across, down = (_ratio(page, tag) for tag in (_ACROSS, _DOWN))
    if description.startswith("ImageJ"):
        return of_imagej(description, across, down)
    if "<Pixels" in description or ":Pixels" in description:
        return of_ome(description)
    unit = page.tags.get(_UNIT)
    return of_density(down, across, _OF_TAG.get(2 if unit is None else unit.value, 0))


def common_spacing(spacings: Iterable[Spacing | None]) -> Spacing | None:
    """The median of pixel sizes, down and across; None if one is unknown, or they are too far apart to be true."""
    known = list(spacings)
    sizes = [one for one in known if one is not None]
    if not sizes or len(sizes) < len(known) or _are_apart(sizes):
        return None
    return median(down for down, _ in sizes), median(across for _, across in sizes)


def describe_spacings(spacings: Mapping[Path, Spacing | None]) -> tuple[str, str]:
    """The pixel sizes of images in words, as a note and a warning, of which at most one is there."""
    known = {path: one for path, one in spacings.items() if one is not None}
    if not known:
        return "", ""
    smallest, largest = (chosen(known, key=lambda path: math.prod(known[path])) for chosen in (min, max))
    if len(known) < len(spacings):
        other = next(path for path in spacings if path not in known)
        return "", (
            f"{len(known)} of {len(spacings)} images say how large their pixels are, as {smallest} "
            f"({describe_spacing(known[smallest])}), and others do not, as {other}: lengths are in pixels; "
            f"if all are alike, set {setting(spacing=describe_spacing(known[smallest]).replace(' ', ''))}"
        )
    if _are_apart(known.values()):
        return "", (
            f"pixels are from {describe_spacing(known[smallest])} ({smallest}) to {describe_spacing(known[largest])} "
            f"({largest}), too far apart to be true: lengths are in pixels; set {setting('spacing')} if all are alike"
        )
    ends = dict.fromkeys(describe_spacing(known[path]) for path in (smallest, largest))
    return f"pixels are {' to '.join(ends)}", ""


def describe_spacing(spacing: Spacing) -> str:
    """The size of a pixel as it is typed, as ``0.5 um`` or ``0.8 x 0.7 mm``, rows first."""
    unit = unit_of(spacing)
    sides = dict.fromkeys(f"{side / _IN_MILLIMETRES[unit]:.4g}" for side in spacing)
    return f"{' x '.join(sides)} {unit}"


def unit_of(spacing: Spacing) -> Unit:
    """The unit that suits pixels of a size: millimetres from a tenth of one on."""
    return "mm" if spacing[0] >= 0.1 else "um"


@dataclass(frozen=True)
class Lengths:
    """The unit that lengths in some images are written in: pixels, unless all of these say how large they are."""

    unit: Unit = "pixels"
    pixel: float = 1.0
    """Side of a typical pixel, in the unit."""

    @classmethod
    def of(cls, spacings: Iterable[Spacing | None]) -> Lengths:
        """Choose it, by the size of the pixels of each image."""
        typical = common_spacing(spacings)
        if typical is None:
            return cls()
        unit = unit_of(typical)
        return cls(unit, math.sqrt(math.prod(typical)) / _IN_MILLIMETRES[unit])

    def spacing(self, spacing: Spacing | None) -> Spacing | None:
        """The size of a pixel in the unit; None where that is pixels."""
        if self.unit == "pixels" or spacing is None:
            return None
        down, across = (side / _IN_MILLIMETRES[self.unit] for side in spacing)
        return down, across


def _are_apart(spacings: Iterable[Spacing]) -> bool:
    sides = [side for spacing in spacings for side in spacing]
    return max(sides) > _FURTHEST_APART * min(sides)


def _ratio(page: Any, tag: int) -> float:
    """Pixels a unit, of a tag that is a fraction; 0 where it is none."""
    try:
        numerator, denominator = page.tags[tag].value
        return float(numerator) / float(denominator)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return 0.0


def _of_density(down: float, across: float, unit: float | None) -> Spacing | None:
    return _lengths(unit / down, unit / across) if unit and down > 0 and across > 0 else None


def _lengths(down: Any, across: Any, unit: float = 1.0) -> Spacing | None:
    try:
        found = float(down) * unit, float(across) * unit
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(LIMITS[0] <= side <= LIMITS[1] for side in found) else None
