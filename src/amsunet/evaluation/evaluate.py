"""Evaluating a model on images it was not trained on."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from amsunet.atomic_io import check_writable, remove_abandoned, write_csv, write_json
from amsunet.data.dataset import Dataset
from amsunet.data.images import Array
from amsunet.data.instances import has_instances, read_instances
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.options import DataOptions
from amsunet.data.other_observer import OtherObserver, open_other_observer
from amsunet.data.spacing import Lengths, Spacing
from amsunet.device import environment
from amsunet.errors import InputError
from amsunet.evaluation.calibration import Calibration
from amsunet.evaluation.evaluation import Evaluation, evaluation_folder
from amsunet.evaluation.findings import PixelCounts
from amsunet.evaluation.metrics import NSD_TOLERANCE, ImageScores, score_image, score_mask
from amsunet.evaluation.object_scores import score_objects
from amsunet.evaluation.samples import EvaluationImages, choose_images
from amsunet.evaluation.statistics import mean_of_known
from amsunet.evaluation.volume_scores import NOTE, rows_of, score_volumes
from amsunet.inference.ensemble import Folds
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.progress import report
from amsunet.training.run_folder import read_run
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_THIN = 6
_NO_INSTANCES = (
    "the masks are no instance masks, so objects that touch count as one in truth: for scores of objects number them, "
    "or save a file for each"
)


def evaluate(
    model: str | Path | ModelRef,
    data: str | Path | Dataset | None = None,
    *,
    split: Literal["auto", "test", "val"] = "auto",
    options: RuntimeOptions = RuntimeOptions(),  # noqa: B008 - frozen
    data_options: DataOptions | None = None,
    model_file: str | None = None,
    most: int | None = None,
    objects: bool = False,
    out: str | Path | None = None,
) -> Evaluation:
    """Score a network and write ``images.csv`` and ``summary.json`` into ``evaluation_folder``, of slices also
    ``volumes.csv``.

    Args:
        model: A run folder; that of an ensemble, whose validation images are evaluated by the fold that has not seen
            them; a model file, or the name of a network of the zoo, which need data.
        data: What to evaluate on; the run's own data when left out, or where they have been read already. Of a data set
            that names test images these alone are used, of another one all images; images that the run was trained on
            are left out.
        split: Of the run's own data, ``auto`` is test where there is a test split, else val.
        options: Where torch is run, over which views of an image, and at which scale; exported networks are not
            evaluated.
        data_options: How the data set is read, where it does not follow the run's.
        model_file: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.
        most: Evaluate on so many of the images at most, evenly spread (of an ensemble's own, so many of each fold).
        objects: Score the objects too: which were found, and how many. Masks that number objects, or have a file for
            each, say what one is; of others, connected components are.
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
    _refuse_exported(model, options)
    if options.separation is not None and not objects:
        raise InputError(f"{setting('separation')} goes with {setting(objects=True)}: add that, or leave it out")
    check_writable((Path(out) if out is not None else model.run or Path()) / "report.html")
    if model.run is not None:
        read_run(model.run)  # a folder that is no run is called so, not one without a model
    predictor = Predictor(model, options, model_file=model_file)
    data_options = data_options or DataOptions()
    if predictor.spacing is not None:
        data_options = data_options.model_copy(update={"spacing": predictor.spacing})
    chosen = choose_images(model, data, split, predictor, data_options)
    if most is not None:
        chosen = chosen.at_most(most * (predictor.folds.count if predictor.folds else 1), model)
    other = open_other_observer(chosen.dataset, chosen.samples)
    scores = _score(predictor, chosen, other, objects=objects)
    lines = _lines(predictor, chosen, other, scores, objects=objects)
    logged = chosen.dataset.mask_notes if chosen.of_run else ()  # when it was trained
    for level, line in lines:
        if line not in logged:
            logger.log(level, line)
    known = predictor.description
    evaluation = Evaluation(
        model=model,
        network=_name(predictor) if model.run else model.name,
        source=chosen.source,
        split=chosen.split,
        images=scores.images,
        convention=chosen.convention,
        calibration=scores.calibration,
        uncalibrated=scores.uncalibrated,
        confusion=scores.confusion,
        tta=options.tta,
        threshold=known.threshold,
        uncertainty_limit=known.uncertainty_limit,
        environment=environment(options.choose_device()),
        notes=tuple(f"warning: {line}" if level == logging.WARNING else line for level, line in lines),
        volumes=score_volumes(scores.images, chosen.dataset.slices),
        image_scale=options.image_scale,
        lengths=scores.lengths,
        polarity=options.polarity,
        separation=known.separation,
        is_separation_set=options.separation is not None,
        predictor=predictor,
        out=None if out is None else Path(out),
    )
    target = evaluation_folder(evaluation)
    remove_abandoned(target)
    write_csv(target / "images.csv", list(evaluation.rows()))
    if evaluation.volumes:
        write_csv(target / "volumes.csv", list(rows_of(evaluation.volumes, evaluation.class_names)))
    write_json(target / "summary.json", evaluation.summary())
    return evaluation


def _refuse_exported(model: ModelRef, options: RuntimeOptions) -> None:
    if model.kind == "exported":
        raise InputError(f"{model} is exported and networks are evaluated in torch: name a run or a model file")
    if options.exported:
        raise InputError(f"networks are evaluated in torch: leave {setting('runtime')} out")


def is_thin(thickness: float) -> bool:
    """Whether structures so many pixels wide are scored by their centrelines too."""
    return thickness < _THIN


class _Distances(TypedDict):
    """How distances are measured in an image, as ``score_image`` takes it."""

    spacing: Spacing | None
    tolerance: float
    thin: bool


class _Scores(NamedTuple):
    """What all images together gave."""

    images: tuple[ImageScores, ...]
    calibration: Calibration
    uncalibrated: Calibration | None
    confusion: Array
    lengths: Lengths


def _score(predictor: Predictor, chosen: EvaluationImages, other: OtherObserver, *, objects: bool) -> _Scores:
    """Predict every image and score it, each of a fold's validation images by the network that has not seen it."""
    dataset, thin = chosen.dataset, is_thin(chosen.fingerprint().thickness)
    classes = dataset.convention.num_classes
    lengths = Lengths.of(predictor.spacing or sample.spacing for sample in dataset.samples)  # of folds alike
    tolerance = NSD_TOLERANCE * lengths.pixel
    images, calibration, confusion = [], Calibration(), np.zeros((classes, classes), np.int64)
    uncalibrated = Calibration() if predictor.folds is None else None
    for done, sample in enumerate(chosen.samples, start=1):
        image, labels = dataset.read(sample)
        network = predictor.held_out_model(sample.name) if chosen.split == "val" else predictor
        found = network.predict_batch([image], [sample.name], [predictor.spacing or sample.spacing])[0]
        distances: _Distances = {"spacing": lengths.spacing(found.spacing), "tolerance": tolerance, "thin": thin}
        of_classes = tuple(score_image(found.probability, found.mask, labels, **distances))
        second = other.read_labels(sample.name)
        of_other = () if second is None else tuple(score_mask(second, labels, classes, **distances))
        image_scores = ImageScores(
            sample, of_classes, (), found.uncertainty, found.out_of_distribution, found.polarity, of_other
        )
        if objects:
            true = read_instances(sample, dataset.convention, dataset.masks)
            image_scores = replace(image_scores, objects=score_objects(found.objects, true, classes))
        images.append(image_scores)
        calibration.add(found.probability, labels)
        if uncalibrated is not None:
            powers = found.probability**network.description.temperature  # the softmax of logits not divided by it
            uncalibrated.add(powers / powers.sum(axis=0), labels)
        counted = labels != IGNORE_INDEX
        pairs = labels[counted].astype(np.int64) * classes + found.mask[counted]
        confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        report(done, len(chosen.samples), "image")
    names = dataset.convention.class_names[1:]
    marks = PixelCounts.from_scores({image.sample.name: image.classes for image in images}, names)
    labelled = tuple(replace(image, labels=marks.labels) for image in images)
    return _Scores(labelled, calibration, uncalibrated, confusion, lengths)


def _name(predictor: Predictor) -> str:
    """What the network of a run is called."""
    model = predictor.description.model
    name = re.sub(r"\.py:", ".", Path(model).name)
    return name if predictor.folds is None else f"{name} ({predictor.folds.count} folds)"


def _lines(
    predictor: Predictor, chosen: EvaluationImages, other: OtherObserver, scores: _Scores, *, objects: bool
) -> list[tuple[int, str]]:
    """What must be known before the scores are read: lines to log, by level."""
    notes = [*chosen.dataset.mask_notes, *chosen.notes]
    if any(sample.volume for sample in chosen.samples):
        notes.append(NOTE)
    if predictor.views_left_out:
        notes.append(predictor.views_left_out)
    if predictor.folds is not None:
        notes.append(_describe_folds(predictor.folds, scores.images, chosen.split))
    # What was guessed of the run's own data was logged when it was trained.
    lines = [(logging.WARNING, line) for line in (() if chosen.of_run else chosen.dataset.warnings)]
    lines += [(logging.INFO, line) for line in notes]
    lines += _describe_scaling(predictor, chosen)
    lines += [(logging.WARNING, warning) for warning in other.warnings]
    if objects and not has_instances(chosen.samples, chosen.dataset.convention):
        lines.append((logging.WARNING, _NO_INSTANCES))
    return [*lines, *((logging.INFO, note) for note in other.notes)]


def _describe_scaling(predictor: Predictor, chosen: EvaluationImages) -> list[tuple[int, str]]:
    """The lines to log where images are not scaled as in training, or perhaps should not be."""
    names = {sample.name for sample in chosen.samples}
    by_spacing = predictor.description.preprocessing.spacing is not None
    sizes = Counter(
        (scan.height, scan.width)
        for scan in chosen.dataset.scans
        if scan.sample.name in names and not (by_spacing and (predictor.spacing or scan.spacing))
    )
    if not sizes and chosen.of_run:  # as in training
        return []
    scaling = predictor.scaling(sizes)
    lines = [(logging.INFO, scaling.line)] if scaling.changed else []
    lines += [(logging.INFO, f"note: {scaling.note}")] if scaling.note else []
    return [*lines, *([(logging.WARNING, scaling.warning)] if scaling.warning else [])]


def _describe_folds(folds: Folds, scores: Sequence[ImageScores], split: str) -> str:
    if split != "val":
        return f"the probabilities of {folds.count} networks, one for each fold, are averaged"
    dice: dict[int, list[float]] = {fold: [] for fold in range(folds.count)}
    for image in scores:
        dice[folds.fold_of[image.sample.name]].append(image.dice)
    of_folds = ", ".join(f"{mean_of_known(values):.4f}" for values in dice.values())
    return (
        f"cross-validated: every image is evaluated by the network that has not seen it; Dice of the folds: {of_folds}"
    )
