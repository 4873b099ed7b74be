"""Post-processing fitted on validation images: temperature, threshold, smallest object, separation, uncertainty."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from amsunet.atomic_io import write_json
from amsunet.data.crops import PreparedImages, evenly, to_tensor
from amsunet.data.images import Array
from amsunet.data.out_of_distribution import IMAGES, ImageStatistics, learn_image_statistics
from amsunet.device import Device
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.uncertainty import measure_uncertainty
from amsunet.progress import Stopwatch, report
from amsunet.training.calibration import fit_temperature
from amsunet.training.separation import choose_separation
from amsunet.training.validation import ValidationLogits, classes_in, clearly_best, dice_by_class

logger = logging.getLogger(__name__)

_THRESHOLDS = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7)
_SMALLEST = (0, 8, 16, 32, 64, 128, 256, 512)
"""Pixels at working size."""
_FEWEST = 10
"""Images from which a smallest object is chosen."""
_LIMIT = 0.9
"""Quantile of the validation images' uncertainty."""


def fit_postprocessing(
    path: Path,
    training: PreparedImages,
    validation: PreparedImages,
    device: Device,
    model_file: str | None,
) -> ThresholdChoice:
    """Fit what a model file lacks after training: temperature, threshold, smallest object, uncertainty limit, the
    separation of objects where there are instance masks, and the statistics of its images, by which out-of-distribution
    ones are recognised.

    The temperature comes first: the threshold is one of calibrated probabilities.

    Args:
        path: the model file, which is written again; ``calibration.json`` is written beside it.
        training: images trained on.
        validation: images to fit on.
        device: where the network runs.
        model_file: as for ``load_model``.

    Returns:
        What was chosen for the masks.
    """
    network, description = load_model(path, model_file)
    logits = ValidationLogits(network, description, validation, device)
    calibration = fit_temperature(logits)
    logger.info(str(calibration))
    choice = choose_threshold(logits, calibration.temperature, description.preprocessing.scale)
    logger.info(str(choice))
    learned = {
        "temperature": calibration.temperature,
        "threshold": choice.threshold,
        "smallest_object": choice.smallest_object,
        "uncertainty_limit": choice.uncertainty_limit,
        "image_statistics": _image_statistics_of(training, validation),
    }
    write_json(path.with_name("calibration.json"), asdict(calibration))
    description = description.model_copy(update=learned)
    if validation.has_instances:
        parted = choose_separation(logits, validation, description)
        logger.info(str(parted))
        description = description.model_copy(update={"separation": parted.separation})
    save_model(path, network, description)
    return choice


def _image_statistics_of(training: PreparedImages, validation: PreparedImages) -> ImageStatistics | None:
    """Statistics of preprocessed images, from some that are spread over the samples."""
    return learn_image_statistics(*(_some(images) for images in (training, validation)))


def _some(images: PreparedImages) -> Iterator[Array]:
    chosen = evenly(range(len(images)), IMAGES)
    for done, index in enumerate(chosen, start=1):
        yield images[index][0]
        report(done, len(chosen), "image")


@dataclass(frozen=True)
class ThresholdChoice:
    """The threshold and the smallest object that are best on validation images."""

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
        validation: logits and labels.
        temperature: divides the logits.
        scale: of the working size.

    Returns:
        The choice, with the Dice of every threshold tried.
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
    column = clearly_best(dice)
    return ThresholdChoice(
        dice_at,
        threshold,
        smallest_object=round(sizes[column] / scale**2),
        gain=float((dice[:, column] - dice[:, 0]).mean()),
        uncertainty_limit=float(np.quantile(uncertainty[:, column], _LIMIT)),
    )


def seconds_to_choose(probabilities: Array, labels: Array, images: int) -> float:
    """Seconds that ``choose_threshold`` will take for an image, measured on two of its masks.

    Args:
        probabilities: (K, h, w).
        labels: (h, w).
        images: how many there will be.
    """
    thresholds, sizes = _tried(len(probabilities), images)
    with Stopwatch() as threshold:
        _dice(probabilities, labels, 0.5)
    with Stopwatch() as size:
        _dice(probabilities, labels, 0.5, sizes[-1])
        measure_uncertainty(probabilities, to_labels(probabilities, 0.5, sizes[-1]))
    return len(thresholds) * threshold.seconds + len(sizes) * size.seconds


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
