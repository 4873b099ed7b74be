"""An ensemble: a folder with one network for each fold of the training images."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from amsunet.atomic_io import write_json
from amsunet.errors import InputError
from amsunet.inference.model_ref import FOLDS_NAME
from amsunet.text_files import read_json

_CHECKSUM = "sha256"


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
    content = folds.model_dump(mode="json")
    write_json(run / FOLDS_NAME, content | {_CHECKSUM: _checksum(content)})


def read_folds(run: Path) -> Folds:
    """Read what ``write_folds`` wrote.

    Raises:
        InputError: If the file is damaged.
    """
    remedy = "copy the run folder again or train again"
    content = read_json(run / FOLDS_NAME, damaged=remedy, missing=remedy)
    try:
        checksum = content.pop(_CHECKSUM, None)  # files of earlier versions have none
        if checksum is not None and checksum != _checksum(content):
            raise ValueError
        return Folds.model_validate(content)
    except (ValueError, AttributeError, TypeError):  # what pydantic raises is a ValueError too
        raise InputError(f"{run / FOLDS_NAME} is damaged: {remedy}") from None


def _checksum(content: dict[str, Any]) -> str:
    """The threshold of the masks follows from the file: a changed digit must not pass."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()
