"""An ensemble: a folder with one network for each fold of the training images."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amsunet.checked_json import read_checked, write_checked
from amsunet.errors import InputError
from amsunet.inference.model_ref import FOLDS_NAME


class FoldScore(BaseModel):
    """What the network of a fold reached on the images of the fold, which it was not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    epochs: int
    dice_at: dict[float, float] = Field(min_length=1)
    """Mean Dice over the images, at working size, by threshold."""

    @property
    def dice(self) -> float:
        """At the threshold that is best for this network alone."""
        return max(self.dice_at.values())


class Folds(BaseModel):
    """``folds.json``: which images each network has not seen, and what it reached on them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=2)
    fold_of: dict[str, int]
    """The fold of every training image, by name: the one network that was not trained on it."""
    scores: dict[int, FoldScore] = {}
    """Of the folds whose training came to its end."""

    def dice_at(self) -> dict[float, float]:
        """Dice by threshold of the networks that have not seen the image, mean over all images of finished folds."""
        scores = list(self.scores.values())
        images = sum(score.images for score in scores)
        thresholds = scores[0].dice_at if scores else ()
        return {at: sum(score.images * score.dice_at[at] for score in scores) / images for at in thresholds}

    @property
    def threshold(self) -> float:
        """The foreground threshold that is best on what the networks gave for images they had not seen."""
        dice_at = self.dice_at()
        return max(dice_at, key=dice_at.__getitem__)


def fold_folder(run: Path, fold: int) -> Path:
    """The run folder of one fold's network."""
    return run / f"fold{fold}"


def write_folds(run: Path, folds: Folds) -> None:
    """Write ``folds.json``, wholly or not at all."""
    write_checked(run / FOLDS_NAME, folds.model_dump(mode="json"))


def read_folds(run: Path) -> Folds:
    """Read what ``write_folds`` wrote.

    Raises:
        InputError: If the file is damaged.
    """
    remedy = "copy the run folder again or train again"
    content = read_checked(run / FOLDS_NAME, damaged=remedy, missing=remedy)
    try:
        return Folds.model_validate(content)
    except ValidationError:
        raise InputError(f"{run / FOLDS_NAME} is damaged: {remedy}") from None
