"""What is learned for a network once its weights are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from amsunet.data.appearance import IMAGES, Appearance, learn_appearance
from amsunet.data.crops import PreparedImages, evenly
from amsunet.data.images import Array
from amsunet.files import write_json
from amsunet.inference.model_file import load_model, save_model
from amsunet.machine import Machine
from amsunet.progress import report
from amsunet.training.calibration import fit_temperature
from amsunet.training.threshold import Choice, choose_threshold
from amsunet.training.validation import ValidationLogits

logger = logging.getLogger(__name__)


def finish(
    path: Path,
    training: PreparedImages,
    validation: PreparedImages,
    machine: Machine,
    own: str | None,
) -> Choice:
    """Give a model file its temperature, what turns probabilities into masks, and what its training images look like.

    The temperature comes first: the threshold is one of tempered probabilities.

    Args:
        own: as for ``load_model``.
    """
    network, description = load_model(path, own)
    logits = ValidationLogits(network, description, validation, machine)
    calibration = fit_temperature(logits)
    logger.info(str(calibration))
    choice = choose_threshold(logits, calibration.temperature, description.preprocessing.scale)
    logger.info(str(choice))
    learned = {
        "temperature": calibration.temperature,
        "threshold": choice.threshold,
        "smallest_object": choice.smallest_object,
        "doubtful": choice.doubtful,
        "appearance": look_at(training, validation),
    }
    write_json(path.with_name("calibration.json"), asdict(calibration))
    save_model(path, network, description.model_copy(update=learned))
    return choice


def look_at(training: PreparedImages, validation: PreparedImages) -> Appearance | None:
    """Learn what images look like, as the network sees them, from some that are spread over the samples."""
    return learn_appearance(*(_some(images) for images in (training, validation)))


def _some(images: PreparedImages) -> Iterator[Array]:
    chosen = evenly(range(len(images)), IMAGES)
    for done, index in enumerate(chosen, start=1):
        yield images[index][0]
        report(done, len(chosen), "image")
