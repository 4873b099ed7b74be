"""Scores of objects: which were found, by their overlap with the true ones, and how many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from amsunet.data.images import Array
from amsunet.data.instances import Instances
from amsunet.data.object_matching import average_precision, match_objects
from amsunet.evaluation.statistics import Interval, mean_of_known, mean_with_interval
from amsunet.inference.objects import Objects

if TYPE_CHECKING:
    from amsunet.evaluation.metrics import ImageScores

OBJECT_METRICS = {
    "object_ap50": "AP at IoU 0.5",
    "object_ap": "AP at IoU 0.5 to 0.95",
    "object_f1": "F1 at IoU 0.5",
    "count_error": "count error",
}
"""Names of the scores that are averaged over images."""
OBJECT_RULE = (
    "An object is found if its IoU with a true one is at least so much; AP is hits / (hits + false + missed). Where "
    "there are no objects, true or found, AP and F1 are 1. The count error is |found - true| / true, of images that "
    "hold some."
)


@dataclass(frozen=True)
class ObjectScores:
    """Scores of the objects of one class in one image; all are NaN in an image whose pixels are all ignored."""

    object_ap50: float
    object_ap: float
    object_f1: float
    count_error: float
    true_objects: int
    found_objects: int


_UNDEFINED = ObjectScores(math.nan, math.nan, math.nan, math.nan, 0, 0)


def score_objects(found: Objects, true: Instances, num_classes: int) -> tuple[ObjectScores, ...]:
    """Score the objects of an image, class by class.

    Args:
        found: Those of the network.
        true: Those of the reference.
        num_classes: With the background.

    Returns:
        Scores of the classes 1 ... ``num_classes`` - 1.
    """
    if not true.counted.any():
        return (_UNDEFINED,) * (num_classes - 1)
    return tuple(
        _score_class(_of_class(found, label, true.counted), _of_class(true, label, true.counted))
        for label in range(1, num_classes)
    )


def _of_class(objects: Objects | Instances, label: int, counted: Array) -> Array:
    chosen = np.concatenate([[False], objects.classes == label])
    numbers: Array = np.where(chosen[objects.numbers] & counted, objects.numbers, 0)
    return numbers


def _score_class(found: Array, true: Array) -> ObjectScores:
    found_count, true_count, hits = match_objects(found, true)
    precision = average_precision(found_count, true_count, hits)
    total = found_count + true_count
    return ObjectScores(
        object_ap50=float(precision[0]),
        object_ap=float(precision.mean()),
        object_f1=float(2 * hits[0] / total) if total else 1.0,
        count_error=abs(found_count - true_count) / true_count if true_count else math.nan,
        true_objects=true_count,
        found_objects=found_count,
    )


@dataclass(frozen=True)
class ObjectEvaluation:
    """What an evaluation found of objects.

    Attributes:
        images: The images, each with ``objects``.
        labels: Classes, from 1, that are in some of the images.
        class_names: Of all classes but the background.
        separation: Of the network, see ``find_objects``.
    """

    images: Sequence[ImageScores]
    labels: Sequence[int]
    class_names: Sequence[str]
    separation: float

    def interval(self, metric: str, label: int | None = None) -> Interval:
        """Mean of a metric over images, with its interval: of one class (1, 2, ...), or of the mean over classes."""
        labels = [one for one in self.labels if label in (None, one)]
        values = [mean_of_known([getattr(image.objects[one - 1], metric) for one in labels]) for image in self.images]
        return mean_with_interval(values, [image.sample.group for image in self.images])

    def counts(self, label: int | None = None) -> tuple[int, int]:
        """How many objects there are in all images, and how many were found."""
        chosen = [
            image.objects[one - 1] for image in self.images for one in range(1, len(self.class_names) + 1)
            if label in (None, one)
        ]  # fmt: skip
        return sum(one.true_objects for one in chosen), sum(one.found_objects for one in chosen)

    def describe(self) -> str:
        """How objects were found, and how many there are."""
        parted = f"parted at waists {self.separation:g} px deep" if self.separation else "connected components"
        true, found = self.counts()
        return f"objects, {parted}: {found} found, {true} true"

    def summary(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "separation": self.separation,
            "mean_over_classes": self._means(None),
            "classes": {name: self._means(label) for label, name in enumerate(self.class_names, start=1)},
            "rule": OBJECT_RULE,
        }

    def _means(self, label: int | None) -> dict[str, Any]:
        true, found = self.counts(label)
        means = {metric: asdict(self.interval(metric, label)) for metric in OBJECT_METRICS}
        return {"true_objects": true, "found_objects": found, **means}
