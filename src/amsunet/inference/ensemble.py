"""An ensemble: a folder with one network for each fold of the training images."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from amsunet.atomic_io import write_json
from amsunet.errors import InputError
from amsunet.inference.model_file import DamagedError, load_model
from amsunet.inference.model_metadata import FILE_NAME, ModelDescription, weights_of
from amsunet.wording import command
from amsunet.zoo import find_card, missing

_FILE = "folds.json"


class FoldScore(BaseModel):
    """What the network of a fold reached on the images of the fold, which it was not trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: int
    epochs: int
    dice_at: dict[float, float]
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


def is_ensemble(run: Path) -> bool:
    """Whether a folder holds a network for each fold."""
    return (run / _FILE).is_file()


def fold_folder(run: Path, fold: int) -> Path:
    """The run folder of one fold's network."""
    return run / f"fold{fold}"


def write_folds(run: Path, folds: Folds) -> None:
    """Write ``folds.json``, wholly or not at all."""
    write_json(run / _FILE, folds.model_dump(mode="json"))


def read_folds(run: Path) -> Folds:
    """Read what ``write_folds`` wrote.

    Raises: InputError if the file is damaged.
    """
    try:
        return Folds.model_validate(json.loads((run / _FILE).read_text(encoding="utf-8")))
    except (ValueError, OSError):  # what pydantic raises is a ValueError too
        raise InputError(f"{run / _FILE} is damaged: copy the run folder again or train again") from None


def model_path(run: Path) -> Path:
    """The model file that a run folder, a path, or a name of the zoo stands for.

    Raises: InputError for an ensemble, which has more than one, and for what is none of these.
    """
    if is_ensemble(run):
        raise InputError(f"{run} is an ensemble of networks: name one of them, as {fold_folder(run, 0)}")
    if not run.exists() and len(run.parts) == 1 and not run.suffix and find_card(str(run)) is None:
        raise DamagedError(missing(str(run)))
    return weights_of(run)


def load_members(
    run: Path, model_file: str | None = None
) -> tuple[list[tuple[nn.Module, ModelDescription]], Folds | None]:
    """Read the network of a run folder or a model file, or all networks of an ensemble.

    Args:
        model_file: as for ``load_model``.

    Returns: networks with their descriptions, and the folds they were trained on, None of a single one.
    Raises: InputError if one cannot be read: an ensemble is never made of fewer.
    """
    if not is_ensemble(run):
        return [load_model(model_path(run), model_file)], None
    folds = read_folds(run)
    members = [_load_fold(run, folds, fold, model_file) for fold in range(folds.count)]
    (_, first), *others = members
    for fold, (_, other) in enumerate(others, start=1):
        if (other.convention, other.preprocessing.scaling) != (first.convention, first.preprocessing.scaling):
            raise InputError(
                f"{fold_folder(run, fold)} was trained on other masks or at another scale than "
                f"{fold_folder(run, 0)}: copy the run folder again or train again"
            )
    return members, folds


def _load_fold(run: Path, folds: Folds, fold: int, model_file: str | None) -> tuple[nn.Module, ModelDescription]:
    folder = fold_folder(run, fold)
    if fold not in folds.scores:
        raise InputError(f"{folder} is not trained to its end: {command('resume', run)} goes on")
    try:
        return load_model(folder / FILE_NAME, model_file)
    except DamagedError:
        raise InputError(
            f"{folder} is missing or damaged, and the ensemble needs all {folds.count} folds: "
            f"{command('resume', run)} trains this one anew"
        ) from None
