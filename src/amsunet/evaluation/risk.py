"""Whether uncertainty tells which masks are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from amsunet.data.images import Array


@dataclass(frozen=True)
class RiskCoverage:
    """What is lost, as one minus Dice, on the images that are kept when the most uncertain ones are put aside.

    Source: Geifman & El-Yaniv, NeurIPS 2017, arXiv 1705.08500; the area under the curve as in arXiv 1805.08206.
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
        """Under the curve of an uncertainty that knows the Dice."""
        return float(self.best_risk.mean())

    @property
    def chance_area(self) -> float:
        """Under the curve of an uncertainty that knows nothing, on average: the mean loss of all images."""
        return float(self.risk[-1])

    def summary(self) -> dict[str, float]:
        """The figures, ready for JSON."""
        return {
            "area_under_risk_coverage": self.area,
            "area_by_chance": self.chance_area,
            "area_of_the_best_order": self.best_area,
            "rank_correlation_with_loss": self.correlation,
        }


def risk_coverage(uncertainty: Array, dice: Array) -> RiskCoverage:
    """Put images aside in the order of their uncertainty, (n,), and see what is lost on the others; at least one image.

    Images of the same uncertainty share their loss: their order in the file says nothing.
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
