"""Scores of whole volumes, from those of their slices: what the literature on volumes prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from amsunet.data.containers import voxel_volume
from amsunet.data.groups import without_patients
from amsunet.evaluation.metrics import ImageScores
from amsunet.evaluation.statistics import Interval, mean_of_known, mean_with_interval

NOTE = (
    "each slice is segmented by itself (2D), and the scores of a volume are those of its slices put together: a "
    "network that sees its neighbours (3D) may find what this one cannot"
)


@dataclass(frozen=True)
class VolumeClassScores:
    """Scores of one class in one volume."""

    dice: float
    """By the rule for empty masks, over all voxels; NaN without a voxel that counts."""
    true_ml: float
    """Of the reference; NaN where the file does not say how large a voxel is."""
    predicted_ml: float
    true_positives: int
    false_positives: int
    false_negatives: int


@dataclass(frozen=True)
class VolumeScores:
    """Scores of one volume, for each class but the background."""

    name: str
    group: str | None
    slices: int
    classes: tuple[VolumeClassScores, ...]


def score_volumes(images: Sequence[ImageScores], slices_of: Mapping[str, int]) -> tuple[VolumeScores, ...]:
    """Put the scores of slices together.

    Args:
        images: The scores of the images that were evaluated.
        slices_of: How many slices each volume has: one of which only a part was evaluated has no score.

    Returns:
        The volumes in the order of their first slices; none of images that are no slices.
    """
    slices: dict[str, list[ImageScores]] = {}
    for image in images:
        if image.sample.volume is not None:
            slices.setdefault(image.sample.volume, []).append(image)
    return tuple(_score(name, of_volume) for name, of_volume in slices.items() if len(of_volume) == slices_of[name])


def _score(name: str, slices: Sequence[ImageScores]) -> VolumeScores:
    sample = slices[0].sample
    voxel = voxel_volume([image.sample.image for image in slices])
    ml = math.nan if voxel is None else voxel / 1000
    classes = []
    for of_class in zip(*(image.classes for image in slices), strict=True):
        hits, extra, missed, rest = (
            sum(getattr(one, kind) for one in of_class)
            for kind in ("true_positives", "false_positives", "false_negatives", "true_negatives")
        )
        either = 2 * hits + extra + missed
        dice = 2 * hits / either if either else 1.0 if rest else math.nan
        classes.append(VolumeClassScores(dice, (hits + missed) * ml, (hits + extra) * ml, hits, extra, missed))
    return VolumeScores(name, sample.group, len(slices), tuple(classes))


@dataclass(frozen=True)
class VolumeSummary:
    """The scores of one class over all volumes."""

    name: str
    dice: Interval
    true_ml: float
    """Mean over the volumes, as all that follow."""
    predicted_ml: float
    error_ml: float
    """Of the absolute difference of both."""


def summarise(
    volumes: Sequence[VolumeScores], class_names: Sequence[str], labels: Sequence[int]
) -> list[VolumeSummary]:
    """Average over volumes.

    Args:
        volumes: Their scores.
        class_names: Without the background.
        labels: Classes, from 1, that are in some of them: others have no score.
    """
    groups = [volume.group for volume in volumes]
    rows = []
    for label in labels:
        scores = [volume.classes[label - 1] for volume in volumes]
        rows.append(
            VolumeSummary(
                class_names[label - 1],
                mean_with_interval([one.dice for one in scores], groups),
                mean_of_known([one.true_ml for one in scores]),
                mean_of_known([one.predicted_ml for one in scores]),
                mean_of_known([abs(one.predicted_ml - one.true_ml) for one in scores]),
            )
        )
    return rows


def as_lines(rows: Sequence[VolumeSummary], volumes: int) -> list[str]:
    """The averages as text, a line a class."""
    lines = []
    for row in rows:
        name = f" of {row.name}" if len(rows) > 1 else ""
        ml = "" if math.isnan(row.true_ml) else (
            f"; {row.true_ml:.4g} ml in the reference, {row.predicted_ml:.4g} ml found, {row.error_ml:.3g} ml apart in "
            "the mean"
        )  # fmt: skip
        lines.append(f"per volume ({volumes}): Dice{name} {row.dice}{ml}")
    return lines


def rows_of(volumes: Sequence[VolumeScores], class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every volume and class, ready for CSV; a patient is called by the first volume."""
    patients = without_patients((volume.name, volume.group) for volume in volumes)
    for volume in volumes:
        for name, scores in zip(class_names, volume.classes, strict=True):
            named = {"volume": volume.name, "class": name, "group": patients[volume.name], "slices": volume.slices}
            yield {**named, **asdict(scores)}
