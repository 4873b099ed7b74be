"""Small pictures of images, by which copies and near-duplicates are found."""

from __future__ import annotations

import numpy as np
from PIL import Image

from amsunet.data.images import Array

THUMBNAIL = 16


DETAIL = 64


_LOUDEST = 2.0
"""Detail is clipped at this many medians, or the border of a round field of view would dominate it."""


def grey_of(image: Array) -> Array:
    """The mean of the channels of an image, (H, W) of float32."""
    grey: Array = image[..., 0].astype(np.float32)
    for channel in range(1, image.shape[2]):  # NumPy is slow along an axis of three
        grey += image[..., channel]
    grey /= image.shape[2]
    return grey


def thumbnail_of(grey: Array) -> Array:
    """A small picture of a grey image, (16, 16), with zero mean and unit norm."""
    small = _shrunk(grey, THUMBNAIL)
    centred: Array = small - small.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6))


def detail_of(grey: Array) -> Array:
    """What the thumbnail of a grey image leaves out, (64, 64) of int8."""
    small = Image.fromarray(_shrunk(grey, THUMBNAIL)).resize((DETAIL, DETAIL), Image.Resampling.BICUBIC)
    fine = _shrunk(grey, DETAIL) - np.asarray(small)
    loudest = max(_LOUDEST * float(np.median(np.abs(fine))), 1e-6)
    return np.asarray(np.round(127 * np.clip(fine / loudest, -1, 1)), np.int8)


def _shrunk(grey: Array, side: int) -> Array:
    return np.asarray(Image.fromarray(grey).resize((side, side), Image.Resampling.BOX))
