"""Tables of objects, CSV: a row for each object of an image, and of all images together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.channels import Names, channel_names, numbered
from amsunet.data.images import Array, read_image
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.interchange.calibration import calibrate
from amsunet.interchange.object_shapes import measure_shapes
from amsunet.interchange.tables import digits, in_unit, join_tables, write_table
from amsunet.interchange.volume_objects import volume_columns

suffix = ".csv"
joined = "objects.csv"
_COLUMNS = ("image", "object", "class", "area_px", "centroid_row", "centroid_column", "top", "left", "bottom", "right",
            "equivalent_diameter_px", "circularity", "mean_probability", "touches_border")  # fmt: skip
"""What every table begins with; areas and diameters in a unit, and intensities, follow."""


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
    pixels = read_image(image)
    columns = object_columns(result, objects, pixels, channel_names(image, pixels.shape[2]))
    write_table(path, [*columns], zip(*columns.values(), strict=True))


def write_volume(result: VolumeSegmentation, path: Path) -> None:
    """Write the table of a volume, a row for each object in three dimensions, see ``result_formats.VolumeWriter``."""
    columns = volume_columns(result)
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


def object_columns(result: Segmentation, objects: Objects, image: Array, channels: Names) -> dict[str, list[Any]]:
    """Measure every object.

    Args:
        result: The segmentation.
        objects: Its objects.
        image: (H, W, C), as read.
        channels: Their names; empty for grey and colours.

    Returns:
        A value for each object by the name of its column. Rows, columns and boxes count pixels from the upper left
        corner; ``bottom`` and ``right`` are the first ones beyond the object. Areas and diameters are also in the unit
        that suits the size of the pixels, where it is known.
    """
    count, calibration = len(objects), calibrate(result.spacing)
    shapes = measure_shapes(objects.numbers, count)
    probability = np.zeros(count)
    for label in np.unique(objects.classes).tolist():
        probability = np.where(objects.classes == label, _means(objects, result.probability[label]), probability)
    diameters = np.sqrt(4 * shapes.areas / np.pi)
    intensities = {
        name: digits(_means(objects, image[..., channel]))
        for channel, name in enumerate(_intensity_columns(image.shape[2], channels))
    }
    return {
        "image": [result.name] * count,
        "object": [*range(1, count + 1)],
        "class": [result.class_names[label] for label in objects.classes.tolist()],
        "area_px": shapes.areas.tolist(),
        "centroid_row": shapes.centroids[:, 0].round(2).tolist(),
        "centroid_column": shapes.centroids[:, 1].round(2).tolist(),
        **dict(zip(("top", "left", "bottom", "right"), shapes.boxes.T.tolist(), strict=True)),
        "equivalent_diameter_px": diameters.round(2).tolist(),
        "circularity": shapes.circularity.round(4).tolist(),
        "mean_probability": probability.round(4).tolist(),
        "touches_border": ["yes" if one else "no" for one in shapes.touches_border.tolist()],
        **in_unit("area", calibration, shapes.areas, 2),
        **in_unit("equivalent_diameter", calibration, diameters, 1),
        **intensities,
    }


def _intensity_columns(count: int, channels: Names) -> list[str]:
    """A column for each channel: by its name where it has one of its own, else by its number."""
    if count == 1 and not channels:
        return ["mean_intensity"]
    if channels in ((), numbered(count)) or len({*channels}) < count:
        return [f"mean_intensity_{number}" for number in range(1, count + 1)]
    return [f"mean_intensity_{name}" for name in channels]


def _means(objects: Objects, values: Array) -> Array:
    """The mean of values, (H, W), over the pixels of each object."""
    places = objects.numbers > 0
    numbers = objects.numbers[places] - 1
    count = len(objects)
    return np.bincount(numbers, values[places], count) / np.maximum(np.bincount(numbers, minlength=count), 1)
