"""What is learned for a network once its weights are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from amsunet.atomic_io import write_json
from amsunet.data.crops import PreparedImages, evenly
from amsunet.data.images import Array
from amsunet.data.out_of_distribution import IMAGES, ImageStatistics, learn_image_statistics
from amsunet.device import Device
from amsunet.inference.model_file import load_model, save_model
from amsunet.progress import report
from amsunet.training.calibration import fit_temperature
from amsunet.training.threshold import ThresholdChoice, choose_threshold
from amsunet.training.validation import ValidationLogits

logger = logging.getLogger(__name__)


def fit_postprocessing(
    path: Path,
    training: PreparedImages,
    validation: PreparedImages,
    device: Device,
    model_file: str | None,
) -> ThresholdChoice:
    """Give a model file its temperature, what turns probabilities into masks, and what its training images look like.

    The temperature comes first: the threshold is one of tempered probabilities.

    Args:
        model_file: as for ``load_model``.
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
    save_model(path, network, description.model_copy(update=learned))
    return choice


def _image_statistics_of(training: PreparedImages, validation: PreparedImages) -> ImageStatistics | None:
    """Learn what images look like, as the network sees them, from some that are spread over the samples."""
    return learn_image_statistics(*(_some(images) for images in (training, validation)))


def _some(images: PreparedImages) -> Iterator[Array]:
    chosen = evenly(range(len(images)), IMAGES)
    for done, index in enumerate(chosen, start=1):
        yield images[index][0]
        report(done, len(chosen), "image")
