"""Whether images show a whole view, as photographs of a fundus do, or a part of something, as crops of tissue do.

This decides how an image of another size is scaled: as the same view in more pixels, or as more of the view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy import ndimage

from amsunet.choices import ImageScale
from amsunet.data.images import Array
from amsunet.data.preprocessing import ALIKE, Size
from amsunet.data.scan import Scan

_FEWEST = 5
"""Least number of images for a decision."""
_NEARLY_ALL = 0.9
_FILLS = 0.4
"""Least share of a side of the image that the largest object of a whole view spans."""
_CLEARLY = 2.0
"""Standard errors by which a growth must differ from 0."""


class MaskGeometry(NamedTuple):
    """Where the objects of one mask lie in its image."""

    side: float
    """Side of the image: the root of its area, in pixels."""
    thickness: float
    """Typical thickness of the objects, in pixels."""
    whole: bool
    """Whether the largest object spans at least 0.4 of a side, and the border of the image does not cut it."""
    cut: bool
    """Whether the border cuts some object."""


class Framing(BaseModel):
    """Statistics of a data set that show whether its images are whole views, and how they differ in size."""

    model_config = ConfigDict(frozen=True)

    smallest: Size
    """Height and width of the image of the smallest area."""
    typical: Size
    """Median height and width."""
    largest: Size
    images: int
    alike: float
    """Share of images within a tenth of the typical size."""
    alignment: float
    """Mean correlation between two images, each as 16 x 16 pixels: how far things keep their place from image to image.
    0.96 of DRIVE, 0.26 of ISIC 2017; 0.00 of crops of tissue and of cells."""
    whole: float
    """Share of images whose largest object fills 0.4 of a side and more, and is not cut by the border. Chance seldom
    cuts crops so."""
    cut: float
    """Share of images whose border cuts an object."""
    growth: float
    """The power by which structures grow with the images, at the least: near 1 where images show the same view, near 0
    where they are parts of different size. 0 where all have one size."""

    @property
    def framed(self) -> bool | None:
        """Whether images show a whole view; None where that is uncertain."""
        if self.images < _FEWEST:
            return None
        in_place = self.alignment >= 0.5 and self.cut < 0.5
        if in_place or self.whole >= 0.6 or (self.alignment >= 0.2 and self.whole >= 0.4):
            return True
        return False if self.alignment < 0.1 and self.whole < 0.3 else None

    def decide(self) -> tuple[ImageScale, str, bool]:
        """Decide how an image of another size is scaled.

        Returns:
            The scaling, the reason, and whether it is certain.
        """
        if self.framed is False:
            return "factor", "images are parts of something larger: others show more of it, or less", True
        if self.framed is None:
            return "factor", "whether images show a whole view is in doubt", False
        if self.alike >= _NEARLY_ALL:
            return "size", "images show a whole view, and are alike in size: others are brought to it", True
        if self.growth > 0.5:
            return "size", "images show a whole view, and what is in them grows with their size", True
        return "factor", "images show a whole view, but differ in size more than what is in them", False


def measure_geometry(foreground: Array, thickness: float) -> MaskGeometry:
    """Measure where the objects of a mask lie.

    Args:
        foreground: (H, W) of bool, not all False.
        thickness: Typical thickness of the objects, in pixels.

    Returns:
        The geometry.
    """
    components, _ = ndimage.label(foreground)
    largest = int(np.bincount(components.ravel())[1:].argmax())
    place = ndimage.find_objects(components)[largest]
    spans = [(part.start, part.stop, side) for part, side in zip(place, foreground.shape, strict=True)]
    border = (foreground[0], foreground[-1], foreground[:, 0], foreground[:, -1])
    return MaskGeometry(
        side=math.sqrt(foreground.size),
        thickness=thickness,
        whole=max((stop - start) / side for start, stop, side in spans) >= _FILLS
        and all(start > 0 and stop < side for start, stop, side in spans),
        cut=any(edge.any() for edge in border),
    )


def measure_framing(scans: Sequence[Scan], masks: Sequence[MaskGeometry]) -> Framing:
    """Compute the statistics of a data set from its images and the geometry of some of its masks.

    Args:
        scans: The scans of all samples.
        masks: The geometry of the masks that were measured.

    Returns:
        The statistics, which decide how images of another size are scaled.
    """
    sizes = sorted(((scan.height, scan.width) for scan in scans), key=math.prod)
    typical = int(np.median([height for height, _ in sizes])), int(np.median([width for _, width in sizes]))
    ratios = np.array([math.log(math.prod(size) / math.prod(typical)) / 2 for size in sizes])
    return Framing(
        smallest=sizes[0],
        typical=typical,
        largest=sizes[-1],
        images=len(scans),
        alike=float((np.abs(ratios) <= math.log(ALIKE)).mean()),
        alignment=_alignment(np.stack([scan.thumbnail.ravel() for scan in scans])),
        whole=float(np.mean([one.whole for one in masks])) if masks else 0.0,
        cut=float(np.mean([one.cut for one in masks])) if masks else 0.0,
        growth=_growth(masks),
    )


def _alignment(thumbnails: Array) -> float:
    """Mean product of all pairs of rows, each of unit length."""
    count = len(thumbnails)
    mean = thumbnails.mean(axis=0, dtype=np.float64)
    return float((count * mean @ mean - 1) / (count - 1)) if count > 1 else 0.0


def _growth(masks: Sequence[MaskGeometry]) -> float:
    """Slope of the logarithm of thickness over that of the image's side, less two standard errors."""
    x, y = (np.log([getattr(one, name) for one in masks]) for name in ("side", "thickness"))
    if len(masks) < _FEWEST or np.ptp(x) <= 2 * math.log(ALIKE):
        return 0.0
    slope, start = np.polyfit(x, y, 1)
    error = np.std(y - slope * x - start) / (np.std(x) * math.sqrt(len(x) - 2))
    return float(max(0.0, slope - _CLEARLY * error))
