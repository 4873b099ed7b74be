"""Means with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, rankdata, wilcoxon

_RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % bootstrap interval; NaN where there are no values, or too few."""

    mean: float
    low: float
    high: float
    count: int
    """Images with a value."""

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "none"
        if math.isnan(self.low):
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_of_known(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def mean_with_interval(values: Sequence[float], groups: Sequence[str | None] | None = None) -> Interval:
    """Average over images, with a percentile bootstrap interval over images, or over groups where given.

    Args:
        values: One value for each image; NaN is left out.
        groups: The group (patient) of each image, None where unknown.

    Returns:
        The mean and its 95 % interval.
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


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison of two networks on the same images or patients."""

    difference: float
    """Mean over pairs of the second less the first."""
    effect: float
    """Matched-pairs rank-biserial correlation, -1 ... 1: the share of rank sums in favour of the second less that in
    favour of the first."""
    p: float
    """p value of the Wilcoxon signed-rank test, two-sided; NaN where all pairs are equal."""


def paired_test(first: Sequence[float], second: Sequence[float]) -> PairedTest:
    """Compare two networks pair by pair.

    Source: Wilcoxon, Biometrics Bulletin 1945; effect size of Kerby, Comprehensive Psychology 2014.

    Args:
        first: Scores of the first network.
        second: Scores of the second network, in the same order; pairs with a NaN are left out.

    Returns:
        The test; all NaN without any pair.
    """
    differences = np.asarray(second, float) - np.asarray(first, float)
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return PairedTest(math.nan, math.nan, math.nan)
    if not differences.any():
        return PairedTest(0.0, 0.0, math.nan)
    changed = differences[differences != 0]
    ranks = rankdata(np.abs(changed))
    effect = float(np.sign(changed) @ ranks / ranks.sum())
    return PairedTest(float(differences.mean()), effect, float(wilcoxon(differences).pvalue))


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p values for multiple testing (Holm, Scandinavian Journal of Statistics 1979).

    Args:
        ps: p values; NaN stay NaN and are not counted.

    Returns:
        The corrected p values, in the same order.
    """
    known = sorted((p, index) for index, p in enumerate(ps) if not math.isnan(p))
    corrected, largest = [math.nan] * len(ps), 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[index] = largest
    return corrected
