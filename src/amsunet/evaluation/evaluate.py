"""Judging a run on images it was not trained on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from amsunet.data.dataset import Dataset
from amsunet.data.fingerprint import take_fingerprint
from amsunet.data.images import Array
from amsunet.data.layout import Sample
from amsunet.data.masks import IGNORED, MaskConvention, MaskOptions
from amsunet.errors import InputError
from amsunet.evaluation.metrics import EMPTY_RULE, NSD_TOLERANCE, Calibration, ClassScores, score_image
from amsunet.evaluation.risk import RiskCoverage, risk_coverage
from amsunet.evaluation.samples import choose_foreign, choose_of_run, open_judged
from amsunet.evaluation.statistics import Interval, mean_with_interval
from amsunet.files import write_csv, write_json
from amsunet.inference.ensemble import Folds
from amsunet.inference.predictor import Predictor
from amsunet.machine import Machine, choose_machine, environment
from amsunet.training.run import absolute_source, find_run, images_seen, read_run

METRICS = {
    "dice": "Dice",
    "iou": "IoU",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "accuracy": "pixel accuracy",
    "hd95": "HD95 (pixels)",
    "nsd": f"NSD at {NSD_TOLERANCE:g} pixels",
    "cldice": "clDice",
    "auc": "AUC",
    "average_precision": "average precision",
}
_THIN = 6


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image, for each class but the background."""

    sample: Sample
    classes: tuple[ClassScores, ...]
    uncertainty: float
    """One minus the Dice that was to be expected from the probabilities."""

    @property
    def dice(self) -> float:
        """Mean over the classes."""
        return float(np.mean([scores.dice for scores in self.classes]))


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    run: Path
    source: str
    split: str
    """``test``, ``val``, or ``all`` of a foreign data set."""
    images: tuple[ImageScores, ...]
    convention: MaskConvention
    calibration: Calibration
    untempered: Calibration | None
    """Of the logits as the network gives them; None of an ensemble, whose networks have a temperature each."""
    confusion: Array
    """(K, K) pixels over all images, true class by predicted class."""
    flips: bool
    turns: bool
    threshold: float
    doubtful: float | None
    """Uncertainty above which a mask is to be checked, where it is known."""
    environment: dict[str, Any]
    notes: tuple[str, ...]
    own: str | None = None
    """``FILE.py:FUNCTION`` of a network that is not amsunet's."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Without the background."""
        return self.convention.class_names[1:]

    def interval(self, metric: str, label: int | None = None) -> Interval:
        """Mean of a metric over images, with its interval: of one class (1, 2, ...), or of the mean over classes."""
        chosen = range(len(self.class_names)) if label is None else [label - 1]
        values = []
        for image in self.images:
            of_classes = np.array([getattr(image.classes[index], metric) for index in chosen])
            there = of_classes[~np.isnan(of_classes)]
            values.append(float(there.mean()) if len(there) else float("nan"))
        return mean_with_interval(values, [image.sample.group for image in self.images])

    def pooled(self) -> dict[str, float]:
        """Dice and IoU from the pixels of all images together, as much of the literature prints them."""
        hits = np.diag(self.confusion).astype(float)
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - hits
        with np.errstate(invalid="ignore"):
            iou, dice = hits / either, 2 * hits / (either + hits)
        return {
            "dice": float(np.nanmean(dice[1:])),
            "iou": float(np.nanmean(iou[1:])),
            "iou_with_background": float(np.nanmean(iou)),
        }

    def risk_coverage(self) -> RiskCoverage:
        """Whether uncertainty tells which masks are wrong."""
        pairs = np.array([(image.uncertainty, image.dice) for image in self.images])
        return risk_coverage(pairs[:, 0], pairs[:, 1])

    def doubted(self) -> list[ImageScores]:
        """The images whose masks are to be checked for their uncertainty."""
        return [image for image in self.images if self.doubtful is not None and image.uncertainty > self.doubtful]

    @property
    def averaged_over(self) -> str:
        """The views of an image whose predictions were averaged; empty of the image alone."""
        return " and ".join(["mirror images"] * self.flips + ["quarter turns"] * self.turns)

    def summary(self) -> dict[str, Any]:
        """Everything but the rows, ready for JSON."""
        of_class = {
            name: {metric: asdict(self.interval(metric, label)) for metric in METRICS}
            for label, name in enumerate(self.class_names, start=1)
        }
        return {
            "source": self.source,
            "split": self.split,
            "images": len(self.images),
            "mean_over_classes": {metric: asdict(self.interval(metric)) for metric in METRICS},
            "classes": of_class,
            "pooled_over_pixels": self.pooled(),
            "expected_calibration_error": self.calibration.error(),
            "expected_calibration_error_untempered": self.untempered.error() if self.untempered else None,
            "uncertainty": self.risk_coverage().summary(),
            "empty_rule": EMPTY_RULE,
            "nsd_tolerance": NSD_TOLERANCE,
            "flips": self.flips,
            "turns": self.turns,
            "threshold": self.threshold,
            "doubtful": self.doubtful,
            "notes": self.notes,
            "environment": self.environment,
        }

    def table(self) -> str:
        """The score table as text, with the rule it follows."""
        kind = {"val": "validation (the weights were chosen on it)", "test": "test"}.get(self.split, "all images")
        lines = [f"{self.source}, {kind}, {len(self.images)} images, mean over images [95 % interval]"]
        columns = list(self.class_names) if len(self.class_names) > 1 else []
        lines.append(f"{'':<20}{'mean' if columns else self.class_names[0]:<28}" + "".join(f"{c:<28}" for c in columns))
        for metric, name in METRICS.items():
            intervals = [self.interval(metric)]
            intervals += [self.interval(metric, label) for label in range(1, len(columns) + 1)]
            if intervals[0].count:
                short = f" ({intervals[0].count} images)" if intervals[0].count < len(self.images) else ""
                lines.append(f"{name:<20}" + "".join(f"{interval!s:<28}" for interval in intervals).rstrip() + short)
        pooled = self.pooled()
        before = f" (untempered {self.untempered.error():.4f})" if self.untempered else ""
        lines.append(f"{'calibration error':<20}{self.calibration.error():.4f}{before}")
        risk = self.risk_coverage()
        lines.append(
            f"{'uncertainty':<20}area under risk-coverage {risk.area:.4f} "
            f"({risk.chance_area:.4f} by chance, {risk.best_area:.4f} at best)"
        )
        lines.append(
            f"pooled over all pixels: Dice {pooled['dice']:.4f}, IoU {pooled['iou']:.4f}, "
            f"mean IoU with background {pooled['iou_with_background']:.4f}"
        )
        lines.append(EMPTY_RULE)
        return "\n".join(lines)


