"""Evaluating a model on images it was not trained on."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from amsunet.atomic_io import check_writable, write_csv, write_json
from amsunet.data.crops import evenly
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.fingerprint import take_fingerprint
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.normalization import Polarity
from amsunet.data.options import DataOptions
from amsunet.data.other_observer import OtherObserver, open_other_observer
from amsunet.device import environment
from amsunet.errors import InputError
from amsunet.evaluation.evaluation import Evaluation, ImageScores, evaluation_folder
from amsunet.evaluation.findings import PixelCounts
from amsunet.evaluation.metrics import Calibration, score_image, score_mask
from amsunet.evaluation.samples import choose_foreign, choose_of_run, open_evaluation_data
from amsunet.evaluation.statistics import mean_of_known
from amsunet.inference.ensemble import Folds
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.progress import report
from amsunet.training.run_folder import images_seen, read_run
from amsunet.wording import command, setting

logger = logging.getLogger(__name__)

_THIN = 6


def evaluate(
    model: str | Path | ModelRef,
    data: str | Path | None = None,
    *,
    split: Literal["auto", "test", "val"] = "auto",
    options: RuntimeOptions = RuntimeOptions(),  # noqa: B008 - frozen
    image_scale: float | None = None,
    polarity: Polarity = "auto",
    data_options: DataOptions | None = None,
    model_file: str | None = None,
    dataset: Dataset | None = None,
    most: int | None = None,
    out: str | Path | None = None,
) -> Evaluation:
    """Score a network and write ``images.csv`` and ``summary.json`` into ``evaluation_folder``.

    Args:
        model: A run folder; that of an ensemble, whose validation images are evaluated by the fold that has not seen
            them; a model file, or the name of a network of the zoo, which need data.
        data: What to evaluate on; the run's own data when left out. Of a data set that names test images these alone
            are used, of another one all images; images that the run was trained on are left out.
        split: Of the run's own data, ``auto`` is test where there is a test split, else val.
        options: Where torch is run, and over which views of an image; exported networks are not evaluated.
        image_scale: As for ``Predictor``.
        polarity: As for ``Predictor``.
        data_options: How the data set is read, where it does not follow the run's.
        model_file: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.
        dataset: The run's own data, where they have been read already.
        most: Evaluate on so many of the images at most, evenly spread (of an ensemble's own, so many of each fold).
        out: The folder for what is written, as of a run that may not be written to; when left out, in the run, or under
            ``evaluations/NAME`` of a network that comes alone.

    Returns:
        The scores of every image, and what must be known before they are read.

    Raises:
        InputError: If the run or the data cannot be used.

    Example:
        >>> import amsunet
        >>> evaluation = amsunet.evaluate("runs/nuclei")
        >>> evaluation.split, len(evaluation.images), evaluation.class_names
        ('test', 4, ('foreground',))
    """
    model = ModelRef.resolve(model)
    record = None if model.run is None else read_run(model.run)[1]
    if model.kind == "exported":
        raise InputError(f"{model} is exported and networks are evaluated in torch: name a run or a model file")
    if options.exported:
        raise InputError(f"networks are evaluated in torch: leave {setting('runtime')} out")
    check_writable((Path(out) if out is not None else model.run or Path()) / "report.html")
    predictor = Predictor(model, options, image_scale=image_scale, polarity=polarity, model_file=model_file)
    data_options = data_options or DataOptions()
    known = predictor.description.convention.named(data_options.masks.class_names)
    convention = None if data_options.masks.given_values else known
    of_run = True
    if dataset is None:
        dataset, of_run = open_evaluation_data(model, data, record, data_options, convention)
    if dataset.convention.num_classes != known.num_classes:
        raise InputError(
            f"{dataset.source} has {dataset.convention.num_classes} classes, the run {known.num_classes}: "
            "evaluate it on data with the same classes"
        )
    if of_run and record is not None:
        samples, chosen, notes = choose_of_run(dataset, record, split, predictor.folds)
    else:
        samples, chosen, notes = choose_foreign(
            dataset, images_seen(model), split, record.thumbnails if record is not None else None
        )
    if most is not None:
        line = command("evaluate", *map(str, (model,) if data is None else (model, data)), split=split)
        samples, notes = _some(line, samples, notes, most * (predictor.folds.count if predictor.folds else 1))
    shape = take_fingerprint(dataset, {sample.name for sample in samples}) if record is None else record.fingerprint
    predictor_for = predictor.held_out_model if chosen == "val" else lambda _: predictor
    uncalibrated = Calibration() if predictor.folds is None else None
    thin, other = is_thin(shape.thickness), open_other_observer(dataset, samples)
    scores, calibration, confusion = _score(predictor_for, dataset, samples, other, thin, uncalibrated)
    if predictor.views_left_out:
        notes = (*notes, predictor.views_left_out)
    if predictor.folds is not None:
        notes = (*notes, _describe_folds(predictor.folds, scores, chosen))
    # What was guessed of the run's own data was logged when it was trained.
    lines = [(logging.WARNING, line) for line in (() if of_run else dataset.warnings)]
    lines += [(logging.INFO, line) for line in (*dataset.mask_notes, *notes)]
    lines += _describe_scaling(predictor, dataset, samples)
    lines += [(logging.WARNING, warning) for warning in other.warnings]
    lines += [(logging.INFO, note) for note in other.notes]
    for level, line in lines:
        logger.log(level, line)
    evaluation = Evaluation(
        model=model,
        network=_name(predictor) if model.run else model.name,
        source=record.source if of_run and record is not None else str(data),
        split=chosen,
        images=tuple(scores),
        convention=dataset.convention.model_copy(update={"class_names": known.class_names}),
        calibration=calibration,
        uncalibrated=uncalibrated,
        confusion=confusion,
        tta=options.tta,
        threshold=predictor.description.threshold,
        uncertainty_limit=predictor.description.uncertainty_limit,
        environment=environment(options.choose_device()),
        notes=tuple(f"warning: {line}" if level == logging.WARNING else line for level, line in lines),
        image_scale=image_scale,
        polarity=polarity,
        predictor=predictor,
        out=None if out is None else Path(out),
    )
    target = evaluation_folder(evaluation)
    write_csv(target / "images.csv", list(evaluation.rows()))
    write_json(target / "summary.json", evaluation.summary())
    return evaluation


def is_thin(thickness: float) -> bool:
    """Whether structures so many pixels wide are scored by their centrelines too."""
    return thickness < _THIN


def _score(
    predictor_for: Callable[[str], Predictor],
    dataset: Dataset,
    samples: list[Sample],
    other: OtherObserver,
    thin: bool,
    uncalibrated: Calibration | None,
) -> tuple[list[ImageScores], Calibration, Array]:
    classes = dataset.convention.num_classes
    scores, calibration, confusion = [], Calibration(), np.zeros((classes, classes), np.int64)
    for done, sample in enumerate(samples, start=1):
        image, labels = dataset.read(sample)
        predictor = predictor_for(sample.name)
        found = predictor.predict_batch([image], [sample.name])[0]
        of_classes = tuple(score_image(found.probability, found.mask, labels, thin=thin))
        second = other.read_labels(sample.name)
        of_other = () if second is None else tuple(score_mask(second, labels, classes, thin=thin))
        scores.append(
            ImageScores(sample, of_classes, (), found.uncertainty, found.out_of_distribution, found.polarity, of_other)
        )
        calibration.add(found.probability, labels)
        if uncalibrated is not None:
            powers = found.probability**predictor.description.temperature  # the softmax of logits not divided by it
            uncalibrated.add(powers / powers.sum(axis=0), labels)
        counted = labels != IGNORE_INDEX
        pairs = labels[counted].astype(np.int64) * classes + found.mask[counted]
        confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        report(done, len(samples), "image")
    names = dataset.convention.class_names[1:]
    marks = PixelCounts.from_scores({image.sample.name: image.classes for image in scores}, names)
    return [replace(image, labels=marks.labels) for image in scores], calibration, confusion


def _name(predictor: Predictor) -> str:
    """What the network of a run is called."""
    model = predictor.description.model
    name = re.sub(r"\.py:", ".", Path(model).name)
    return name if predictor.folds is None else f"{name} ({predictor.folds.count} folds)"


def _some(line: str, samples: list[Sample], notes: tuple[str, ...], most: int) -> tuple[list[Sample], tuple[str, ...]]:
    """An even part of what there is to evaluate, and the note that it is one, with the line that takes all."""
    chosen = list(evenly(samples, most))
    if len(chosen) == len(samples):
        return samples, notes
    part = f"evaluated on {len(chosen)} of {len(samples)} images, evenly spread: {line} takes all of them"
    return chosen, (*notes, part)


def _describe_scaling(predictor: Predictor, dataset: Dataset, samples: list[Sample]) -> list[tuple[int, str]]:
    """The lines to log where images are not scaled as in training, or perhaps should not be."""
    names = {sample.name for sample in samples}
    sizes = Counter((scan.height, scan.width) for scan in dataset.scans if scan.sample.name in names)
    scaling = predictor.scaling(sizes)
    lines = [(logging.INFO, scaling.line)] if scaling.changed else []
    return [*lines, *([(logging.WARNING, scaling.warning)] if scaling.warning else [])]


def _describe_folds(folds: Folds, scores: list[ImageScores], split: str) -> str:
    if split != "val":
        return f"the probabilities of {folds.count} networks, one for each fold, are averaged"
    dice: dict[int, list[float]] = {fold: [] for fold in range(folds.count)}
    for image in scores:
        dice[folds.fold_of[image.sample.name]].append(image.dice)
    of_folds = ", ".join(f"{mean_of_known(values):.4f}" for values in dice.values())
    return (
        f"cross-validated: every image is evaluated by the network that has not seen it; Dice of the folds: {of_folds}"
    )
