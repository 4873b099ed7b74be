"""Whether an image shows dark objects on bright ground, as stained tissue does, or bright ones on dark."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array

_SURE = 0.2
"""Least distance of the mean brightness of a grey image from one half for a certain answer."""
_COLOURED = 0.03
"""Mean difference between the channels, as a share of white, above which an image has colours."""
_BLACK = 0.06
"""Pixels below this brightness are a frame or unlit, and show no colours."""
_PALE = 0.35
"""Darkest channel of the brightest pixels, above which they are near white, as where little tissue is in the way."""
_PURE = 0.1
"""The same, below which a channel is dark everywhere, as in fluorescence shown in one or two colours."""
_ALIKE = 0.02
"""Difference in saturation that is none."""
_LIT = 0.2
"""Brightest channel of the darkest pixels, above which light shines through them."""


class PolarityEstimate(NamedTuple):
    """What stands out in an image."""

    dark_objects: bool
    sure: bool
    lead: float = 0.0
    """Strength of the evidence; 0 where the answer is certain."""


def find_polarity(image: Array, mean: float) -> PolarityEstimate:
    """Find out by colour, else by brightness, whether objects are dark or bright.

    Tissue absorbs light: whatever the stain, the darker, the more coloured. Fluorescence gives light: the brighter, the
    more coloured. Both hold at any exposure, and where nothing of the ground is to be seen. For a grey
    image the mean brightness decides; near one half, where objects cover much of it, the smoothest part does, which is
    more often the background.

    Args:
        image: (H, W, 1 or 3) as read, or every n-th pixel of it.
        mean: The mean brightness, after scaling the image to 0 to 1.

    Returns:
        Whether objects are dark, and whether that is certain.
    """
    low, high = np.percentile(image, (0.5, 99.5))
    if image.shape[2] == 3 and high > 0:
        pale, fall, darkest = _measure_colours(np.clip(image.astype(np.float32) / high, 0, 1))
        if pale > _PALE and fall > _ALIKE and darkest > _LIT:
            return PolarityEstimate(True, True)
        if pale < _PURE and fall < _ALIKE:
            return PolarityEstimate(False, True)
        if pale > _PURE and fall > _ALIKE:
            return _undecided(image, low, high, mean)
    return PolarityEstimate(mean > 0.5, True) if abs(mean - 0.5) > _SURE else _undecided(image, low, high, mean)


def _measure_colours(image: Array) -> tuple[float, float, float]:
    """Measure the colours of an image whose white is 1.

    Returns:
        The darkest channel of the brightest pixels; by how much the saturation of the darkest quarter exceeds that of
        the brightest quarter; the brightest channel of the darkest quarter. Values that decide nothing for an image
        without colours.
    """
    image = _smooth(image)  # noise gives dark greys colours
    most, least = image.max(axis=2), image.min(axis=2)
    lit = most > _BLACK
    if (most - least).mean() < _COLOURED or not lit.any():
        return _PALE, 0.0, 0.0
    most, least, grey = most[lit], least[lit], image[lit].mean(axis=1)
    dark, bright, brightest = np.quantile(grey, (0.25, 0.75, 0.95))
    saturation = 1 - least / most
    fall = saturation[grey <= dark].mean() - saturation[grey >= bright].mean()
    return float(least[grey >= brightest].mean()), float(fall), float(most[grey <= dark].mean())


def _undecided(image: Array, low: float, high: float, mean: float) -> PolarityEstimate:
    grey = np.clip((image.astype(np.float32).mean(axis=2) - low) / max(high - low, 1e-6), 0, 1)
    lean = _ground(grey) - grey.mean() + 0.3 * (mean - 0.5)
    return PolarityEstimate(bool(lean > 0), False, abs(float(lean)))


def _ground(grey: Array) -> float:
    """Mean brightness of the smoothest quarter of (h, w)."""
    grey = _smooth(grey)
    if min(grey.shape) < 3:
        return float(grey.mean())
    slope = np.hypot(*np.gradient(grey))
    return float(grey[slope <= np.quantile(slope, 0.25)].mean())


def _smooth(image: Array) -> Array:
    """(h, w) or (h, w, c), by 1 2 1 twice: a Gaussian of about one pixel."""
    for axis in (0, 1, 0, 1):
        padded = np.pad(image, [(1, 1) if axis == here else (0, 0) for here in range(image.ndim)], mode="edge")
        before, after = (padded.take(range(start, start + image.shape[axis]), axis=axis) for start in (0, 2))
        image = (before + 2 * image + after) / 4
    return image