def evaluate(
    run: str | Path,
    data: str | Path | None = None,
    *,
    split: Literal["auto", "test", "val"] = "auto",
    machine: Machine | None = None,
    flips: bool = False,
    turns: bool = False,
    mask_options: MaskOptions | None = None,
    group: str | None = None,
    skip_broken: bool = False,
    own: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a network and write ``images.csv`` and ``summary.json`` where ``evaluation_folder`` says.

    Args:
        run: a run folder; that of an ensemble, whose validation images are judged by the fold that has not seen them;
            a model file, or the name of a network of the zoo, which need data.
        data: what to judge on; the run's own data when left out. Of a data set that names test images these alone
            are used, of another one all images; images that the run was trained on are left out.
        split: of the run's own data: ``auto`` is test where there is a test split, else val.
        own: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.
        progress: called with the images done and their number.

    Raises: InputError if the run or the data cannot be used.
    """
    network = Path(run)
    folder = find_run(network)
    record = None if folder is None else read_run(folder)[1]
    machine = machine or choose_machine()
    predictor = Predictor(folder or network, machine=machine, flips=flips, turns=turns, own=own)
    known = predictor.description.convention
    convention = None if mask_options is not None else known
    dataset, of_run = open_judged(run, data, record, mask_options, group, convention, skip_broken)
    if dataset.convention.num_classes != known.num_classes:
        raise InputError(
            f"{dataset.source} has {dataset.convention.num_classes} classes, the run {known.num_classes}: "
            "judge it on data with the same classes"
        )
    if of_run and record is not None:
        samples, chosen, notes = choose_of_run(dataset, record, split, predictor.folds)
    else:
        samples, chosen, notes = choose_foreign(dataset, images_seen(network), split)
    shape = take_fingerprint(dataset, {sample.name for sample in samples}) if record is None else record.fingerprint
    judge = predictor.blind_to if chosen == "val" else lambda _: predictor
    untempered = Calibration() if predictor.folds is None else None
    scores, calibration, confusion = _score(judge, dataset, samples, shape.thickness < _THIN, untempered, progress)
    if predictor.folds is not None:
        notes = (*notes, _tell_folds(predictor.folds, scores, chosen))
    evaluation = Evaluation(
        run=folder or network,
        source=record.source if of_run and record is not None else str(data),
        split=chosen,
        images=tuple(scores),
        convention=dataset.convention.model_copy(update={"class_names": known.class_names}),
        calibration=calibration,
        untempered=untempered,
        confusion=confusion,
        flips=flips,
        turns=turns,
        threshold=predictor.description.threshold,
        doubtful=predictor.description.doubtful,
        environment=environment(machine),
        notes=notes,
        own=own,
    )
    target = evaluation_folder(evaluation)
    write_csv(target / "images.csv", _rows(evaluation))
    write_json(target / "summary.json", evaluation.summary())
    return evaluation


def evaluation_folder(evaluation: Evaluation) -> Path:
    """Where an evaluation is kept: in its run; under ``evaluations/NAME`` of a network that comes alone."""
    home = evaluation.run / "evaluation" if evaluation.run.is_dir() else Path("evaluations") / evaluation.run.stem
    name = evaluation.split
    if name == "all":
        source = absolute_source(evaluation.source)
        name = f"{Path(source).stem}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:8]}".replace(":", "-")
    return home / f"{name}{'_flips' * evaluation.flips}{'_turns' * evaluation.turns}"


def _score(
    judge: Callable[[str], Predictor],
    dataset: Dataset,
    samples: list[Sample],
    thin: bool,
    untempered: Calibration | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[ImageScores], Calibration, Array]:
    classes = dataset.convention.num_classes
    scores, calibration, confusion = [], Calibration(), np.zeros((classes, classes), np.int64)
    for done, sample in enumerate(samples, start=1):
        image, labels = dataset.read(sample)
        predictor = judge(sample.name)
        found = predictor.predict_batch([image], [sample.name])[0]
        of_classes = tuple(score_image(found.probability, found.mask, labels, thin=thin))
        scores.append(ImageScores(sample, of_classes, found.uncertainty))
        calibration.add(found.probability, labels)
        if untempered is not None:
            powers = found.probability**predictor.description.temperature  # the softmax of logits not divided by it
            untempered.add(powers / powers.sum(axis=0), labels)
        counted = labels != IGNORED
        pairs = labels[counted].astype(np.int64) * classes + found.mask[counted]
        confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        if progress:
            progress(done, len(samples))
    return scores, calibration, confusion


def _tell_folds(folds: Folds, scores: list[ImageScores], split: str) -> str:
    if split != "val":
        return f"the probabilities of {folds.count} networks, one for each fold, are averaged"
    dice: dict[int, list[float]] = {fold: [] for fold in range(folds.count)}
    for image in scores:
        dice[folds.fold_of[image.sample.name]].append(image.dice)
    told = ", ".join(f"{np.mean(values):.4f}" for values in dice.values())
    return f"cross-validated: every image is judged by the network that has not seen it; Dice of the folds: {told}"


def _rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "image": image.sample.name,
            "class": name,
            "group": image.sample.group or "",
            **asdict(scores),
            "uncertainty": image.uncertainty,
        }
        for image in evaluation.images
        for name, scores in zip(evaluation.class_names, image.classes, strict=True)
    ]
