"""Means with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap

_RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval; NaN where there is nothing, or too little, to compute it from."""

    mean: float
    low: float
    high: float
    count: int
    """Images that have a value."""

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "none"
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_with_interval(values: Sequence[float], groups: Sequence[str | None] | None = None) -> Interval:
    """Mean over images with a percentile bootstrap interval over images, or over groups (patients) where given.

    Values that are NaN are left out.
    """
    names = list(groups) if groups is not None else [None] * len(values)
    sums: dict[str, list[float]] = {}
    for index, (value, name) in enumerate(zip(values, names, strict=True)):
        if not math.isnan(value):
            sums.setdefault(name if name is not None else f"image {index}", []).append(value)
    if not sums:
        return Interval(math.nan, math.nan, math.nan, 0)
    totals = np.array([sum(of_group) for of_group in sums.values()])
    counts = np.array([len(of_group) for of_group in sums.values()])
    mean = float(totals.sum() / counts.sum())
    if len(totals) < 2:
        return Interval(mean, math.nan, math.nan, int(counts.sum()))
    interval = bootstrap(
        (totals, counts),
        lambda totals, counts, axis=-1: totals.sum(axis) / counts.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(interval.low), float(interval.high), int(counts.sum()))
