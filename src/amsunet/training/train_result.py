"""What came of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amsunet.data.dataset import Dataset
from amsunet.device import Device
from amsunet.inference.ensemble import Folds


@dataclass(frozen=True)
class TrainResult:
    """What came of a training."""

    run: Path
    """The run folder."""
    epochs: int
    """Of all folds together, where there are folds."""
    best_epoch: int | None
    """None where there are folds, each of which has its own."""
    dice_at: dict[float, float]
    """Mean over validation images and classes at working size, of the kept weights, by threshold (with folds, of the
    network that has not seen the image)."""
    interrupted: bool
    """By Ctrl-C or SIGTERM; ``resume`` goes on with it."""
    device: Device
    folds: Folds | None = None
    dataset: Dataset | None = None
    """What it was trained on, as it was read."""
    validation_images: int | None = None
    """So many of them, of each fold, are evaluated within the minutes; all where None."""
    terminated: bool = False
    """By SIGTERM."""

    @property
    def validation_dice(self) -> float:
        """At the best threshold, which is the one that is kept."""
        return max(self.dice_at.values(), default=float("nan"))
