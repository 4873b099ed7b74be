"""How probabilities become a mask, and which masks are to be checked, chosen on validation images."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from amsunet.data.crops import to_tensor
from amsunet.data.images import Array
from amsunet.inference.dice import classes_in, dice_by_class
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.uncertainty import measure_uncertainty
from amsunet.training.validation import ValidationLogits

_THRESHOLDS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7)
_SMALLEST = (0, 8, 16, 32, 64, 128, 256, 512)
"""Pixels at working size."""
_CLEARLY = 2.0
"""Standard errors."""
_FEWEST = 10
"""Images that tell anything of small objects."""
_DOUBTFUL = 0.9


@dataclass(frozen=True)
class ThresholdChoice:
    """What was chosen."""

    dice_at: dict[float, float]
    """Mean Dice over images, and classes that are in some of them, by threshold."""
    threshold: float
    smallest_object: int
    """Pixels of an image at its own size."""
    gain: float
    """Dice that leaving smaller objects out is worth."""
    uncertainty_limit: float
    """The uncertainty that one in ten images exceeds."""

    def __str__(self) -> str:
        small = (
            f"objects and holes under {self.smallest_object} pixels left out: Dice {self.gain:+.4f}"
            if self.smallest_object
            else "small objects left in"
        )
        return (
            f"threshold {self.threshold:g}; {small}; to be checked: masks of an expected Dice under "
            f"{1 - self.uncertainty_limit:.3f}, as of one in ten validation images"
        )


def choose_threshold(validation: ValidationLogits, temperature: float, scale: float) -> ThresholdChoice:
    """Find the foreground threshold that is best on all validation images, and the size below which objects are
    better left out.

    With more than two classes there is no threshold, and all objects stay, as they do with too few images.

    Args:
        temperature: which the logits are divided by.
        scale: of the working size.
    """

    def predictions() -> Iterator[tuple[Array, Array]]:
        for index in range(len(validation)):
            logits, labels = validation[index]
            yield to_probabilities(logits / np.float32(temperature), *labels.shape), labels

    thresholds, sizes = _tried(validation.num_classes, len(validation))
    by_class, there = [], np.zeros(validation.num_classes - 1, bool)
    for pair in predictions():
        there |= classes_in(to_tensor(pair[1]), validation.num_classes).numpy()
        by_class.append([_dice(*pair, threshold) for threshold in thresholds])
    scores = np.array([[_mean(dice, there) for dice in of_image] for of_image in by_class])
    known = ~np.isnan(scores[:, 0])  # the others have no pixel that counts
    dice_at = dict(zip(thresholds, (scores[known].sum(axis=0) / max(known.sum(), 1)).tolist(), strict=True))
    threshold = max(dice_at, key=dice_at.__getitem__)
    # Once more, for the probabilities of all images may not fit into memory.
    dice, uncertainty = np.zeros((2, len(validation), len(sizes)))
    for index, (probabilities, labels) in enumerate(predictions()):
        for column, size in enumerate(sizes):
            dice[index, column] = _mean(_dice(probabilities, labels, threshold, size), there)
            uncertainty[index, column] = measure_uncertainty(probabilities, to_labels(probabilities, threshold, size))
    dice = dice[known] if known.any() else np.zeros((1, len(sizes)))
    column = _best_size(dice)
    return ThresholdChoice(
        dice_at,
        threshold,
        smallest_object=round(sizes[column] / scale**2),
        gain=float((dice[:, column] - dice[:, 0]).mean()),
        uncertainty_limit=float(np.quantile(uncertainty[:, column], _DOUBTFUL)),
    )


def seconds_to_choose(probabilities: Array, labels: Array, images: int) -> float:
    """What an image takes of ``choose_threshold`` where there are so many of them, measured on two of its masks."""
    thresholds, sizes = _tried(len(probabilities), images)
    start = time.perf_counter()
    _dice(probabilities, labels, 0.5)
    one = time.perf_counter()
    _dice(probabilities, labels, 0.5, sizes[-1])
    measure_uncertainty(probabilities, to_labels(probabilities, 0.5, sizes[-1]))
    return len(thresholds) * (one - start) + len(sizes) * (time.perf_counter() - one)


def _tried(num_classes: int, images: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The thresholds and the sizes of objects among which there is a choice."""
    two = num_classes == 2
    return _THRESHOLDS if two else (0.5,), _SMALLEST if two and images >= _FEWEST else (0,)


def _dice(probabilities: Array, labels: Array, threshold: float, smallest: int = 0) -> Array:
    """Of each class but the background, from probabilities (K, h, w) and labels (h, w)."""
    pair = torch.from_numpy(probabilities)[None], to_tensor(labels)[None]
    return dice_by_class(*pair, threshold, smallest).numpy()


def _mean(dice: Array, there: Array) -> float:
    """Over the classes that are in some image; NaN without any."""
    return float(torch.from_numpy(dice[there]).mean())


def _best_size(dice: Array) -> int:
    """The column of most Dice, (images, sizes), if it gains clearly on the first one, else the first one."""
    best = int(dice.mean(axis=0).argmax())
    gains = dice[:, best] - dice[:, 0]
    return best if gains.mean() > _CLEARLY * gains.std() / np.sqrt(len(gains)) else 0
