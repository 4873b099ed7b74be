"""Metrics of one image, class by class, with one written rule for empty masks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_confusion_matrix_metric,
    compute_hausdorff_distance,
    compute_surface_dice,
    get_confusion_matrix,
)
from skimage.morphology import skeletonize
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.spacing import Lengths
from amsunet.evaluation.object_scores import ObjectScores
from amsunet.evaluation.statistics import mean_of_known

EMPTY_RULE = (
    "Where truth and prediction are both empty, Dice, IoU, NSD and clDice are 1, and ASSD like HD95 is left out and "
    "counted; where exactly one is empty, they are 0 and both distances are the image's diagonal. "
    "An image with only ignored pixels, and a class that is in no image, have no score: both are left out and counted."
)
NSD_TOLERANCE = 2.0
"""In pixels; where lengths are known, as much as so many typical pixels."""
_NEARLY = 1 + 1e-6
"""Lengths are sums of fractions: what is as far as the tolerance is within it."""
METRICS = {
    "dice": "Dice",
    "iou": "IoU",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "accuracy": "pixel accuracy",
    "hd95": "HD95 (pixels)",
    "assd": "ASSD (pixels)",
    "nsd": f"NSD at {NSD_TOLERANCE:g} pixels",
    "cldice": "clDice",
    "auc": "AUC",
    "average_precision": "average precision",
}
"""Names of the scores that are averaged over images."""


def metric_names(lengths: Lengths) -> dict[str, str]:
    """``METRICS`` with the unit that lengths are in."""
    if lengths.unit == "pixels":
        return METRICS
    nsd = f"NSD at {NSD_TOLERANCE * lengths.pixel:.3g} {lengths.unit}"
    return METRICS | {"hd95": f"HD95 ({lengths.unit})", "assd": f"ASSD ({lengths.unit})", "nsd": nsd}


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class in one image.

    A score is NaN where it does not exist, as sensitivity without a true pixel. All are NaN in an image whose pixels
    are all ignored.
    """

    dice: float
    iou: float
    sensitivity: float
    specificity: float
    precision: float
    accuracy: float
    hd95: float
    assd: float
    nsd: float
    cldice: float
    auc: float
    average_precision: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def occurs(self) -> bool:
        """Whether any true pixel is of the class."""
        return self.true_positives + self.false_negatives > 0


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image, for each class but the background."""

    sample: Sample
    classes: tuple[ClassScores, ...]
    """By the rule for a single image, whatever the others hold."""
    labels: tuple[int, ...]
    """Classes, from 1, that are in some of the images evaluated: means are over these."""
    uncertainty: float
    """One minus the Dice that was to be expected from the probabilities."""
    out_of_distribution: str = ""
    """In what the image differs from all training images; empty if it is not."""
    polarity: str = ""
    """How it was taken, where it may show bright objects on dark or dark ones on bright."""
    observer: tuple[ClassScores, ...] = ()
    """Scores of a second observer's mask against the same reference; empty where there is none."""
    objects: tuple[ObjectScores, ...] = ()
    """Scores of its objects, class by class, where they were asked for."""

    @property
    def dice(self) -> float:
        """Mean over the classes; NaN where there is none, as in an image without a pixel that counts."""
        return self.mean("dice", self.labels)

    def mean(self, metric: str, labels: Sequence[int], *, with_object: bool = False) -> float:
        """Mean of a metric over some classes, or over those of them that are in the image; NaN without any."""
        chosen = [self.classes[label - 1] for label in labels]
        return mean_of_known([getattr(one, metric) for one in chosen if one.occurs or not with_object])


_UNDEFINED = ClassScores(**dict.fromkeys(METRICS, math.nan), true_positives=0, false_positives=0, false_negatives=0,
                         true_negatives=0)  # fmt: skip


def score_image(
    probability: Array,
    predicted: Array,
    labels: Array,
    *,
    spacing: tuple[float, float] | None = None,
    tolerance: float = NSD_TOLERANCE,
    thin: bool = False,
) -> list[ClassScores]:
    """Score a segmentation against the reference; pixels labelled ``IGNORE_INDEX`` are left out of all scores.

    Args:
        probability: (K, H, W), float.
        predicted: (H, W) of class numbers.
        labels: (H, W) of class numbers and ``IGNORE_INDEX``.
        spacing: Size of a pixel (rows, columns), in the unit that distances are to have; pixels without it.
        tolerance: Of the NSD, in this unit.
        thin: Whether to compute clDice too (Shit et al., CVPR 2021); NaN otherwise.

    Returns:
        Scores of the classes 1 ... K - 1.
    """
    counted = labels != IGNORE_INDEX
    if not counted.any():
        return [_UNDEFINED] * (len(probability) - 1)
    return [
        _score_class(
            probability[label],
            (predicted == label) & counted,
            (labels == label) & counted,
            counted,
            (spacing or (1.0, 1.0), tolerance),
            thin,
        )
        for label in range(1, len(probability))
    ]


