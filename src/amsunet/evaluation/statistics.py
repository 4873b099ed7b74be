"""Statistics over images: means with intervals, paired tests, risk-coverage curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, rankdata, spearmanr, wilcoxon

from amsunet.data.images import Array

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


@dataclass(frozen=True)
class RiskCoverage:
    """The loss, one minus Dice, on the images that are kept when the most uncertain ones are left out.

    Source:
        Geifman & El-Yaniv, NeurIPS 2017, arXiv 1705.08500; the area under the curve as in arXiv 1805.08206.
    """

    coverage: Array
    """(n,): 1 / n, 2 / n, ... 1, the share of images kept."""
    risk: Array
    """(n,): their mean loss, the surest images kept first."""
    best_risk: Array
    """(n,): if the best images were kept first."""
    correlation: float
    """Spearman's, of uncertainty and loss; NaN where one of them is the same for all images."""

    @property
    def area(self) -> float:
        """Under the curve: the mean risk over all coverages."""
        return float(self.risk.mean())

    @property
    def best_area(self) -> float:
        """Under the curve of an uncertainty that ranks images by their Dice."""
        return float(self.best_risk.mean())

    @property
    def chance_area(self) -> float:
        """Under the curve of a random order, on average: the mean loss of all images."""
        return float(self.risk[-1])

    def summary(self) -> dict[str, float]:
        """The figures for JSON."""
        return {
            "area_under_risk_coverage": self.area,
            "area_by_chance": self.chance_area,
            "area_of_the_best_order": self.best_area,
            "rank_correlation_with_loss": self.correlation,
        }


def risk_coverage(uncertainty: Array, dice: Array) -> RiskCoverage:
    """The risk-coverage curve of an uncertainty.

    Images of the same uncertainty share their loss: their order in the file has no meaning.

    Args:
        uncertainty: (n,), at least one image.
        dice: (n,).
    """
    loss, kept = 1 - np.asarray(dice, float), np.arange(1, len(dice) + 1)
    _, place, count = np.unique(uncertainty, return_inverse=True, return_counts=True)
    shared = (np.bincount(place, loss) / count)[place]
    varies = len(count) > 1 and len(np.unique(loss)) > 1
    return RiskCoverage(
        coverage=kept / len(loss),
        risk=np.cumsum(shared[np.argsort(uncertainty, kind="stable")]) / kept,
        best_risk=np.cumsum(np.sort(loss)) / kept,
        correlation=float(spearmanr(uncertainty, loss).statistic) if varies else float("nan"),
    )
