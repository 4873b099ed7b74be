"""The table of scores: its rows, for the report too, and as text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amsunet.evaluation.metrics import EMPTY_RULE
from amsunet.evaluation.object_scores import OBJECT_METRICS, OBJECT_RULE
from amsunet.evaluation.statistics import Interval
from amsunet.evaluation.volume_scores import as_lines
from amsunet.text_table import aligned

if TYPE_CHECKING:
    from amsunet.evaluation.evaluation import Evaluation

_BY_THE_RULE = ("dice", "iou")
"""Scores that are 1 where mask and prediction are empty: the table holds their mean over images with an object too."""


@dataclass(frozen=True)
class ScoreRow:
    """One line of the table: the mean over classes, then each class where there are several."""

    name: str
    values: tuple[Interval | int, ...]
    few: int | None = None
    """Images with a value, if others have none."""


def columns(evaluation: Evaluation) -> list[str]:
    """Headings of the values of a row."""
    names = list(evaluation.class_names)
    return names if len(names) == 1 else ["mean over classes", *names]


def score_rows(evaluation: Evaluation) -> list[ScoreRow]:
    """Rows of the table, without scores that no image has."""
    labels = _labels(evaluation)
    rows = []
    if not evaluation.all_hold_all:
        rows.append(ScoreRow("images that hold it", tuple(evaluation.images_with(label) for label in labels)))
    for metric, name in evaluation.metric_names.items():
        both = metric in _BY_THE_RULE and not evaluation.all_hold_all
        for with_object in (False, True) if both else (False,):
            values = tuple(evaluation.interval(metric, label, with_object=with_object) for label in labels)
            few = values[0].count if values[0].count < evaluation.scored and not with_object else None
            which = f", {'images that hold it' if with_object else 'all images'}" if both else ""
            if values[0].count or metric in _BY_THE_RULE:
                rows.append(ScoreRow(f"{name}{which}", values, few))
    return rows


def object_rows(evaluation: Evaluation) -> list[ScoreRow]:
    """Rows of the table of objects; none where they were not asked for."""
    if evaluation.objects is None:
        return []
    objects, labels = evaluation.objects, _labels(evaluation)
    counts = [objects.counts(label) for label in labels]
    return [
        ScoreRow("true objects", tuple(true for true, _ in counts)),
        ScoreRow("found objects", tuple(found for _, found in counts)),
        *(
            ScoreRow(name, tuple(objects.interval(metric, label) for label in labels))
            for metric, name in OBJECT_METRICS.items()
        ),
    ]


def headline(evaluation: Evaluation) -> str:
    """The images over which the scores are averaged, in words."""
    if evaluation.scored < len(evaluation.images):
        return f"mean over the {evaluation.scored} of {len(evaluation.images)} images with pixels that are not ignored"
    return f"mean over {'all ' if not evaluation.all_hold_all else ''}{len(evaluation.images)} images"


def as_text(evaluation: Evaluation) -> str:
    """Findings, scores, and the rule for empty masks, as text."""
    lines = [f"warning: {finding}" for finding in evaluation.findings]
    chosen = " (the weights were chosen on it)" if evaluation.split == "val" else ""
    lines.append(f"{evaluation.title}{chosen}, {headline(evaluation)} [95 % interval]")
    cells = [["", *columns(evaluation)]]
    for row in score_rows(evaluation):
        few = "" if row.few is None else f" ({row.few} images)"
        cells.append([row.name + few, *map(str, row.values)])
    lines += aligned(cells)
    if evaluation.objects:
        lines.append(evaluation.objects.describe())
        lines += aligned(
            [["", *columns(evaluation)], *([row.name, *map(str, row.values)] for row in object_rows(evaluation))]
        )
        lines.append(OBJECT_RULE)
    lines += as_lines(evaluation.volume_summaries, len(evaluation.volumes))
    if evaluation.observer:
        theirs, network = evaluation.observer.theirs.interval("dice"), evaluation.observer.network.interval("dice")
        lines.append(
            f"second observer against the reference, {evaluation.observer.images}: Dice {theirs}; "
            f"the network on the same images: {network}"
        )
    pooled, risk = evaluation.pooled(), evaluation.risk_coverage()
    before = (
        f" ({number(evaluation.uncalibrated.error())} before temperature scaling)" if evaluation.uncalibrated else ""
    )
    lines.append(f"calibration error {number(evaluation.calibration.error())}{before}")
    if risk:
        lines.append(
            f"uncertainty: area under risk-coverage {risk.area:.4f} "
            f"({risk.chance_area:.4f} by chance, {risk.best_area:.4f} at best)"
        )
    lines.append(
        f"pooled over all pixels: Dice {number(pooled['dice'])}, IoU {number(pooled['iou'])}, "
        f"mean IoU with background {number(pooled['iou_with_background'])}"
    )
    lines.append(EMPTY_RULE)
    return "\n".join(lines)


def number(value: float) -> str:
    """A score with four digits, or ``none`` for NaN."""
    return "none" if math.isnan(value) else f"{value:.4f}"


def _labels(evaluation: Evaluation) -> list[int | None]:
    """What the columns are of: the mean over classes, then each class where there are several."""
    names = evaluation.class_names
    return [None, *(range(1, len(names) + 1) if len(names) > 1 else [])]
