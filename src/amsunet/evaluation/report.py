"""The report: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from amsunet.atomic_io import remove_abandoned, write_text
from amsunet.data.images import read_image
from amsunet.data.masks.labels import read_labels
from amsunet.data.overlay import COLOURS, within
from amsunet.evaluation.evaluation import Evaluation, evaluation_folder
from amsunet.evaluation.metrics import EMPTY_RULE, ImageScores
from amsunet.evaluation.object_scores import OBJECT_RULE
from amsunet.evaluation.plots import (
    calibration_plot,
    case_panels,
    data_address,
    risk_coverage_plot,
    score_distribution,
    training_curves,
    uncertainty_plot,
)
from amsunet.evaluation.score_table import columns, headline, number, object_rows, score_rows
from amsunet.inference.ensemble import read_folds
from amsunet.inference.predictor import Predictor
from amsunet.safe_text import safe_lines
from amsunet.training.run_folder import read_run
from amsunet.training.setting_values import as_text

_CASES = 3


@cache
def _environment() -> Environment:
    """With the templates that were compiled so far."""
    jinja = Environment(
        loader=ChoiceLoader([PackageLoader("amsunet.evaluation"), PackageLoader("amsunet", "page")]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        finalize=lambda value: safe_lines(value) if type(value) is str else value,
        lstrip_blocks=True,
    )  # fmt: skip
    jinja.filters.update(as_text=as_text, number=number)
    return jinja


def render(template: str, **values: object) -> str:
    """Fill a template of this package."""
    return _environment().get_template(template).render(**values)


def write_report(evaluation: Evaluation) -> Path:
    """Write ``report.html``, one file that needs nothing beside it.

    Args:
        evaluation: What ``evaluate`` returned.

    Returns:
        Its path: in the run's folder, or in that of the evaluation on foreign data.

    Example:
        >>> import amsunet
        >>> amsunet.write_report(amsunet.evaluate("runs/nuclei")).name
        'report.html'
    """
    model, run = evaluation.model, evaluation.model.run
    config, record = read_run(run) if run else (None, None)
    html = render(
        "report.html",
        evaluation=evaluation,
        environment=evaluation.environment,
        kind={"val": "validation images", "test": "test images", "all": "images"}[evaluation.split],
        headline=headline(evaluation),
        columns=columns(evaluation),
        rows=score_rows(evaluation),
        colours=_colours(evaluation),
        confusion=_confusion(evaluation),
        pooled=evaluation.pooled(),
        empty_rule=EMPTY_RULE,
        object_rows=object_rows(evaluation),
        object_rule=OBJECT_RULE,
        curves=Markup(training_curves(run) if run else ""),
        calibration=Markup(calibration_plot(evaluation)),
        risk=evaluation.risk_coverage(),
        to_review=len(evaluation.to_review()),
        out_of_distribution=[image for image in evaluation.images if image.out_of_distribution],
        uncertainty=Markup(uncertainty_plot(evaluation)),
        risk_coverage=Markup(risk_coverage_plot(evaluation)),
        distribution=Markup(score_distribution(evaluation)),
        cases=_cases(evaluation, evaluation.predictor) if evaluation.predictor else [],
        splits=Counter(record.splits.values()) if record else None,
        folds=read_folds(model.path).count if model.kind == "ensemble" else None,
        groups=len({image.sample.group for image in evaluation.images if image.sample.group}),
        fingerprint=record.fingerprint.describe(config.convention.class_names) if record and config else None,
        convention=evaluation.convention,
        plan=config.plan.model_dump(exclude={"reasons"}) if config else None,
        reasons=config.plan.reasons if config else None,
    )
    if run is None or evaluation.split == "all" or evaluation.out is not None:
        path = evaluation_folder(evaluation) / "report.html"
    else:
        path = run / "report.html"
    remove_abandoned(path.parent)
    write_text(path, html)
    return path


def _colours(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Each class with the colour of its outline, where there are several."""
    names = evaluation.class_names if len(evaluation.class_names) > 1 else ()
    return [(name, "#" + bytes(COLOURS[i % len(COLOURS)].tolist()).hex()) for i, name in enumerate(names)]


def _confusion(evaluation: Evaluation) -> list[dict[str, object]]:
    """Where the pixels of each class went, a line a class, where there are several."""
    if len(evaluation.class_names) < 2:
        return []
    return [
        {"name": name, "pixels": int(row.sum()), "cells": [(int(n), n / row.sum() if row.any() else None) for n in row]}
        for name, row in zip(evaluation.convention.class_names, evaluation.confusion, strict=True)
    ]


def _cases(evaluation: Evaluation, predictor: Predictor) -> list[dict[str, object]]:
    """The worst, the middle and the best images by Dice, each image once."""
    ordered = sorted((image for image in evaluation.images if image.dice == image.dice), key=lambda image: image.dice)
    ordered = ordered or list(evaluation.images)  # not one has a score
    count = max(1, min(_CASES, len(ordered) // 3))
    middle = max(0, len(ordered) // 2 - count // 2)
    wanted = {"Worst": ordered[:count], "Median": ordered[middle : middle + count], "Best": ordered[-count:]}
    groups: list[dict[str, object]] = []
    shown: set[str] = set()
    for title, images in wanted.items():
        fresh = [image for image in images if image.sample.name not in shown]
        shown |= {image.sample.name for image in fresh}
        if fresh:
            groups.append({"title": title, "cases": [_case(predictor, evaluation, image) for image in fresh]})
    return groups


def _case(predictor: Predictor, evaluation: Evaluation, scores: ImageScores) -> dict[str, object]:
    image = read_image(scores.sample.image)
    labels = read_labels(scores.sample, evaluation.convention)
    evaluate_on = predictor.held_out_model(scores.sample.name) if evaluation.split == "val" else predictor
    found = evaluate_on.predict_batch([image], [scores.sample.name], [scores.sample.spacing])[0]
    shown = within(image, predictor.description.preprocessing.ends)
    picture = data_address(case_panels(shown, labels, found.mask))
    return {"name": scores.sample.name, "dice": scores.dice, "picture": picture}
