"""Tables of images, CSV: a row for each class of an image with how many objects, how much area, and how sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.calibration import calibrate
from amsunet.interchange.tables import in_unit, join_tables, write_table

suffix = ".csv"
joined = "counts.csv"
_COLUMNS = ("image", "width", "height", "class", "objects", "area_px", "share", "uncertainty", "check")


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write the table of one image.

    Args:
        result: The segmentation.
        objects: Its objects.
        image: The file, or the address, that the image was read from; it is not read.
        path: The file to write.

    Raises:
        InputError: If the file cannot be written.
    """
    rows = count_rows(result, objects)
    write_table(path, [*rows[0]], rows)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join the tables of single images.

    Args:
        parts: Files that ``write`` wrote.
        path: The file to write.

    Raises:
        InputError: If a part cannot be read, or the file cannot be written.
    """
    join_tables(parts, path, _COLUMNS)


def count_rows(result: Segmentation, objects: Objects) -> list[Mapping[str, Any]]:
    """Sum up an image: a row for each class but the background, whether it occurs or not.

    Args:
        result: The segmentation.
        objects: Its objects.
    """
    height, width = result.mask.shape
    calibration, areas = calibrate(result.spacing), result.areas()
    counts = np.bincount(objects.classes, minlength=len(result.class_names))
    rows: list[Mapping[str, Any]] = []
    for label, name in enumerate(result.class_names[1:], start=1):
        row: dict[str, Any] = {
            "image": result.name,
            "width": width,
            "height": height,
            "class": name,
            "objects": int(counts[label]),
            "area_px": areas[name],
            "share": round(areas[name] / (width * height), 6),
            "uncertainty": round(result.uncertainty, 4),
            "check": "; ".join(result.review_reasons),
        }
        row |= in_unit("area", calibration, areas[name], 2)
        if calibration is not None:
            row |= {"pixel_height": calibration.height, "pixel_width": calibration.width, "unit": calibration.unit}
        rows.append(row)
    return rows
