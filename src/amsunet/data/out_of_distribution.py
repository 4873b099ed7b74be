"""Detect out-of-distribution images: those whose statistics are far from those of all training images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from amsunet.data.images import Array

FIGURES = (
    "brightness",
    "contrast",
    *("darkest tones", "dark tones", "middle tones", "light tones", "lightest tones"),
    *("red against green", "yellow against blue", "variation of red against green", "variation of yellow against blue"),
    "saturation",
    *(f"detail of {2**octave} pixels" for octave in range(1, 6)),
)
IMAGES = 256
"""Most training images, and most validation images, that are measured."""
_TONES = (5, 25, 50, 75, 95)
_BLOCK = 32
_BLOCKS = 32
"""Most blocks per side of an image that are measured."""
_LEAST_SPREAD = 0.02
_FALSE_ALARMS = 0.01

_ALL = Field(min_length=len(FIGURES), max_length=len(FIGURES))


class ImageStatistics(BaseModel):
    """Statistics of training images, and the distance from which an image is out-of-distribution.

    The distance is the root mean square over ``FIGURES`` of the differences from the nearest training image, each in
    standard deviations over the training images. The nearest one counts because images may be of several kinds, such as
    fluorescence and stained tissue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    images: Annotated[tuple[Annotated[tuple[float, ...], _ALL], ...], Field(min_length=1, max_length=IMAGES)]
    """``FIGURES`` of each training image."""
    spread: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=len(FIGURES), max_length=len(FIGURES))
    ]
    """Standard deviation of each figure over them."""
    limit: Annotated[float, Field(ge=0)]
    """Distance from the nearest other training image that one in a hundred training and validation images exceeds."""

    def out_of_distribution(self, image: Array) -> str:
        """Compare an image with the training images.

        Args:
            image: (h, w, C) of uint8, normalized and resized.

        Returns:
            The two figures that differ most from those of the nearest training image, in words; empty if the image is
            in distribution.
        """
        images, spread, figures = np.asarray(self.images), np.asarray(self.spread), take_figures(image)
        distances = _distances(images, figures, spread)
        if distances.min() <= self.limit:
            return ""
        differences = np.abs(images[distances.argmin()] - figures) / spread
        return ", ".join(FIGURES[index] for index in np.argsort(-differences)[:2])


def learn_image_statistics(training: Iterable[Array], validation: Iterable[Array]) -> ImageStatistics | None:
    """Measure training images and find the limit of their distances.

    Args:
        training: Training images, each (h, w, C) of uint8, normalized and resized.
        validation: Validation images, likewise.

    Returns:
        The statistics; None for a single image, which does not show how much images differ.
    """
    images = np.array([take_figures(image) for image in training]).round(4)
    spread = np.maximum(images.std(axis=0), _LEAST_SPREAD).round(4)
    among_training = [np.delete(_distances(images, one, spread), index) for index, one in enumerate(images)]
    others = [_distances(images, take_figures(image), spread) for image in validation]
    nearest = [distances.min() for distances in among_training + others if len(distances)]
    if not nearest:
        return None
    return ImageStatistics(
        images=tuple(map(tuple, images.tolist())),
        spread=tuple(spread.tolist()),
        limit=float(np.quantile(nearest, 1 - _FALSE_ALARMS)),
    )


def take_figures(image: Array) -> Array:
    """Measure ``FIGURES`` of an image.

    Tones and colours are of values in 0 ... 1. Detail is the logarithm of the standard deviation of the differences
    between the means over squares of one size and of twice that size.

    Args:
        image: (h, w, C) of uint8.

    Returns:
        (17,) of float64.
    """
    pixels = _some_blocks(image).astype(np.float32) / 255
    grey = pixels.mean(axis=2)
    figures = [grey.mean(), grey.std(), *np.percentile(grey, _TONES)]
    if image.shape[2] == 3:
        red_green = pixels[..., 0] - pixels[..., 1]
        yellow_blue = (pixels[..., 0] + pixels[..., 1]) / 2 - pixels[..., 2]
        saturation = pixels.max(axis=2) - pixels.min(axis=2)
        figures += [red_green.mean(), yellow_blue.mean(), red_green.std(), yellow_blue.std(), saturation.mean()]
    else:
        figures += [0.0] * 5
    for _ in range(5):
        height, width = grey.shape
        coarse = grey.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        detail = grey.reshape(height // 2, 2, width // 2, 2) - coarse[:, None, :, None]
        figures.append(np.log(detail.std() + 0.002))
        grey = coarse
    return np.array(figures, np.float64)


def _some_blocks(image: Array) -> Array:
    """Blocks spread evenly over an image, put side by side; an image smaller than a block is mirrored.

    No square whose mean is taken lies across two blocks, so blocks need not be neighbours.
    """
    missing = [max(0, _BLOCK - side) for side in image.shape[:2]]
    if any(missing):
        image = np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="symmetric")
    for axis in (0, 1):
        blocks = image.shape[axis] // _BLOCK
        chosen = np.unique(np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).round().astype(int))
        image = image.take((chosen[:, None] * _BLOCK + np.arange(_BLOCK)).ravel(), axis=axis)
    return image


def _distances(images: Array, figures: Array, spread: Array) -> Array:
    return np.asarray(np.sqrt((((images - figures) / spread) ** 2).mean(axis=1)))
