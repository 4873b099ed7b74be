"""How good a mask is likely to be, from the probabilities that it was made from."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array


def measure_uncertainty(probability: Array, mask: Array) -> float:
    """One minus the Dice to be expected, mean over the classes but the background: 0 is sure.

    Of a class with mask m and probability p the expected Dice is 2 sum(m p) / (sum(m) + sum(p)); where m is empty, it
    is the probability that nothing was missed, taken as one minus the largest p. It is worth what the probabilities
    are: averaged over mirror images or over networks, they are less sure wherever these disagree.

    Source: Borges et al., soft Dice confidence, arXiv 2402.10665.

    Args:
        probability: (K, H, W).
        mask: (H, W) of class numbers.
    """
    expected = [_expected_dice(probability[label], mask == label) for label in range(1, len(probability))]
    return 1 - float(np.mean(expected))


def _expected_dice(probability: Array, mask: Array) -> float:
    found = int(np.count_nonzero(mask))
    if not found:
        return 1 - float(probability.max())
    hits = probability.sum(where=mask, dtype=np.float64)
    return float(2 * hits / (found + probability.sum(dtype=np.float64)))
