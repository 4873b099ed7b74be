"""The page of a comparison: one self-contained HTML file."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from amsunet.atomic_io import write_text
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.overlay import draw_outlines, fit, viewable
from amsunet.evaluation.comparison import Comparison
from amsunet.evaluation.comparison_plots import family_plot, pareto_plot
from amsunet.evaluation.metrics import EMPTY_RULE
from amsunet.evaluation.plots import data_address, paint_errors
from amsunet.evaluation.report import render
from amsunet.evaluation.study import Trial, is_done, trial_folder
from amsunet.evaluation.trial_scores import trial_scores, unit_of_length
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions

_SHOWN = 5
_SIDE = 220


def write_page(comparison: Comparison) -> Path:
    """Write ``comparison.html`` into the study's folder.

    Args:
        comparison: The results of the study.

    Returns:
        The path of the page.
    """
    study = comparison.study
    html = render(
        "comparison.html",
        study=study,
        title=comparison.title,
        findings=comparison.findings,
        all_hold_all=comparison.all_hold_all,
        rows=comparison.rows,
        first=study.variants[0].name,
        jobs=comparison.jobs,
        images=comparison.rows[0].scores["dice"].count,
        unit=unit_of_length(comparison.folder, _first_trial(comparison, comparison.rows[0].variant.name)),
        failures=comparison.failures,
        empty_rule=EMPTY_RULE,
        environment=comparison.environment,
        pareto=Markup(pareto_plot(comparison.rows)),
        families=Markup(family_plot(comparison.rows) if study.equal_time else ""),
        changed=any(row.variant.settings for row in comparison.rows),
        grid=_grid(comparison),
    )
    path = comparison.folder / "comparison.html"
    write_text(path, html)
    return path


def _grid(comparison: Comparison) -> list[dict[str, Any]]:
    """Some images, worst to best, with the segmentation of each network."""
    study = comparison.study
    trials = {row.variant.name: _first_trial(comparison, row.variant.name) for row in comparison.rows}
    scores = {name: trial_scores(comparison.folder, trial) for name, trial in trials.items()}
    means: dict[str, list[float]] = defaultdict(list)
    for of_network in scores.values():
        for image, dice in of_network.items():
            means[image].append(dice)
    common = [image for image, values in means.items() if len(values) == len(trials) and not np.isnan(values).any()]
    ordered = sorted(common, key=lambda image: float(np.mean(means[image])))
    chosen = [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, min(_SHOWN, len(ordered)))]
    dataset = open_dataset(locate(study.source), study.data_options)
    samples = {sample.name: sample for sample in dataset.samples}
    predictors = {
        name: Predictor(
            trial_folder(comparison.folder, trial),
            RuntimeOptions(device=study.device, precision=study.precision_of(trial.variant)),
            model_file=trial.variant.model_file,
        )
        for name, trial in trials.items()
    }
    lines = []
    for name in chosen:
        picture, labels = dataset.read(samples[name])
        of_image = [picture], [name], [samples[name].spacing]
        found = {network: p.predict_batch(*of_image)[0].mask for network, p in predictors.items()}
        lines.append(
            {
                "name": name,
                "image": _small(viewable(picture)),
                "truth": _small(draw_outlines(picture, labels)),
                "cells": [
                    {"picture": _small(paint_errors(picture, labels, mask)), "dice": scores[network][name]}
                    for network, mask in found.items()
                ],
            }
        )
    return lines


def _first_trial(comparison: Comparison, name: str) -> Trial:
    return next(
        trial for trial in comparison.study.trials() if trial.variant.name == name and is_done(comparison.folder, trial)
    )


def _small(picture: Any) -> str:
    return data_address(fit(picture, _SIDE, _SIDE))
