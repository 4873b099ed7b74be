"""Outlines of ImageJ: one region (.roi) or many (.zip), see ``outlines.OutlineReader``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.images import Array
from amsunet.data.readers.polygon_fill import OutlineError, Piece, fill
from amsunet.data.zip_file import open_zip
from amsunet.errors import InputError
from amsunet.optional import require
from amsunet.regular_file import read_regular

_LARGEST = 1 << 28
"""Bytes of all regions of a file."""
_CORNERS = 720
"""Of the polygon that an oval is drawn as."""
_CLASS = re.compile(r"^class: *(.*?) *$", re.MULTILINE)


def load(file: Path) -> dict[str, bytes] | None:
    """The regions of a file by name; None of a ZIP of other files.

    Raises:
        InputError: If it cannot be read.
    """
    if file.suffix.lower() == ".roi":
        return {file.stem: read_regular(file)}
    with open_zip(file) as archive:
        entries = [one for one in archive.infolist() if not one.is_dir()]
        if any(not one.filename.lower().endswith(".roi") for one in entries):
            return None
        if sum(one.file_size for one in entries) > _LARGEST:
            raise InputError(f"{file} holds more than {_LARGEST >> 20} MB of regions: split it")
        return {one.filename: archive.read(one) for one in entries}


def is_of_regions(path: Path) -> bool:
    """Whether a ZIP holds regions of ImageJ, by the names in it; an empty one is of an image without objects. One that
    cannot be opened is left to whoever names the archives in a folder.
    """
    try:
        with open_zip(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (InputError, OSError):
        return False
    return all(name.lower().endswith(".roi") for name in names)


def parse(content: dict[str, bytes] | None) -> dict[str, bytes] | None:
    """The regions as they are."""
    return content


def find(content: dict[str, bytes]) -> dict[str, list[str]]:
    """The classes, all of the one image."""
    return {"": [_class_of(region) for region in _regions(content)]}


def draw(content: dict[str, bytes], image: str, size: tuple[int, int]) -> Iterator[Piece]:
    """Each region is an object."""
    for region in _regions(content):
        yield fill(_class_of(region), _rings(region), size)


def _regions(content: dict[str, bytes]) -> Iterator[Any]:
    roifile = require("roifile")
    for name, data in content.items():
        try:
            yield roifile.ImagejRoi.frombytes(data)
        except Exception:  # of kinds of the library's own
            raise OutlineError(f"holds {name}, which is no region of ImageJ: save the regions again") from None


def _class_of(region: Any) -> str:
    """The class that amsunet wrote among the region's properties; ImageJ itself has none."""
    found = _CLASS.search(region.props)
    return found[1] if found else ""


def _rings(region: Any) -> list[Array]:
    kinds = require("roifile").ROI_TYPE
    if region.composite:
        return [np.asarray(ring, np.float64) for ring in region.coordinates(multi=True)]
    if region.roitype in (kinds.POLYGON, kinds.FREEHAND, kinds.TRACED):
        return [np.asarray(region.coordinates(), np.float64)]
    edges = [region.left, region.top, region.right, region.bottom]
    if region.subpixelrect:
        edges = [region.xd, region.yd, region.xd + region.widthd, region.yd + region.heightd]
    left, top, right, bottom = map(float, edges)
    if region.roitype == kinds.RECT:
        return [np.array([(left, top), (right, top), (right, bottom), (left, bottom)])]
    if region.roitype == kinds.OVAL:
        angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        around = np.column_stack([np.cos(angles) * (right - left), np.sin(angles) * (bottom - top)]) / 2
        return [around + np.array([left + right, top + bottom]) / 2]
    kind = region.roitype.name.lower()
    raise OutlineError(f"holds a {kind} ({region.name}), which marks no area: remove it, or draw it as a polygon")
