"""What is measured of the objects of a volume, slice by slice: of a large one a few slices are in memory at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from amsunet.data.images import Array
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.interchange.tables import digits


def volume_columns(result: VolumeSegmentation) -> dict[str, list[Any]]:
    """Measure every object of a volume.

    Args:
        result: The segmentation.

    Returns:
        A value for each object by the name of its column. Slices, rows and columns are those that the network saw,
        counted from 0; ``bottom`` and ``right`` are the first ones beyond the object, and ``last_slice`` is its own.
        ``centroid_x_mm`` and so on are millimetres to the right, front and head, as the affine has them.
    """
    objects = result.objects
    count, numbers = len(objects), objects.numbers
    sums, boxes = _Sums(count), _Boxes(count)
    for index, (one, certainty, image) in enumerate(zip(numbers, result.certainty, result.images(), strict=True)):
        rows, columns = np.nonzero(one)
        owners = one[rows, columns] - 1
        boxes.add(owners, index, rows, columns)
        values = {"mean_probability": certainty, **_intensities(image)}
        sums.add(owners, {"slice": np.full(len(rows), index), "row": rows, "column": columns})
        sums.add(owners, {name: of_slice[rows, columns] for name, of_slice in values.items()})
        sums.voxels += np.bincount(owners, minlength=count)
    means = sums.means()
    centroids = np.stack([means.pop(name) for name in ("slice", "row", "column")], axis=1)
    probability, voxel = means.pop("mean_probability"), result.voxel
    measured: dict[str, list[Any]] = {
        "image": [result.name] * count,
        "object": [*range(1, count + 1)],
        "class": [result.convention.class_names[label] for label in objects.classes.tolist()],
        "centroid_row": centroids[:, 1].round(2).tolist(),
        "centroid_column": centroids[:, 2].round(2).tolist(),
        **{name: boxes.ends[name].tolist() for name in ("top", "left", "bottom", "right")},
        "mean_probability": probability.round(4).tolist(),
        "touches_border": ["yes" if one else "no" for one in boxes.touches(numbers.shape).tolist()],
        "centroid_slice": centroids[:, 0].round(2).tolist(),
        "first_slice": boxes.ends["first_slice"].tolist(),
        "last_slice": (boxes.ends["slice_beyond"] - 1).tolist(),
        "voxels": sums.voxels.tolist(),
    }
    if voxel is not None:
        mm3 = sums.voxels * math.prod(voxel)
        measured["volume_mm3"] = digits(mm3)
        measured["equivalent_diameter_mm"] = digits(np.cbrt(6 * mm3 / np.pi))
        places = result.volume.in_space(centroids, result.axis)
        measured |= {f"centroid_{axis}_mm": places[:, at].round(3).tolist() for at, axis in enumerate("xyz")}
    return measured | {name: digits(values) for name, values in means.items()}


def _intensities(image: Array) -> dict[str, Array]:
    """The channels of a slice, (H, W, C), by the name of their column."""
    channels = image.shape[2]
    return {
        "mean_intensity" if channels == 1 else f"mean_intensity_{channel + 1}": image[..., channel]
        for channel in range(channels)
    }


class _Sums:
    """Sums of values over the voxels of each object."""

    def __init__(self, count: int) -> None:
        self.voxels = np.zeros(count, np.int64)
        self._sums: dict[str, Array] = {}

    def add(self, owners: Array, values: dict[str, Array]) -> None:
        """Add values at voxels, each of the object whose index ``owners`` has."""
        for name, some in values.items():
            total = np.bincount(owners, some.astype(np.float64), len(self.voxels))
            self._sums[name] = self._sums.get(name, 0) + total

    def means(self) -> dict[str, Array]:
        """The mean of each value."""
        return {name: total / np.maximum(self.voxels, 1) for name, total in self._sums.items()}


class _Boxes:
    """The first slice, row and column of each object, and the first ones beyond it."""

    _NAMES = (("first_slice", "slice_beyond"), ("top", "bottom"), ("left", "right"))

    def __init__(self, count: int) -> None:
        self.ends = {name: np.zeros(count, np.int64) for names in self._NAMES for name in names}
        for first, _ in self._NAMES:
            self.ends[first] += np.iinfo(np.int64).max

    def add(self, owners: Array, index: int, rows: Array, columns: Array) -> None:
        """Add voxels of one slice."""
        for (first, beyond), places in zip(self._NAMES, (np.full(len(rows), index), rows, columns), strict=True):
            np.minimum.at(self.ends[first], owners, places)
            np.maximum.at(self.ends[beyond], owners, places + 1)

    def touches(self, shape: tuple[int, ...]) -> Array:
        """Whether each object is cut off by a face of the volume."""
        found = [
            (self.ends[first] == 0) | (self.ends[beyond] == side)
            for (first, beyond), side in zip(self._NAMES, shape, strict=True)
        ]
        together: Array = np.any(found, axis=0)
        return together
