"""Which objects of two masks are one: those that overlap by enough intersection over union."""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_ROUNDING = 1e-9


def match_objects(found: Array, true: Array) -> tuple[int, int, Array]:
    """Count the objects of two masks, and those that are one object in both.

    Above an IoU of 0.5 an object has one partner at most. At just 0.5 it may have two, its halves, and counts once.

    Args:
        found: (H, W) of object numbers, 0 for the background; numbers may be left out.
        true: (H, W), likewise.

    Returns:
        How many are found, how many are true, and how many pairs there are at an IoU of 0.5, 0.55, ... 0.95, (10,).
    """
    (found, found_areas), (true, true_areas) = _numbered(found), _numbered(true)
    both = (found > 0) & (true > 0)
    pairs, shared = np.unique(found[both] * (len(true_areas) + 1) + true[both], return_counts=True)
    one, other = np.divmod(pairs, len(true_areas) + 1)
    overlap = shared / (found_areas[one - 1] + true_areas[other - 1] - shared)
    hits = []
    for threshold in IOU_THRESHOLDS:
        match = overlap >= threshold - _ROUNDING
        # Objects less pairs is the number of groups, where each is a pair, or a whole with its two halves.
        hits.append(len(np.unique(one[match])) + len(np.unique(other[match])) - int(match.sum()))
    return len(found_areas), len(true_areas), np.array(hits)


def _numbered(mask: Array) -> tuple[Array, Array]:
    """A mask with the numbers 1, 2, ... without a gap, and the area of each object."""
    held, places, areas = np.unique(np.append(mask.ravel(), 0), return_inverse=True, return_counts=True)
    assert held[0] == 0
    return places[:-1].reshape(mask.shape).astype(np.int64), areas[1:]


def average_precision(found: int, true: int, hits: Array) -> Array:
    """Hits by all objects, found or true: 1 where there are none.

    Source: Caicedo et al., Nature Methods 2019; Stringer et al., Nature Methods 2021. That of detection, which ranks
    objects by how sure they are, is another one.

    Args:
        found: As ``match_objects`` gives it, like the others.
        true: How many there are.
        hits: (10,).

    Returns:
        (10,): at each of ``IOU_THRESHOLDS``.
    """
    either = found + true - hits
    return np.where(either > 0, hits / np.maximum(either, 1), 1.0)
