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
    (count, height, width), classes = result.labels.shape, len(names)
    columns: dict[str, list[Any]] = {
        "image": [result.name] * classes,
        "width": [width] * classes,
        "height": [height] * classes,
        "class": [*names],
        "objects": np.bincount(objects.classes, minlength=classes + 1)[1:].tolist(),
        "share": (voxels / result.labels.size).round(6).tolist(),
        "uncertainty": [round(result.uncertainty, 4)] * classes,
        "check": ["; ".join(result.review_reasons)] * classes,
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
    (height, width), names = result.mask.shape, result.class_names[1:]
    calibration, classes = calibrate(result.spacing), len(names)
    areas = np.array([*result.areas().values()][1:])
    columns: dict[str, list[Any]] = {
        "image": [result.name] * classes,
        "width": [width] * classes,
        "height": [height] * classes,
        "class": [*names],
        "objects": np.bincount(objects.classes, minlength=classes + 1)[1:].tolist(),
        "area_px": areas.tolist(),
        "share": (areas / (width * height)).round(6).tolist(),
        "uncertainty": [round(result.uncertainty, 4)] * classes,
        "check": ["; ".join(result.review_reasons)] * classes,
        **in_unit("area", calibration, areas, 2),
    }
    if calibration is not None:
        sizes = dict(zip(("pixel_height", "pixel_width"), digits(np.array(calibration[1:])), strict=True))
        columns |= {name: [value] * classes for name, value in (*sizes.items(), ("unit", calibration.unit))}
    return columns
