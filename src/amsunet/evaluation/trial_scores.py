"""What the trials of a study reached, read from the tables in their folders."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from amsunet.data.groups import without_patients
from amsunet.evaluation.statistics import mean_of_known
from amsunet.evaluation.study import Trial, trial_folder
from amsunet.text_files import read_rows
from amsunet.training.run_folder import read_metrics

_METRICS = ("dice", "iou", "hd95", "nsd", "cldice")
SCORES = (*_METRICS, "dice_with_object")
"""Scores of an image; the last is the mean over the classes that it holds."""


def score_of(folder: Path, trial: Trial) -> float:
    """Mean Dice of one trial over its images."""
    return mean_of_known(list(trial_scores(folder, trial).values()))


def trial_scores(folder: Path, trial: Trial) -> dict[str, float]:
    """Dice of one trial by image name."""
    return {name: values["dice"] for (name, _), values in image_scores(folder, [trial]).items()}


def image_scores(folder: Path, trials: list[Trial]) -> dict[tuple[str, str | None], dict[str, float]]:
    """Scores by image and group: mean over trials and those classes that occur in some image."""
    rows = [row for trial in trials for row in rows_of(folder, trial)]
    there = {row["class"] for row in rows if _occurs(row)}
    found: dict[tuple[str, str | None], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        of_image = found[row["image"], row["group"] or None]
        for metric in _METRICS:
            of_image[metric].append(float(row[metric]) if row["class"] in there else math.nan)
        of_image["dice_with_object"].append(float(row["dice"]) if _occurs(row) else math.nan)
    return {
        key: {m: mean_of_known(values) for m, values in of_image.items()} for key, of_image in sorted(found.items())
    }


def _occurs(row: Mapping[str, str]) -> bool:
    return int(row["true_positives"]) + int(row["false_negatives"]) > 0


def unit_of_length(folder: Path, trial: Trial) -> str:
    """What the distances of a trial are in; of all trials of a study alike, which is by their data."""
    row: Mapping[str, str] = next(rows_of(folder, trial), {})
    return row.get("unit_of_length", "pixels")


def rows_of(folder: Path, trial: Trial) -> Iterator[dict[str, str]]:
    """The scores of a trial, a row for each image."""
    rows = read_rows(trial_folder(folder, trial) / "evaluation" / trial.split / "images.csv")
    patients = without_patients((row["image"], row["group"]) for row in rows)  # earlier versions wrote who they are
    yield from (row | {"group": patients[row["image"]]} for row in rows)


def means_by_seed(folder: Path, trials: list[Trial]) -> list[float]:
    """Mean Dice of each seed over all its folds; a seed with a missing fold is left out."""
    seeds: dict[int, list[Trial]] = defaultdict(list)
    for trial in trials:
        seeds[trial.seed].append(trial)
    folds = max(len(of_seed) for of_seed in seeds.values())
    return [
        mean_of_known([v["dice"] for v in image_scores(folder, of_seed).values()])
        for of_seed in seeds.values()
        if len(of_seed) == folds
    ]


def training_cost(folder: Path, trial: Trial) -> tuple[float, float]:
    """Minutes and steps of a training."""
    last = read_metrics(trial_folder(folder, trial), "seconds", "step")[-1]
    return last["seconds"] / 60, last["step"]
