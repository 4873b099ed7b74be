"""What the light study claims, computed: a network's Dice less that of a curve of others at its own time.

The curve joins networks by straight lines over the logarithm of time, and is level beyond its ends. Intervals come from
a bootstrap over images, which all networks share, and over the seeds of each network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from amsunet.data.images import Array

RESAMPLES = 2000
WORST = 0.005
"""What a network may lose on a single data set."""

Scores = Mapping[str, Mapping[str, Array]]
"""By data set and network: Dice (seeds, images), the images in the same order for all."""


def advantage(scores: Scores, name: str, curve: Sequence[str], seconds: Mapping[str, Mapping[str, float]]) -> Any:
    """Dice of a network less the curve's at its own time.

    Args:
        scores: Of the networks.
        name: The network.
        curve: Networks that the curve joins; one is a level line.
        seconds: By data set and network, what the curve is over.

    Returns:
        The difference with its 95 % interval in the mean over data sets and on each, and whether it dominates: above 0
        in the mean, and nowhere below ``-WORST``.
    """
    rng = np.random.default_rng(0)
    drawn = {data: _differences(of_data, name, curve, seconds[data], rng) for data, of_data in scores.items()}
    found = {data: _interval(values) for data, values in drawn.items()}
    mean = _interval(np.mean(list(drawn.values()), axis=0))
    dominates = mean["low"] > 0 and all(one["low"] > -WORST for one in found.values())
    return {"network": name, "curve": list(curve), "mean": mean, "data": found, "dominates": bool(dominates)}


def _differences(
    dice: Mapping[str, Array], name: str, curve: Sequence[str], seconds: Mapping[str, float], rng: np.random.Generator
) -> Array:
    """As measured, first, and in every resample."""
    count = dice[name].shape[1]
    images = rng.integers(0, count, (RESAMPLES, count))
    means = {one: _means(dice[one], images, rng) for one in dict.fromkeys([name, *curve])}
    ordered = sorted(curve, key=lambda one: seconds[one])
    at = np.log(seconds[name])
    places = np.log([seconds[one] for one in ordered])
    level = np.stack([means[one] for one in ordered])
    reference = np.array([np.interp(at, places, column) for column in level.T])
    result: Array = means[name] - reference
    return result


def _means(dice: Array, images: Array, rng: np.random.Generator) -> Array:
    seeds = rng.integers(0, len(dice), (RESAMPLES, len(dice)))
    resampled = [dice[of_seeds][:, of_images].mean() for of_seeds, of_images in zip(seeds, images, strict=True)]
    return np.array([dice.mean(), *resampled])


def _interval(values: Array) -> dict[str, float]:
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return {"difference": float(values[0]), "low": float(low), "high": float(high)}


def better_rates(dice: Mapping[str, Mapping[float, Sequence[float]]]) -> dict[str, float]:
    """The learning rate of each network by its mean Dice; a tie goes to the smaller one.

    Args:
        dice: By network and rate, a mean for each data set.
    """
    return {
        name: min(of_network, key=lambda rate: (-float(np.mean(of_network[rate])), rate))
        for name, of_network in dice.items()
    }


def seed_deviation(scores: Scores) -> float | None:
    """Standard deviation over seeds of the mean Dice over data sets, pooled over networks; None with one seed.

    Args:
        scores: Of the networks. Deviations on several data sets are independent, so their mean's is smaller.
    """
    variances = []
    for of_data in scores.values():
        several = [dice.mean(axis=1).var(ddof=1) for dice in of_data.values() if len(dice) > 1]
        if not several:
            return None
        variances.append(float(np.mean(several)))
    return float(np.sqrt(np.sum(variances)) / len(variances))
