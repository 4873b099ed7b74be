"""What an evaluation found, and how it is written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.choices import Polarity
from amsunet.data.groups import without_patients
from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.data.masks.inversion import how_to_invert
from amsunet.data.spacing import Lengths
from amsunet.evaluation.calibration import Calibration
from amsunet.evaluation.findings import PixelCounts
from amsunet.evaluation.metrics import EMPTY_RULE, METRICS, NSD_TOLERANCE, ImageScores, metric_names
from amsunet.evaluation.object_scores import ObjectEvaluation
from amsunet.evaluation.observer import Observer
from amsunet.evaluation.score_table import as_text
from amsunet.evaluation.statistics import Interval, RiskCoverage, mean_of_known, mean_with_interval, risk_coverage
from amsunet.evaluation.volume_scores import VolumeScores, VolumeSummary, summarise
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import TTA
from amsunet.inference.uncertainty import describe_out_of_distribution, describe_polarity_in_doubt
from amsunet.training.run_folder import absolute_source


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    model: ModelRef
    network: str
    """Name of the network."""
    source: str
    split: str
    """``test``, ``val``, or ``all`` of a foreign data set."""
    images: tuple[ImageScores, ...]
    convention: MaskConvention
    calibration: Calibration
    uncalibrated: Calibration | None
    """Of the logits as the network gives them; None of an ensemble, whose networks have a temperature each."""
    confusion: Array
    """(K, K) pixels over all images, true class by predicted class."""
    tta: TTA
    threshold: float
    uncertainty_limit: float | None
    """Uncertainty above which a mask is to be checked, where it is known."""
    environment: dict[str, Any]
    notes: tuple[str, ...]
    volumes: tuple[VolumeScores, ...] = ()
    """Whole volumes, where images are slices."""
    image_scale: float | None = None
    """Working pixels per image pixel, where they were set."""
    lengths: Lengths = Lengths()  # noqa: RUF009 - frozen
    """What distances are in."""
    polarity: Polarity = "auto"
    """What the objects of all images were taken as; ``auto`` where the network found it out of each."""
    separation: float = 0.0
    """Of the objects, see ``find_objects``."""
    is_separation_set: bool = False
    """Whether that is another one than the network comes with."""
    predictor: Predictor | None = field(default=None, repr=False, compare=False)
    """The model that was evaluated, kept for the report, which shows some images again."""
    out: Path | None = None
    """The folder that was named for it."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Without the background."""
        return self.convention.class_names[1:]

    @property
    def metric_names(self) -> dict[str, str]:
        """What each metric is called, with its unit."""
        return metric_names(self.lengths)

    @property
    def title(self) -> str:
        """Network, data and split."""
        split = {"test": ", test", "val": ", validation"}.get(self.split, "")
        return f"{self.network} on {name_of(self.source)}{split}"

    @cached_property
    def marks(self) -> PixelCounts:
        """Where classes are and were found."""
        return PixelCounts.from_scores({image.sample.name: image.classes for image in self.images}, self.class_names)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """What must be known before the scores are read."""
        worst_first = sorted(self.images, key=lambda image: -image.uncertainty)
        foreign = [(image.sample.name, image.out_of_distribution) for image in worst_first if image.out_of_distribution]
        unclear = [(image.sample.name, image.polarity) for image in worst_first if image.polarity]
        of_images = filter(
            None, (describe_out_of_distribution(foreign, len(self.images)), describe_polarity_in_doubt(unclear))
        )
        of_masks = self.marks.describe_inversion(how_to_invert(self.convention))
        return (*self.marks.describe_data(), *self.marks.describe_network(), *of_masks, *of_images)

    @property
    def scored(self) -> int:
        """Images with any pixel that counts."""
        return len(self.images) - len(self.marks.unscored)

    def images_with(self, label: int | None = None) -> int:
        """Images that hold a class (1, 2, ...), or any."""
        chosen = slice(None) if label is None else [label - 1]
        return int(self.marks.true[:, chosen].any(axis=1).sum())

    @cached_property
    def all_hold_all(self) -> bool:
        """Whether every class that has a score is in every image that has one, so that there is but one mean."""
        return all(self.images_with(label) == self.scored for label in self.marks.labels)

    def interval(self, metric: str, label: int | None = None, *, with_object: bool = False) -> Interval:
        """Mean of a metric over images, with its interval: of one class (1, 2, ...), or of the mean over classes.

        Args:
            metric: Its name.
            label: The class (1, 2, ...); None for the mean over classes.
            with_object: Over the images that hold the class; of the mean over classes, over those in each image.
        """
        asked = (metric, label, with_object and not self.all_hold_all)
        if asked not in self._intervals:
            labels = [one for one in self.marks.labels if label in (None, one)]
            values = [image.mean(metric, labels, with_object=asked[2]) for image in self.images]
            self._intervals[asked] = mean_with_interval(values, [image.sample.group for image in self.images])
        return self._intervals[asked]

    @cached_property
    def volume_summaries(self) -> list[VolumeSummary]:
        """Of each class that some volume holds; empty where images are no slices."""
        return summarise(self.volumes, self.class_names, self.marks.labels) if self.volumes else []

    @cached_property
    def observer(self) -> Observer | None:
        """A second observer's masks scored like the network's; None where no image has one."""
        there = tuple(image for image in self.images if image.observer)
        if not there:
            return None
        theirs = tuple(replace(image, classes=image.observer) for image in there)
        return Observer(replace(self, images=theirs), replace(self, images=there), len(self.images))

    @cached_property
    def objects(self) -> ObjectEvaluation | None:
        """Scores of the objects; None where they were not asked for."""
        if not all(image.objects for image in self.images):
            return None
        return ObjectEvaluation(self.images, self.marks.labels, self.class_names, self.separation)

    def pooled(self) -> dict[str, float]:
        """Dice and IoU from the pixels of all images together, as much of the literature prints them, mean over the
        classes that are there; NaN without any.
        """
        hits, there = np.diag(self.confusion).astype(float), self.confusion.sum(axis=1) > 0
        either = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - hits
        iou, dice = hits / np.where(there, either, 1), 2 * hits / np.where(there, either + hits, 1)
        return {
            "dice": mean_of_known(dice[1:][there[1:]]),
            "iou": mean_of_known(iou[1:][there[1:]]),
            "iou_with_background": mean_of_known(iou[there]) if there[1:].any() else float("nan"),
        }

    def risk_coverage(self) -> RiskCoverage | None:
        """Whether uncertainty finds the masks that are wrong; None if no image has a score."""
        pairs = np.array([(image.uncertainty, image.dice) for image in self.images])
        pairs = pairs[~np.isnan(pairs[:, 1])]
        return risk_coverage(pairs[:, 0], pairs[:, 1]) if len(pairs) else None

    def to_review(self) -> list[ImageScores]:
        """The images whose masks are to be checked for their uncertainty."""
        return [
            image
            for image in self.images
            if self.uncertainty_limit is not None and image.uncertainty > self.uncertainty_limit
        ]

    @property
    def averaged_over(self) -> str:
        """The views of an image whose predictions were averaged; empty of the image alone."""
        views = {"flips": "mirror images", "rotations": "quarter turns", "d4": "mirror images and quarter turns"}
        return views.get(self.tta, "")

    def summary(self) -> dict[str, Any]:
        """Everything but the rows, ready for JSON."""
        risk = self.risk_coverage()
        return {
            "network": self.network,
            "source": self.source,
            "split": self.split,
            "images": len(self.images),
            "findings": self.findings,
            **self.means(),
            "with_object": {
                "images": self.images_with(),
                "mean_over_classes": self._means(None, with_object=True),
                "classes": {
                    name: {"images": self.images_with(label), **self._means(label, with_object=True)}
                    for label, name in self._labelled()
                },
            },
            "undefined": {
                "images": self.marks.unscored,
                "classes": [name for label, name in self._labelled() if label not in self.marks.labels],
            },
            "pooled_over_pixels": self.pooled(),
            **({"volumes": self._volumes()} if self.volumes else {}),
            "observer": self.observer.summary() if self.observer else None,
            **({"objects": self.objects.summary()} if self.objects else {}),
            "confusion": self.confusion.tolist(),
            "expected_calibration_error": self.calibration.error(),
            "expected_calibration_error_uncalibrated": self.uncalibrated.error() if self.uncalibrated else None,
            "uncertainty": risk.summary() if risk else None,
            "empty_rule": EMPTY_RULE,
            "unit_of_length": self.lengths.unit,
            "nsd_tolerance": NSD_TOLERANCE * self.lengths.pixel,
            "tta": self.tta,
            "image_scale": self.image_scale,
            "polarity": self.polarity,
            "threshold": self.threshold,
            "uncertainty_limit": self.uncertainty_limit,
            "notes": self.notes,
            "environment": self.environment,
        }

    def _volumes(self) -> dict[str, Any]:
        classes = {
            row.name: {key: value for key, value in asdict(row).items() if key != "name"}
            for row in self.volume_summaries
        }
        return {"volumes": len(self.volumes), "classes": classes}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every image and class, ready for CSV; a patient is called by the first image, for a run folder travels."""
        patients = without_patients((image.sample.name, image.sample.group) for image in self.images)
        for image in self.images:
            of_image = {
                "uncertainty": image.uncertainty,
                "out_of_distribution": image.out_of_distribution,
                "polarity": image.polarity,
            }
            if self.lengths.unit != "pixels":
                of_image["unit_of_length"] = self.lengths.unit
            for index, (name, scores) in enumerate(zip(self.class_names, image.classes, strict=True)):
                named = {"image": image.sample.name, "class": name, "group": patients[image.sample.name]}
                second = {"observer_dice": image.observer[index].dice if image.observer else ""}
                objects = asdict(image.objects[index]) if self.objects else {}
                yield {**named, **asdict(scores), **of_image, **(second if self.observer else {}), **objects}

    def table(self) -> str:
        """What was found as text, with the rule it follows."""
        return as_text(self)

    @cached_property
    def _intervals(self) -> dict[tuple[str, int | None, bool], Interval]:
        """Those that were asked for."""
        return {}

    def _labelled(self) -> list[tuple[int, str]]:
        return list(enumerate(self.class_names, start=1))

    def _means(self, label: int | None, *, with_object: bool = False) -> dict[str, dict[str, float]]:
        return {metric: asdict(self.interval(metric, label, with_object=with_object)) for metric in METRICS}

    def means(self) -> dict[str, Any]:
        """Every metric: the mean over classes, and each class."""
        return {
            "mean_over_classes": self._means(None),
            "classes": {name: self._means(label) for label, name in self._labelled()},
        }


def name_of(source: str) -> str:
    """What a data set is called, from where it lies."""
    return Path(absolute_source(source).removeprefix("sample:")).name.removesuffix(".csv")


def evaluation_folder(evaluation: Evaluation) -> Path:
    """Where an evaluation is kept: where that was named, in its run, else under ``evaluations/NAME``."""
    if evaluation.out is not None:
        return evaluation.out
    model = evaluation.model
    home = model.run / "evaluation" if model.run else Path("evaluations") / model.name
    name = evaluation.split
    if name == "all":
        source = absolute_source(evaluation.source)
        name = f"{Path(source).stem}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:8]}".replace(":", "-")
    scaled = "" if evaluation.image_scale is None else f"_scale{evaluation.image_scale:g}"
    views = "" if evaluation.tta == "none" else f"_{evaluation.tta}"
    polarity = "" if evaluation.polarity == "auto" else f"_{evaluation.polarity}"
    parted = f"_separation{evaluation.separation:g}" if evaluation.is_separation_set else ""
    return home / f"{name}{views}{scaled}{polarity}{parted}"
