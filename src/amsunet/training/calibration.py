"""The temperature that makes a network as sure as it is right, fitted on validation images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_calibration_error

from amsunet.data.masks import IGNORE_INDEX
from amsunet.training.validation import ValidationLogits

_IMAGES = 24
_PIXELS = 20_000
"""Drawn from each image: neighbours carry the same information."""
_BINS = 15
_LARGEST = 10.0


@dataclass(frozen=True)
class TemperatureFit:
    """What dividing the logits by ``temperature`` does to the expected calibration error on validation pixels."""

    temperature: float
    error_before: float
    error_after: float
    images: int
    pixels: int

    def __str__(self) -> str:
        return (
            f"temperature {self.temperature:.2f}: calibration error on validation pixels "
            f"{self.error_before:.4f} before, {self.error_after:.4f} after"
        )


def fit_temperature(validation: ValidationLogits) -> TemperatureFit:
    """Find the temperature of least cross-entropy.

    Source: Guo et al., ICML 2017, arXiv 1706.04599.
    """
    images = range(0, len(validation), -(-len(validation) // _IMAGES))
    rng = np.random.default_rng(0)
    drawn: list[tuple[Tensor, Tensor]] = []
    for index in images:
        of_image, labels = validation[index]
        places = np.flatnonzero(labels.ravel() != IGNORE_INDEX)
        places = rng.permutation(places)[:_PIXELS]
        pixels = torch.from_numpy(of_image.reshape(len(of_image), -1)[:, places].T)
        drawn.append((pixels, torch.from_numpy(labels.ravel()[places]).long()))
    logits, targets = (torch.cat(parts) for parts in zip(*drawn, strict=True))

    def cross_entropy(log_temperature: float) -> float:
        return float(F.cross_entropy(logits / math.exp(log_temperature), targets))

    bound = math.log(_LARGEST)
    found = minimize_scalar(cross_entropy, bounds=(-bound, bound), method="bounded") if len(targets) else None
    temperature = 1.0 if found is None else math.exp(found.x)
    return TemperatureFit(
        temperature, _error(logits, targets), _error(logits / temperature, targets), len(images), len(targets)
    )


def _error(logits: Tensor, targets: Tensor) -> float:
    if not len(targets):
        return math.nan
    probabilities = torch.softmax(logits, dim=1)
    return float(multiclass_calibration_error(probabilities, targets, logits.shape[1], n_bins=_BINS))
