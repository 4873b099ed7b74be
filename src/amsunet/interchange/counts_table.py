"""Tables of images, CSV: a row for each class of an image with how many objects, how much area, and how sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.interchange.calibration import calibrate
from amsunet.interchange.tables import digits, in_unit, join_tables, write_table

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
    columns = count_columns(result, objects)
    write_table(path, [*columns], zip(*columns.values(), strict=True))


def write_volume(result: VolumeSegmentation, path: Path) -> None:
    """Write the table of a volume, in voxels and millilitres, see ``result_formats.VolumeWriter``."""
    names, objects, voxels = result.convention.class_names[1:], result.objects, result.voxels()[1:]
    (count, *size), classes = result.labels.shape, len(names)
    columns: dict[str, list[Any]] = {
        **_classes(result, names, size, objects),
        "share": (voxels / result.labels.size).round(6).tolist(),
        **_certainty(result, classes),
        "slices": [count] * classes,
        "voxels": voxels.tolist(),
    }
    if result.voxel is not None:
        columns["volume_ml"] = digits(voxels * math.prod(result.voxel) / 1000)
    write_table(path, [*columns], zip(*columns.values(), strict=True))


def join(parts: Sequence[Path], path: Path) -> None:
    """Join the tables of single images.

    Args:
        parts: Files that ``write`` wrote.
        path: The file to write.

    Raises:
        InputError: If a part cannot be read, or the file cannot be written.
    """
    join_tables(parts, path, _COLUMNS)


def count_columns(result: Segmentation, objects: Objects) -> dict[str, list[Any]]:
    """Sum up an image: a value for each class but the background, whether it occurs or not, by the name of its column.

    Args:
        result: The segmentation.
        objects: Its objects.
    """
    names = result.class_names[1:]
    calibration, classes = calibrate(result.spacing), len(names)
    areas = np.array([*result.areas().values()][1:])
    columns: dict[str, list[Any]] = {
        **_classes(result, names, result.mask.shape, objects),
        "area_px": areas.tolist(),
        "share": (areas / result.mask.size).round(6).tolist(),
        **_certainty(result, classes),
        **in_unit("area", calibration, areas, 2),
    }
    if calibration is not None:
        sizes = dict(zip(("pixel_height", "pixel_width"), digits(np.array(calibration[1:])), strict=True))
        columns |= {name: [value] * classes for name, value in (*sizes.items(), ("unit", calibration.unit))}
    return columns


def _classes(
    result: Segmentation | VolumeSegmentation, names: Sequence[str], size: Sequence[int], objects: Objects
) -> dict[str, list[Any]]:
    """What every table begins with: a row for each class and how many objects it has."""
    (height, width), classes = size, len(names)
    return {
        "image": [result.name] * classes,
        "width": [width] * classes,
        "height": [height] * classes,
        "class": [*names],
        "objects": np.bincount(objects.classes, minlength=classes + 1)[1:].tolist(),
    }


def _certainty(result: Segmentation | VolumeSegmentation, classes: int) -> dict[str, list[Any]]:
    reasons = "; ".join(result.review_reasons)
    return {"uncertainty": [round(result.uncertainty, 4)] * classes, "check": [reasons] * classes}