def score_mask(
    predicted: Array,
    labels: Array,
    num_classes: int,
    *,
    spacing: tuple[float, float] | None = None,
    tolerance: float = NSD_TOLERANCE,
    thin: bool = False,
) -> list[ClassScores]:
    """Score a mask without probabilities, such as an observer's: ``score_image`` without AUC and average precision.

    Args:
        predicted: (H, W) of class numbers.
        labels: (H, W) of class numbers and ``IGNORE_INDEX``.
        num_classes: With the background.
        spacing: As for ``score_image``.
        tolerance: As for ``score_image``.
        thin: Whether to compute clDice too.

    Returns:
        Scores of the classes 1 ... ``num_classes`` - 1.
    """
    certain = (predicted == np.arange(num_classes)[:, None, None]).astype(np.float32)
    scores = score_image(certain, predicted, labels, spacing=spacing, tolerance=tolerance, thin=thin)
    return [replace(one, auc=math.nan, average_precision=math.nan) for one in scores]


def _score_class(
    probability: Array,
    predicted: Array,
    true: Array,
    counted: Array,
    surface: tuple[tuple[float, float], float],
    thin: bool,
) -> ClassScores:
    # Ignored pixels do not enter the table; MONAI takes any shape behind (batch, class).
    flat = [torch.from_numpy(mask[counted].astype(np.uint8))[None, None] for mask in (predicted, true)]
    table = get_confusion_matrix(*flat, include_background=True)
    tp, fp, tn, fn = (int(value) for value in table[0, 0])
    both_empty, one_empty = tp + fp + fn == 0, (tp + fp == 0) != (tp + fn == 0)

    def rate(name: str) -> float:
        return float(compute_confusion_matrix_metric(name, table)[0, 0])

    if both_empty or one_empty:
        overlap = 1.0 if both_empty else 0.0
        sides = [side * step for side, step in zip(true.shape, surface[0], strict=True)]
        distance = math.nan if both_empty else math.hypot(*sides)
        surfaces = (overlap, overlap, distance, distance, overlap, overlap if thin else math.nan)
    else:
        hd95, assd, nsd = _surface_scores(predicted, true, *surface)
        surfaces = (
            rate("f1 score"),
            rate("threat score"),
            hd95,
            assd,
            nsd,
            centreline_dice(predicted, true) if thin else math.nan,
        )
    dice, iou, hd95, assd, nsd, cldice = surfaces
    scores = torch.from_numpy(np.ascontiguousarray(probability[counted]))
    both_kinds = tp + fn > 0 and fp + tn > 0
    return ClassScores(
        dice=dice,
        iou=iou,
        sensitivity=rate("sensitivity"),
        specificity=rate("specificity"),
        precision=rate("precision"),
        accuracy=rate("accuracy"),
        hd95=hd95,
        assd=assd,
        nsd=nsd,
        cldice=cldice,
        auc=float(binary_auroc(scores, flat[1][0, 0].long())) if both_kinds else math.nan,
        average_precision=float(binary_average_precision(scores, flat[1][0, 0].long())) if both_kinds else math.nan,
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        true_negatives=tn,
    )


def _surface_scores(
    predicted: Array, true: Array, spacing: tuple[float, float], tolerance: float
) -> tuple[float, float, float]:
    """HD95, the mean distance of both surfaces (ASSD), and NSD."""
    masks: tuple[Tensor, ...] = tuple(torch.from_numpy(mask.astype(np.uint8))[None, None] for mask in (predicted, true))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hd95 = compute_hausdorff_distance(*masks, include_background=True, percentile=95, spacing=spacing)
        assd = compute_average_surface_distance(*masks, include_background=True, symmetric=True, spacing=spacing)
        nsd = compute_surface_dice(*masks, [tolerance * _NEARLY], include_background=True, spacing=spacing)
    return float(hd95), float(assd), float(nsd)


def centreline_dice(predicted: Array, true: Array) -> float:
    """Compute clDice: the harmonic mean of the shares of each mask's skeleton that lie in the other mask.

    Source: Shit et al., CVPR 2021, arXiv 2003.07311.

    Args:
        predicted: (H, W) of bool, not empty.
        true: (H, W) of bool, not empty.

    Returns:
        clDice, 0 to 1.
    """
    precision = float(true[skeletonize(predicted)].mean())
    sensitivity = float(predicted[skeletonize(true)].mean())
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0
