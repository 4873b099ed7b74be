"""How deep a waist must be where objects that touch are parted, chosen on validation images whose masks show it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from amsunet.data.components import number_objects
from amsunet.data.crops import PreparedImages
from amsunet.data.images import Array
from amsunet.data.instances import Instances
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.object_matching import average_precision, match_objects
from amsunet.data.watershed import find_basins
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.model_metadata import ModelDescription
from amsunet.progress import Stopwatch
from amsunet.training.validation import ValidationLogits, clearly_best

SEPARATIONS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Pixels at working size; 0 for connected components."""


@dataclass(frozen=True)
class SeparationChoice:
    """The separation that is best on validation images."""

    precision_at: dict[float, float]
    """Mean average precision of objects at IoU 0.5, over images, by separation in pixels of an image."""
    separation: float
    """Pixels of an image at its own size; 0 for connected components."""

    def __str__(self) -> str:
        at = self.precision_at
        if not self.separation:
            return f"objects are connected components (AP at IoU 0.5 {at[0.0]:.4f}): parting them gains nothing sure"
        return (
            f"objects are parted at waists {self.separation:g} px deep: AP at IoU 0.5 {at[self.separation]:.4f}, "
            f"{at[0.0]:.4f} of connected components"
        )


def choose_separation(
    logits: ValidationLogits, images: PreparedImages, description: ModelDescription
) -> SeparationChoice:
    """Find the separation of the best average precision at IoU 0.5; connected components where none gains clearly.

    Objects are those of images at their own size, as prediction finds them.

    Args:
        logits: Of the validation images.
        images: The same images.
        description: Of the network, with temperature, threshold and smallest object.
    """
    precision = []
    for index in range(len(logits)):
        true = images.instances(index)
        height, width = true.numbers.shape
        probabilities = to_probabilities(logits[index][0] / np.float32(description.temperature), height, width)
        mask = to_labels(probabilities, description.threshold, description.smallest_in(height, width))
        factors = description.preprocessing.factors(height, width)
        precision.append(score_separations(mask * true.counted, true, 1 / math.sqrt(math.prod(factors))))
    column = clearly_best(np.array(precision))
    scale = description.preprocessing.scale
    means = np.mean(precision, axis=0).tolist()
    return SeparationChoice(
        {one / scale: mean for one, mean in zip(SEPARATIONS, means, strict=True)}, SEPARATIONS[column] / scale
    )


def score_separations(mask: Array, true: Instances, unit: float = 1.0) -> list[float]:
    """Average precision at IoU 0.5 of the objects of a mask at each of ``SEPARATIONS``: the mean over its classes.

    Args:
        mask: (H, W) of class numbers.
        true: The objects of the reference.
        unit: Pixels of the image per working pixel.
    """
    scores = []
    for label in sorted({*np.unique(mask).tolist(), *true.classes.tolist()} - {0}):
        of_class = np.where(np.append(False, true.classes == label)[true.numbers], true.numbers, 0)
        here = mask == label
        basins = find_basins(here)
        numbered = [basins.merge(one * unit)[0] if one else number_objects(here)[0] for one in SEPARATIONS]
        scores.append([float(average_precision(*match_objects(one, of_class))[0]) for one in numbered])
    return np.mean(scores, axis=0).tolist() if scores else [1.0] * len(SEPARATIONS)


def seconds_to_separate(labels: Array) -> float:
    """Seconds that ``choose_separation`` will take for an image, measured on its labels.

    Args:
        labels: (H, W).
    """
    foreground = (labels > 0) & (labels != IGNORE_INDEX)
    numbers, count = number_objects(foreground)
    true = Instances(numbers, np.ones(count, np.uint8), labels != IGNORE_INDEX)
    with Stopwatch() as watch:
        score_separations(foreground.astype(np.uint8), true)
    return watch.seconds
