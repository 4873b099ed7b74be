"""Tables of objects, CSV: a row for each object of an image, and of all images together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.images import Array, read_image
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.calibration import calibrate
from amsunet.interchange.object_shapes import measure_shapes
from amsunet.interchange.tables import in_unit, join_tables, write_table

suffix = ".csv"
joined = "objects.csv"
_COLUMNS = ("image", "object", "class", "area_px", "centroid_row", "centroid_column", "top", "left", "bottom", "right",
            "equivalent_diameter_px", "circularity", "mean_probability", "touches_border")  # fmt: skip
"""What every table has, also one without an object; areas and diameters in a unit, and intensities, follow."""


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write the table of one image.

    Args:
        result: The segmentation.
        objects: Its objects.
        image: The file, or the address, that the image was read from; its intensities are averaged.
        path: The file to write.

    Raises:
        InputError: If the file cannot be written, or the image can no longer be read.
    """
    rows = object_rows(result, objects, read_image(image))
    write_table(path, [*dict.fromkeys((*_COLUMNS, *(rows[0] if rows else ())))], rows)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join the tables of single images.

    Args:
        parts: Files that ``write`` wrote.
        path: The file to write.

    Raises:
        InputError: If a part cannot be read, or the file cannot be written.
    """
    join_tables(parts, path, _COLUMNS)


def object_rows(result: Segmentation, objects: Objects, image: Array) -> list[Mapping[str, Any]]:
    """Measure every object: a row each.

    Args:
        result: The segmentation.
        objects: Its objects.
        image: (H, W, C), as read.

    Returns:
        Rows by the names of their columns. Rows, columns and boxes count pixels from the upper left corner; ``bottom``
        and ``right`` are the first ones beyond the object. Areas and diameters are also in the unit that suits the size
        of the pixels, where it is known.
    """
    shapes, calibration = measure_shapes(objects.numbers, len(objects)), calibrate(result.spacing)
    probability = np.zeros(len(objects))
    for label in np.unique(objects.classes).tolist():
        means = _means(objects, result.probability[label])
        probability = np.where(objects.classes == label, means, probability)
    channels = [_means(objects, image[..., channel]) for channel in range(image.shape[2])]
    rows: list[Mapping[str, Any]] = []
    for index, label in enumerate(objects.classes.tolist()):
        area = int(shapes.areas[index])
        diameter = math.sqrt(4 * area / math.pi)
        row: dict[str, Any] = {
            "image": result.name,
            "object": index + 1,
            "class": result.class_names[label],
            "area_px": area,
            "centroid_row": round(float(shapes.centroids[index, 0]), 2),
            "centroid_column": round(float(shapes.centroids[index, 1]), 2),
            **dict(zip(("top", "left", "bottom", "right"), shapes.boxes[index].tolist(), strict=True)),
            "equivalent_diameter_px": round(diameter, 2),
            "circularity": round(float(shapes.circularity[index]), 4),
            "mean_probability": round(float(probability[index]), 4),
            "touches_border": "yes" if shapes.touches_border[index] else "no",
        }
        row |= in_unit("area", calibration, area, 2) | in_unit("equivalent_diameter", calibration, diameter, 1)
        for number, means in enumerate(channels, start=1):
            name = "mean_intensity" if len(channels) == 1 else f"mean_intensity_{number}"
            row[name] = float(f"{means[index]:.7g}")
        rows.append(row)
    return rows


def _means(objects: Objects, values: Array) -> Array:
    """The mean of values, (H, W), over the pixels of each object."""
    places = objects.numbers > 0
    numbers = objects.numbers[places] - 1
    count = len(objects)
    return np.bincount(numbers, values[places], count) / np.maximum(np.bincount(numbers, minlength=count), 1)
