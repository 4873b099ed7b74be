"""How well probabilities tell what share of pixels is right."""

from __future__ import annotations

import math

import numpy as np

from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX

CALIBRATION_BINS = 15


class Calibration:
    """Calibration of a network: accuracy by confidence, over all pixels that are not ignored.

    Sums are kept for each bin of confidence: torchmetrics returns the error alone, the plot needs the bins.
    """

    def __init__(self) -> None:
        self.pixels = np.zeros(CALIBRATION_BINS)
        self.confidence = np.zeros(CALIBRATION_BINS)
        self.correct = np.zeros(CALIBRATION_BINS)

    def add(self, probability: Array, labels: Array) -> None:
        """Add one image.

        Args:
            probability: (K, H, W), float.
            labels: (H, W) of class numbers and ``IGNORE_INDEX``.
        """
        counted = labels != IGNORE_INDEX
        confidence = probability.max(axis=0)[counted].astype(np.float64)
        correct = probability.argmax(axis=0)[counted] == labels[counted]
        bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        self.pixels += np.bincount(bins, minlength=CALIBRATION_BINS)
        self.confidence += np.bincount(bins, confidence, CALIBRATION_BINS)
        self.correct += np.bincount(bins, correct, CALIBRATION_BINS)

    def curve(self) -> tuple[Array, Array, Array]:
        """The reliability curve.

        Returns:
            Mean confidence, accuracy, and pixels of each bin that is not empty.
        """
        filled = self.pixels > 0
        pixels = self.pixels[filled]
        return self.confidence[filled] / pixels, self.correct[filled] / pixels, pixels

    def error(self) -> float:
        """Expected calibration error: mean distance of confidence and accuracy, weighted by pixels (Naeini 2015).

        Returns:
            The error; NaN without any pixel.
        """
        pixels = self.pixels.sum()
        return float(np.abs(self.confidence - self.correct).sum() / pixels) if pixels else math.nan
