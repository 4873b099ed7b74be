"""The labels of a sample: its mask files read, decoded and laid over each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention
from amsunet.data.masks.mask_cache import MaskCache


def read_labels(sample: Sample, convention: MaskConvention, masks: MaskCache | None = None) -> Array:
    """Read a sample's mask files as labels.

    Args:
        sample: The sample.
        convention: How its masks are read.
        masks: Files that were read before are kept here.

    Returns:
        (H, W) of uint8, ``IGNORE_INDEX`` where ignored and outside the field of view; not to be written to.

    Raises:
        InputError: If a file cannot be read.
    """
    masks = masks or MaskCache()
    if convention.kind == "folders":
        # A class whose file is absent has nothing in this image.
        decoded = {
            label: _decode(sample, name, convention, masks)
            for label, name in enumerate(convention.folder_names, start=1)
            if name in sample.masks
        }
        labels = np.zeros_like(next(iter(decoded.values())))
        for label in convention.order or _smallest_last(decoded):
            if label in decoded:
                labels[decoded[label] == 1] = label
        for here in decoded.values():
            labels[here == IGNORE_INDEX] = IGNORE_INDEX
    else:
        (name,) = sample.masks
        labels = _decode(sample, name, convention, masks)
    if sample.roi is not None:
        labels = np.where(masks.region(sample.roi), labels, np.uint8(IGNORE_INDEX))
    return labels


def _decode(sample: Sample, name: str, convention: MaskConvention, masks: MaskCache) -> Array:
    file = masks.open(sample, name, apart=convention.kind == "instances")
    return convention.decode(file.read_as(convention.reading), sample.masks[name])


def _smallest_last(decoded: Mapping[int, Array]) -> list[int]:
    """The classes by decreasing area in one image, as runs of earlier versions draw them."""
    return sorted(decoded, key=lambda label: -int((decoded[label] == 1).sum()))
