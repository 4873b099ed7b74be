"""Trained networks that come with the package: ``NAME.safetensors`` and its card ``NAME.json``."""

from __future__ import annotations

import difflib
import logging
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from amsunet.errors import InputError
from amsunet.wording import Blank, shell_command

FOLDER = Path(__file__).parent
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

    @property
    def weights(self) -> Path:
        """The model file."""
        return FOLDER / f"{self.name}.safetensors"

    @property
    def licence(self) -> str:
        """Of the weights, which is not always that of the code."""
        return "research only" if self.research_only else "Apache-2.0, as the code"

    def __str__(self) -> str:
        return "\n".join(
            (
                f"# {self.name}",
                "",
                f"Finds {self.finds}: `{shell_command('predict', self.name, Blank('IMAGES'), out='masks')}`.",
                "",
                "**Use.** For research, and as a start for a training of your own "
                f"(`{shell_command('train', Blank('DATA'), pretrained=self.name)}`). Not a medical device, not for "
                "diagnosis.",
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


def list_zoo() -> list[Card]:
    """The cards of all networks that come with the package, by name.

    Raises: InputError for a damaged one.
    """
    return [_read(path) for path in _cards()]


def _cards() -> list[Path]:
    return sorted(FOLDER.glob("*.json"))


def _read(path: Path) -> Card:
    try:
        return Card.model_validate_json(path.read_bytes())
    except ValidationError:
        raise InputError(f"{path} is damaged: install amsunet again, which it comes with") from None


def find_card(name: str) -> Card | None:
    """The card of a network that comes with the package, unless a file or folder here has its name."""
    if Path(name).exists():
        return None
    return next((_read(path) for path in _cards() if path.stem == name), None)


@cache
def tell_terms(card: Card) -> None:
    """Log, once in a process, that weights are for research only, where they are."""
    if card.research_only:
        logger.warning(f"the weights of {card.name} are for research only, unlike the code. {card.terms}")


def is_hidden(name: str) -> bool:
    """Whether a file or folder here has the name of a network that comes with the package, and is used instead."""
    return Path(name).exists() and name in [path.stem for path in _cards()]


def refuse_unknown(name: str) -> None:
    """Answer a name that is neither a path nor a network's, before anything heavy is loaded.

    Raises: InputError.
    """
    path = Path(name)
    if not path.exists() and (len(path.parts) > 1 or path.suffix or find_card(name) is None):
        raise InputError(missing(name))


def missing(name: str) -> str:
    """What to say where neither a path nor a network has a name."""
    return f"{name} is missing: no run folder and no network that comes with amsunet has this name; {unknown(name)}"


def unknown(name: str) -> str:
    """What to say to a name that is none, with the nearest one that is."""
    names = [path.stem for path in _cards()]
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"with amsunet come: {', '.join(names) or 'none'}"
