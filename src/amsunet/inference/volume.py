"""Volumes to volumes: the slices of a NIfTI file predicted one by one, their masks written as one NIfTI file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from amsunet.data.channels import describe_channels
from amsunet.data.components import keep_largest
from amsunet.data.containers import file_of
from amsunet.data.image_file import read_errors
from amsunet.data.images import Array
from amsunet.data.readers.nifti_volume import Axis, Volume, open_volume, write_like
from amsunet.errors import InputError
from amsunet.inference.outputs import form_paths, mask_paths
from amsunet.inference.predictor import Predictor
from amsunet.inference.result_formats import write_volume_forms
from amsunet.inference.segmentation import NO_NUMBERS, Segmentation, describe_no_numbers
from amsunet.inference.uncertainty import ReviewItem, Uncertainty, review_reasons_of
from amsunet.inference.volume_segmentation import VolumeSegmentation
from amsunet.progress import report

_BATCH_PIXELS = 8 * 256 * 256
SUFFIX = ".nii.gz"
"""Of the masks."""


class VolumeError(InputError):
    """A volume that has no mask, whatever becomes of others."""


class VolumeTask:
    """A volume and the mask it is to get: ``out/NAME.nii.gz``, or one in the folder of each class, with its affine.

    The labels of all slices are held in memory, a byte a voxel, and for other forms two more of their probability and
    four of objects; the network sees a few slices at a time.

    Args:
        predictor: What segments the slices.
        path: The file.
        out: The folder for masks.
        name: Of the mask.
        largest_component: Whether of each class its largest object in the volume alone is kept.
        also: Other forms of the result.
    """

    def __init__(
        self,
        predictor: Predictor,
        path: Path,
        out: Path,
        name: str,
        *,
        largest_component: bool = False,
        also: Sequence[str] = (),
    ) -> None:
        self._predictor, self.path, self.name = predictor, path, name
        self._largest_component = largest_component
        self._convention = predictor.description.convention
        self._masks, self._forms = mask_paths(out, name, self._convention, SUFFIX), form_paths(out, name, also)

    @property
    def targets(self) -> list[Path]:
        """All files that are written."""
        return [*self._masks, *self._forms.values()]

    @property
    def network(self) -> str:
        """What the mask depends on beside the volume."""
        return self.network_of(self._predictor, self._largest_component)

    @staticmethod
    def network_of(predictor: Predictor, largest_component: bool) -> str:
        """As ``network``, of any volume."""
        return f"{predictor.checksum()} volume{' largest component' * largest_component}"

    def run(self) -> ReviewItem:
        """Segment the volume; progress counts slices.

        Returns:
            How sure the mask is, and why it is to be checked, if it is; its uncertainty is that before smaller
            components are left out.

        Raises:
            VolumeError: If it cannot be read, or the network gives no numbers.
        """
        with _as_failure(self.path):
            volume = open_volume(file_of(self.path))
            wanted = self._predictor.description.preprocessing
            axis = wanted.slice_axis or volume.axis
            of_channels = volume.entries > 1 and not volume.is_vector
            if of_channels and volume.entries != wanted.in_channels:
                channels = describe_channels(wanted.in_channels, wanted.channel_names)
                raise InputError(
                    f"{self.path} has 4 dimensions ({volume.voxels} x {volume.entries}), and the network takes "
                    f"{channels}: save each volume as a file of its own"
                )
        known = self._predictor.description
        before = "c" * of_channels
        labels = np.zeros((volume.slices(axis), *volume.size(axis)), np.uint8)
        certainty = np.zeros(labels.shape if self._forms else 0, np.float16)
        uncertainty = Uncertainty(self._convention.num_classes)
        differences: Counter[str] = Counter()
        polarity = ""
        for index, found in enumerate(self._segmentations(volume, axis, before)):
            labels[index] = found.mask
            if self._forms:
                certainty[index] = np.take_along_axis(found.probability, found.mask[None].astype(np.intp), 0)[0]
            uncertainty.add(found.probability, found.mask)
            differences[found.out_of_distribution] += 1
            polarity = polarity or found.polarity
            report(index + 1, len(labels), "slice")
        if self._largest_component:
            keep_largest(labels, self._convention.num_classes)
        different = _most_different(differences, len(labels))
        unsure = uncertainty.value()
        reasons = review_reasons_of(unsure, known.uncertainty_limit, different, polarity)
        if self._forms:  # first: where one is not possible there is nothing
            images = partial(self._images, axis, before, len(labels))
            pixel = self._predictor.spacing or volume.pixel(axis)
            result = VolumeSegmentation(
                self.name, volume, axis, pixel, labels, certainty, self._convention, unsure, reasons, images
            )
            write_volume_forms(self._forms, result)
        for path, encoded in zip(self._masks, self._encoded(labels), strict=True):
            write_like(volume, path, encoded, axis)
        return ReviewItem(str(self.path), unsure, "; ".join(reasons), different, polarity)

    def _images(self, axis: Axis, before: str, count: int) -> Iterator[Array]:
        for index in range(count):
            with _as_failure(self.path):
                yield self._predictor.read(self.path / f"{before}{axis}{index:03}")

    def _segmentations(self, volume: Volume, axis: Axis, before: str) -> Iterator[Segmentation]:
        """Of every slice, in their order; ``before`` is what its place begins with."""
        places = [f"{before}{axis}{index:03}" for index in range(volume.slices(axis))]
        working = self._predictor.description.preprocessing.working_size(*volume.size(axis))
        step = max(1, _BATCH_PIXELS // math.prod(working))
        for start in range(0, len(places), step):
            with _as_failure(self.path):
                prepared = [
                    self._predictor.prepare(self._predictor.read(self.path / place), place, volume.pixel(axis))
                    for place in places[start : start + step]
                ]
            for one in self._predictor.compute(prepared):
                try:
                    yield one.finish()
                except InputError as error:
                    if error.code == NO_NUMBERS:
                        raise VolumeError(describe_no_numbers(self.path), code=NO_NUMBERS) from None
                    raise

    def _encoded(self, labels: Array) -> Iterator[Array]:
        """What each file holds, of uint8: values as in the training masks, where NIfTI can hold these."""
        convention = self._convention
        if convention.kind == "folders":
            for label in range(1, convention.num_classes):
                yield (labels == label).astype(np.uint8)
        elif convention.kind in ("colours", "instances") or max(convention.values) > np.iinfo(np.uint8).max:
            yield labels
        else:
            values = np.asarray(convention.values, np.uint8)
            for one in labels:  # slice by slice: NumPy makes eight bytes of every index on the way
                one[:] = values[one]
            yield labels


@contextmanager
def _as_failure(path: Path) -> Iterator[None]:
    """Turn what is wrong with a volume into an error that others do not stop for."""
    try:
        with read_errors(path):
            yield
    except InputError as error:
        raise VolumeError(str(error), code=error.code) from error


def _most_different(counts: Counter[str], slices: int) -> str:
    """In what at least half of the slices differ from all training images, if they do; ends often show little."""
    different = slices - counts[""]
    if 2 * different < slices:
        return ""
    most, _ = Counter({one: count for one, count in counts.items() if one}).most_common(1)[0]
    return f"{most}; in {different} of {slices} slices"
