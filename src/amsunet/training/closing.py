"""What comes after the last epoch, and what it will cost here: rehearsed on a few images before the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from amsunet.data.crops import evenly
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.instances import has_instances
from amsunet.data.out_of_distribution import IMAGES, take_figures
from amsunet.data.preprocessing import Preprocessing
from amsunet.progress import Stopwatch
from amsunet.training.command_time import Evaluating, Scene
from amsunet.training.plan_schema import Plan
from amsunet.training.postprocessing import seconds_to_choose
from amsunet.training.separation import seconds_to_separate

_REHEARSED = 3
"""Images."""
_LARGEST = 512
"""Pixels of a side: of a larger image its middle is taken, and the rest reckoned."""
_BLUR = 2.0
"""Pixels: about as sure as a network is of a border."""


@dataclass(frozen=True)
class ClosingCost:
    """Seconds that the closing steps take."""

    images: int
    """For validation."""
    pixels: float
    """Of an image at its own size, in the mean."""
    reading: float
    """Of an image."""
    choosing: float
    """Of an image at its own size: temperature, threshold, smallest object."""
    looking: float
    """Of all images whose statistics are learnt, at their own size."""
    evaluating: float
    """Of an image; nothing where nothing is evaluated."""
    report: float
    parting: float = 0.0
    """Of an image: the separation of its objects, of instance masks."""

    def of_image(self, scale: float, per_pixel: float) -> float:
        """Seconds of one validation image.

        Args:
            scale: of the working size.
            per_pixel: seconds that the network takes for a pixel at working size.
        """
        times = 2 if self.evaluating else 1  # predicted and read to choose by, and to be evaluated
        at_work = self.choosing + times * per_pixel * self.pixels
        return times * self.reading + self.evaluating + self.parting + scale**2 * at_work

    def seconds(self, scale: float, per_pixel: float, images: int) -> float:
        """Of all, where so many validation images are evaluated."""
        return images * self.of_image(scale, per_pixel) + scale**2 * self.looking + self.report


NOTHING = ClosingCost(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def rehearse(
    dataset: Dataset,
    training: Sequence[Sample],
    validation: Sequence[Sample],
    plan: Plan,
    thickness: float,
    evaluating: Evaluating | None,
) -> ClosingCost:
    """Do what the closing steps do on some validation images, with probabilities made of their labels."""
    blank = Preprocessing.blank(plan.in_channels, plan.normalization, plan.scale)
    scenes: list[Scene] = []
    pixels, reading, choosing, looking, parting = [], [], [], [], []
    apart = has_instances(validation, dataset.convention)
    for sample in evenly(validation, _REHEARSED):
        with Stopwatch() as of_reading:
            image, labels = dataset.read(sample)
            seen = blank.normalize(image)
        with Stopwatch() as of_looking:
            take_figures(seen)
        reading.append(of_reading.seconds)
        looking.append(of_looking.seconds)
        pixels.append(labels.size)
        window = tuple(slice(max(0, (side - _LARGEST) // 2), (side + _LARGEST) // 2) for side in labels.shape)
        image, labels = image[window], labels[window]
        scenes.append((image, labels, _imitated(labels, dataset.convention.num_classes)))
        parting.append(pixels[-1] / labels.size * seconds_to_separate(labels) if apart else 0.0)
        choosing.append(pixels[-1] / labels.size * seconds_to_choose(scenes[-1][2], labels, len(validation)))
    of_scene, report = (0.0, 0.0) if evaluating is None else evaluating(scenes, thickness)
    return ClosingCost(
        images=len(validation),
        pixels=float(np.mean(pixels)),
        reading=float(np.median(reading)),
        choosing=float(np.median(choosing)),
        looking=float(np.median(looking)) * sum(min(IMAGES, len(samples)) for samples in (training, validation)),
        evaluating=of_scene * float(np.mean(pixels)) / float(np.mean([labels.size for _, labels, _ in scenes])),
        report=report,
        parting=float(np.median(parting)),
    )


def _imitated(labels: Array, num_classes: int) -> Array:
    """Probabilities (K, H, W) that are right but for borders and some noise, which makes objects that are none."""
    noise = np.random.default_rng(0).normal(0, 0.6, (num_classes, *labels.shape)).astype(np.float32)
    true = np.stack([labels == label for label in range(num_classes)]).astype(np.float32)
    smooth = ndimage.gaussian_filter(true + noise, (0, _BLUR, _BLUR))
    powers = np.exp(8 * smooth)
    probabilities: Array = powers / powers.sum(axis=0)
    return probabilities
