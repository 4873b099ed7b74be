"""What is learned for a network once its weights are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from amsunet.data.appearance import IMAGES, Appearance, learn_appearance
from amsunet.data.images import Array, read_image
from amsunet.data.layout import Sample
from amsunet.data.preprocessing import Preprocessing
from amsunet.inference.model_file import load_model, save_model
from amsunet.machine import Machine
from amsunet.training.calibration import fit_temperature
from amsunet.training.threshold import Choice, choose_threshold


def finish(
    path: Path,
    training: list[Sample],
    validation: list[Sample],
    machine: Machine,
    own: str | None,
    say: Callable[[str], None],
) -> Choice:
    """Give a model file its temperature, what turns probabilities into masks, and what its training images look like.

    The temperature comes first: the threshold is one of tempered probabilities.

    Args:
        own: as for ``load_model``.
    """
    say(str(fit_temperature(path, validation, machine, own)))
    choice = choose_threshold(path, validation, machine, own)
    say(str(choice))
    network, description = load_model(path, own)
    appearance = look_at(training, validation, description.preprocessing)
    save_model(path, network, description.model_copy(update={"appearance": appearance}))
    return choice


def look_at(training: list[Sample], validation: list[Sample], preprocessing: Preprocessing) -> Appearance | None:
    """Learn what images look like, as the network sees them, from some that are spread over the samples."""
    return learn_appearance(*(_some(samples, preprocessing) for samples in (training, validation)))


def _some(samples: list[Sample], preprocessing: Preprocessing) -> Iterator[Array]:
    for sample in samples[:: -(-len(samples) // IMAGES) or 1]:
        yield preprocessing.resize(preprocessing.window(read_image(sample.image)))
