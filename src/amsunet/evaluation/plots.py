"""Plots and pictures of reports, as SVG or JPEG."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.overlay import COLOURS, draw_outlines, fit, viewable
from amsunet.errors import InputError
from amsunet.evaluation.evaluation import Evaluation
from amsunet.look import page_colour
from amsunet.training.run_folder import METRICS_NAME, read_metrics

logger = logging.getLogger(__name__)

HIT, MISSED, EXTRA = (COLOURS[i].astype(float) for i in (0, 6, 3))
_INK, _ACCENT, _BEFORE = page_colour("ink"), page_colour("accent"), "#d97706"
_GAP = 6
_PANEL = (300, 400)
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.grid": True,
    "grid.color": "#eef0f3",
    "axes.axisbelow": True,
    "svg.fonttype": "none",
    "figure.constrained_layout.use": True,
}


def training_curves(run: Path) -> str:
    """Plot loss and validation Dice over the epochs, as SVG; empty if ``metrics.csv`` is missing or damaged."""
    if not (run / METRICS_NAME).is_file():
        return ""
    try:
        rows = read_metrics(run, "epoch", "train_loss", "val_loss", "val_dice")
    except InputError as error:  # the scores do not depend on it
        logger.warning(f"no training curves in the report: {error}")
        return ""
    epochs = [int(row["epoch"]) + 1 for row in rows]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.0))
        left = figure.add_subplot()
        right = left.twinx()
        dot = "." if len(rows) == 1 else None  # one epoch is no line
        left.plot(epochs, [row["train_loss"] for row in rows], marker=dot, color=_BEFORE, label="training loss")
        left.plot(epochs, [row["val_loss"] for row in rows], marker=dot, ls=":", color=_BEFORE, label="validation loss")
        dice = [row["val_dice"] for row in rows]
        right.plot(epochs, dice, color=_ACCENT, lw=2, label="validation Dice")
        best = int(np.argmax(dice))
        right.plot(epochs[best], dice[best], "o", color=_ACCENT, ms=6)
        right.annotate(
            f"{dice[best]:.3f}",
            (epochs[best], dice[best]),
            xytext=(0, -14),
            textcoords="offset points",
            ha="center",
            color=_ACCENT,
        )
        right.set(ylim=(0, 1), ylabel="Dice")
        right.grid(False)
        left.set(xlabel="epoch", ylabel="loss", ylim=(0, 1.05 * left.get_ylim()[1]))
        left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
        return figure_text(figure)


def calibration_plot(evaluation: Evaluation) -> str:
    """Plot accuracy against confidence (reliability diagram), as SVG; empty if all pixels are ignored."""
    confidence, accuracy, pixels = evaluation.calibration.curve()
    if not len(pixels):
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4, 3.0))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="#9ca3af", ls="--", lw=1)
        if evaluation.uncalibrated is not None:
            axes.plot(*evaluation.uncalibrated.curve()[:2], color=_BEFORE, lw=1.2, label="uncalibrated")
        sizes = 18 + 180 * pixels / pixels.sum()
        axes.plot(confidence, accuracy, color=_ACCENT, lw=1, label="calibrated")
        if evaluation.uncalibrated is not None:
            figure.legend(loc="outside upper center", ncols=2, frameon=False)
        axes.scatter(confidence, accuracy, sizes, color=_ACCENT, alpha=0.85)
        low = min(0.5, float(confidence.min()), float(accuracy.min())) - 0.03
        axes.set(xlabel="confidence", ylabel="share that is right", xlim=(low, 1.02), ylim=(low, 1.02))
        return figure_text(figure)


def uncertainty_plot(evaluation: Evaluation) -> str:
    """Plot Dice of each image against its uncertainty, as SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 3.0))
        axes = figure.add_subplot()
        axes.plot([0, 1], [1, 0], color="#9ca3af", ls="--", lw=1)
        axes.scatter(
            [image.uncertainty for image in evaluation.images],
            [image.dice for image in evaluation.images],
            16,
            color=_ACCENT,
            alpha=0.6,
        )
        right = max(0.1, *(image.uncertainty for image in evaluation.images))
        if evaluation.uncertainty_limit is not None:
            axes.axvline(evaluation.uncertainty_limit, color=_BEFORE, lw=1)
            right = max(right, evaluation.uncertainty_limit)
        axes.set(xlabel="uncertainty", ylabel="Dice", xlim=(0, 1.05 * right), ylim=(0, 1.02))
        return figure_text(figure)


