"""Trained networks that come with the package: ``NAME.safetensors``, the same as ``NAME.onnx``, and the card.

``NAME_lite`` is the light network for the task of ``NAME``.
"""

from __future__ import annotations

import difflib
import logging
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from amsunet.choices import ExportPrecision
from amsunet.errors import InputError
from amsunet.wording import Blank, shell_command

FOLDER = Path(__file__).parent
PREFIX = "zoo:"
"""Before the name of a network that comes with the package."""
ZOO_PRECISION: ExportPrecision = "float16"
"""Of the weights in the ONNX files."""
logger = logging.getLogger(__name__)


class Score(BaseModel):
    """Mean Dice over images with its 95 % interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    dice: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"Dice {self.dice:.4f} ({self.low:.4f} to {self.high:.4f}), mean over {self.images} images"


class Card(BaseModel):
    """What must be known before a network is used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    finds: str
    """What is segmented, in what kind of image."""
    way: str
    """From image to mask: preprocessing, classes, threshold."""
    data: str
    """What it was trained on."""
    terms: str
    """Of the training data."""
    on_page: bool
    """Whether the page offers it where no network is named: the light ones."""
    research_only: bool
    """Whether these terms keep the weights to research; otherwise they are as free as the code."""
    training: str
    """Command, commit, machine."""
    validation: Score
    """Of the images that chose weights and threshold."""
    test: Score
    test_with_flips: Score
    fails: tuple[str, ...]
    """Where it is known to be wrong."""
    seen: tuple[str, ...]
    """Checksums of the images that it was trained on or chosen by."""
    thumbnails: tuple[str, ...] = ()
    """Of the same images, of a network that trainings start from unasked: to know copies of them."""

    @property
    def weights(self) -> Path:
        """The model file."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def onnx(self) -> Path:
        """The same network for ONNX Runtime and the page, which need no torch."""
        return FOLDER / f"{self.name}.onnx"

    @property
    def licence(self) -> str:
        """Of the weights, which is not always that of the code."""
        return "research only" if self.research_only else "Apache-2.0, as the code"

    def __str__(self) -> str:
        named = f"{PREFIX}{self.name}"
        return "\n".join(
            (
                f"# {self.name}",
                "",
                f"Finds {self.finds}: `{shell_command('predict', named, Blank('IMAGES'), out='masks')}`.",
                "",
                "**Use.** For research, and as pretrained weights for a training of your own "
                f"(`{shell_command('train', Blank('DATA'), pretrained=named)}`). Not a medical device, "
                "not for diagnosis.",
                "",
                f"**From image to mask.** {self.way}",
                "",
                f"**Data.** {self.data}",
                "",
                f"**Licence of the weights.** {self.licence[0].upper()}{self.licence[1:]}. Data: {self.terms}",
                "",
                f"**Training.** {self.training}",
                "",
                f"**Score.** Test: {self.test}; with flips: {self.test_with_flips}. "
                f"Validation, which chose weights and threshold: {self.validation}.",
                "",
                "**Known failures.**",
                "",
                *(f"- {failure}" for failure in self.fails),
            )
        )


def zoo_names() -> list[str]:
    """Names of the networks that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def list_zoo() -> list[Card]:
    """The cards of all networks that come with the package, by name.

    Raises:
        InputError: For a damaged one.
    """
    return [read_card(name) for name in zoo_names()]


def read_card(name: str) -> Card:
    """The card of a network that comes with the package.

    Raises:
        InputError: For a name that none has, with the nearest one, and for a damaged card.
    """
    names = zoo_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"
        raise InputError(f"the zoo has no network {name}: {hint}")
    path = FOLDER / f"{name}.json"
    try:
        return Card.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(f"{path} is damaged: install amsunet again, which it comes with") from None


@cache
def warn_of_terms(card: Card) -> None:
    """Log, once in a process, that weights are for research only, where they are."""
    if card.research_only:
        logger.warning(f"the weights of {card.name} are for research only, which the code is not. {card.terms}")
