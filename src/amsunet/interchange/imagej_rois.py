"""Outlines as a ZIP of ImageJ's regions of interest, which its ROI Manager opens; objects with holes are composite."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import atomic_write
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.object_values import measure_objects
from amsunet.interchange.polygons import Rings, outline_objects
from amsunet.optional import require

roifile = require("roifile")

suffix = ".zip"
_LARGEST = 32_767
"""Of a coordinate in 16 bits; beyond it an outline is written as one with holes is, in floating point numbers."""
_MOVE, _LINE, _CLOSE = 0, 1, 4
"""Segments of a path, as Java's ``PathIterator`` numbers them."""


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write objects as regions of interest, see ``result_formats.Writer``."""
    values = measure_objects(result, objects)
    digits = max(4, len(str(len(objects))))
    with atomic_write(path, durable=False) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        for index, outline in enumerate(outline_objects(objects.numbers, len(objects))):
            region = _region(outline)
            region.name = f"{index + 1:0{digits}}-{values.class_names[index]}"
            # Not as a group: ImageJ gives each group a colour of its own choice.
            region.props = f"class: {values.class_names[index]}\n"
            region.stroke_color = bytes((255, *values.colours[index]))
            # Entries without the time of day: the same result is the same file.
            file.writestr(zipfile.ZipInfo(f"{region.name}.roi"), region.tobytes(), zipfile.ZIP_DEFLATED)


def _region(outline: list[Rings]) -> Any:
    rings = [ring for rings in outline for ring in rings]
    low, high = np.min([ring.min(0) for ring in rings], 0), np.max([ring.max(0) for ring in rings], 0)
    region = roifile.ImagejRoi()
    region.left, region.top = (min(int(one), _LARGEST) for one in low)
    region.right, region.bottom = (min(int(one), _LARGEST) for one in high)
    if len(rings) == 1 and high.max() <= _LARGEST:
        region.roitype = roifile.ROI_TYPE.TRACED
        region.integer_coordinates = (rings[0][:-1] - low).astype(np.int32)
        region.n_coordinates = len(region.integer_coordinates)
        return region
    region.roitype = roifile.ROI_TYPE.RECT
    path = [_segments(ring) for ring in rings]
    region.multi_coordinates = np.concatenate(path).astype(np.float32)
    region.shape_roi_size = len(region.multi_coordinates)
    return region


def _segments(ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A closed ring as a path: each point with how it is reached, and the end."""
    points = np.column_stack([np.full(len(ring) - 1, _LINE), ring[:-1]])
    points[0, 0] = _MOVE
    return np.append(points.ravel(), _CLOSE)
