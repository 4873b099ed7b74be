"""The segmentation of a whole volume, its slices put together, and its objects in three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amsunet.data.components import number_stack
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.data.readers.nifti_volume import Axis, Volume
from amsunet.data.spacing import Spacing
from amsunet.inference.objects import Objects


@dataclass(frozen=True)
class VolumeSegmentation:
    """The segmentation of one volume, slice by slice."""

    name: str
    volume: Volume
    """The file that was segmented, for its grid."""
    axis: Axis
    """That slices are cut across."""
    pixel: Spacing | None
    """Millimetres a pixel of a slice (rows, columns), as the options of the prediction or the file say it."""
    labels: Array
    """(n, H, W) of uint8 with the class numbers, 0 for background."""
    certainty: Array
    """(n, H, W) of float16: the probability of the class of each voxel."""
    convention: MaskConvention
    uncertainty: float
    review_reasons: tuple[str, ...]
    """Why the mask is to be checked, if it is."""
    images: Callable[[], Iterator[Array]]
    """Reads the slices, (H, W, C), one after the other."""

    @cached_property
    def objects(self) -> Objects:
        """Connected components in three dimensions, (n, H, W); neighbours share a face."""
        return Objects(*number_stack(self.labels, self.convention.num_classes))

    @property
    def voxel(self) -> tuple[float, float, float] | None:
        """Millimetres from slice to slice, from row to row and from column to column, where they are known."""
        distance = self.volume.distance(self.axis)
        return None if self.pixel is None or distance is None else (distance, *self.pixel)

    def voxels(self) -> Array:
        """How many there are of each class, the background first."""
        counts = np.zeros(self.convention.num_classes, np.int64)
        for one in self.labels:  # NumPy makes eight bytes of every voxel on the way
            counts += np.bincount(one.ravel(), minlength=len(counts))
        return counts