def risk_coverage_plot(evaluation: Evaluation) -> str:
    """Plot the loss in Dice when the most uncertain images are left out, as SVG; empty if no image has a score."""
    curve = evaluation.risk_coverage()
    if curve is None:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 3.0))
        axes = figure.add_subplot()
        axes.axhline(curve.chance_area, color="#9ca3af", ls="--", lw=1, label="by chance")
        axes.plot(curve.coverage, curve.risk, color=_ACCENT, lw=2, label="by uncertainty")
        axes.plot(curve.coverage, curve.best_risk, color=_BEFORE, ls=":", label="the best order")
        axes.set(xlabel="share of images kept", ylabel="1 - Dice of these", xlim=(0, 1.02), ylim=(0, None))
        figure.legend(loc="outside upper center", ncols=3, frameon=False, handlelength=1.4, columnspacing=1)
        return figure_text(figure)


def score_distribution(evaluation: Evaluation) -> str:
    """Plot Dice of each image, sorted, as SVG, grey where the image holds no object; empty if no image has a score."""
    ordered = sorted(
        (image.dice, any(one.occurs for one in image.classes))
        for image in evaluation.images
        if not np.isnan(image.dice)
    )
    if not ordered:
        return ""
    values = [dice for dice, _ in ordered]
    colours = [_ACCENT if holds else "#9ca3af" for _, holds in ordered]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.4, 2.2))
        axes = figure.add_subplot()
        axes.bar(range(1, len(values) + 1), values, width=0.9, color=colours, alpha=0.85)
        axes.axhline(float(np.mean(values)), color="#d97706", lw=1.2)
        axes.annotate(
            f"mean {np.mean(values):.3f}",
            (1, float(np.mean(values))),
            xytext=(0, 3),
            textcoords="offset points",
            color="#b45309",
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="images, worst to best", ylabel="Dice", ylim=(0, 1.15), xlim=(0.3, len(values) + 0.7))
        return figure_text(figure)


def write_names(axes: Axes, places: Mapping[str, tuple[float, float]]) -> list[Annotation]:
    """Write names beside their dots, moved up where they would overlap.

    Args:
        axes: Where to write; its limits must be set.
        places: The place of each dot by its name, in units of the axes.

    Returns:
        The names as placed.
    """
    names = [
        axes.annotate(name, place, xytext=(9, 7), textcoords="offset points", color=_INK)
        for name, place in sorted(places.items(), key=lambda item: item[1][1])
    ]
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    for index, name in enumerate(names):
        while any(name.get_window_extent().overlaps(other.get_window_extent()) for other in names[:index]):
            x, y = name.xyann
            name.xyann = (x, y + 4)
    return names


def case_panels(image: Array, labels: Array, predicted: Array) -> Image.Image:
    """Draw image, reference and prediction side by side, equally wide for all images.

    In the prediction, green pixels are right, blue ones are missed, orange ones are surplus or of a wrong class.

    Args:
        image: (H, W, C).
        labels: (H, W), the reference.
        predicted: (H, W), the prediction.

    Returns:
        The picture, in RGB.
    """
    panels = [viewable(image), draw_outlines(image, labels), paint_errors(image, labels, predicted)]
    small = [fit(panel, *_PANEL) for panel in panels]
    width = _PANEL[0]
    sheet = Image.new("RGB", (3 * width + 2 * _GAP, max(p.height for p in small)), "white")
    for place, panel in enumerate(small):
        sheet.paste(panel, (place * (width + _GAP) + (width - panel.width) // 2, 0))
    return sheet


def stack(rows: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures below each other."""
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height + _GAP for row in rows) - _GAP), "white")
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height + _GAP
    return sheet


def paint_errors(image: Array, labels: Array, predicted: Array) -> Array:
    """Colour right, missed and surplus pixels of an image, and darken ignored ones.

    Args:
        image: (H, W, C).
        labels: (H, W), the reference.
        predicted: (H, W), the prediction.

    Returns:
        (H, W, 3) of uint8.
    """
    shown = viewable(image)
    counted = labels != IGNORE_INDEX
    truth = (labels != 0) & counted
    found = (predicted != 0) & counted
    painted = shown.astype(float)
    for colour, where in (
        (HIT, truth & (labels == predicted)),
        (MISSED, truth & ~found),
        (EXTRA, found & (labels != predicted)),
    ):
        painted[where] = 0.45 * painted[where] + 0.55 * colour
    painted[~counted] *= 0.5
    return painted.round().astype(np.uint8)


def data_address(picture: Image.Image) -> str:
    """Encode a picture as a data address for an <img>."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def figure_text(figure: Figure) -> str:
    """Encode a figure as an <svg> element."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
