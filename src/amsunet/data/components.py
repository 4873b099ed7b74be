"""Objects of a mask: numbered, and small ones dropped.

SciPy's ``ndimage.label`` gives the same numbers, but SciPy would be most of an installation that only predicts with
exported networks: 143 of 345 MB.
"""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array
from amsunet.data.lookup import BAND, look_up


def number_objects(mask: Array) -> tuple[Array, int]:
    """Number the connected components of a mask in the order of their first pixels; neighbours share an edge.

    Args:
        mask: (H, W); every value but 0 is foreground.

    Returns:
        The numbers, (H, W) of int32, from 1 on and 0 for the background; and how many components there are.
    """
    mask = np.asarray(mask, bool)
    width = mask.shape[1] + 1
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).view(np.int8), axis=1).ravel()
    # Runs of foreground, with positions counted over all rows; a column of padding keeps runs of two rows apart.
    starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    first = np.searchsorted(stops, starts + width, side="right")
    last = np.searchsorted(starts, stops + width, side="left")
    touching = last - first
    above = np.repeat(np.arange(len(starts)), touching)
    below = np.arange(len(above)) - np.repeat(np.cumsum(touching) - touching, touching) + np.repeat(first, touching)
    _, numbers = np.unique(lowest_joined(len(starts), above, below), return_inverse=True)
    numbered = np.zeros(mask.shape, np.int32)
    numbered[mask] = np.repeat(numbers.astype(np.int32) + 1, stops - starts)
    return numbered, int(numbers.max(initial=-1)) + 1


def keep_largest(slices: Array, num_classes: int) -> None:
    """Of each class leave its largest connected component in a stack of labels; neighbours share a face.

    Args:
        slices: (n, H, W) of class numbers; other components become background.
        num_classes: With the background.
    """
    for label in range(1, num_classes):
        firsts, lowest, sizes = _joined_across(slices, label)
        if not len(lowest):
            continue
        largest = int(np.bincount(lowest, sizes).argmax())
        for one, first in zip(slices, firsts, strict=True):
            here = one == label
            numbered, count = number_objects(here)
            kept = np.concatenate([[False], lowest[first : first + count] == largest])
            one[here & ~kept[numbered]] = 0


def number_stack(slices: Array, num_classes: int) -> tuple[Array, Array]:
    """Number the connected components of each class in a stack of labels; neighbours share a face.

    Args:
        slices: (n, H, W) of class numbers.
        num_classes: With the background.

    Returns:
        The numbers, (n, H, W) of int32, from 1 on and 0 for the background; and the class of each, that of 1 first.
    """
    numbers = np.zeros(slices.shape, np.int32)
    classes: list[int] = []
    for label in range(1, num_classes):
        firsts, lowest, _ = _joined_across(slices, label)
        _, of_component = np.unique(lowest, return_inverse=True)
        of_component = of_component.astype(np.int32) + np.int32(len(classes) + 1)
        for one, into, first in zip(slices, numbers, firsts, strict=True):
            numbered, count = number_objects(one == label)
            here = numbered > 0
            into[here] = of_component[first : first + count][numbered[here] - 1]
        classes += [label] * len({*lowest.tolist()})
    return numbers, np.array(classes, np.uint8)


def _joined_across(slices: Array, label: int) -> tuple[list[int], Array, Array]:
    """The components of a class in every slice, joined across slices.

    Returns:
        The number of the first component of each slice, all being counted from 0 on; the lowest one that each is joined
        with; and the pixels of each.
    """
    firsts, sizes, ends, others = [0], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    numbered: Array | None = None
    for one in slices:
        before, (numbered, count) = numbered, number_objects(one == label)
        sizes.append(np.bincount(numbered.ravel(), minlength=count + 1)[1:])
        if before is not None and (both := (before > 0) & (numbered > 0)).any():
            pairs = np.unique(np.stack([before[both], numbered[both]]), axis=1)
            ends.append(pairs[0] - 1 + firsts[-2])
            others.append(pairs[1] - 1 + firsts[-1])
        firsts.append(firsts[-1] + count)
    return firsts[:-1], lowest_joined(firsts[-1], np.concatenate(ends), np.concatenate(others)), np.concatenate(sizes)


def lowest_joined(count: int, ends: Array, others: Array) -> Array:
    """Find the lowest member of each connected set of numbers.

    Args:
        count: The numbers are 0 to ``count - 1``.
        ends: One number of each joined pair, (P,).
        others: The other number of each pair, (P,).

    Returns:
        For each number the lowest one that it is joined with over any number of pairs, (count,).
    """
    lowest = np.arange(count)
    while True:
        low = np.minimum(lowest[ends], lowest[others])
        further = lowest.copy()
        for side in (ends, others):
            np.minimum.at(further, lowest[side], low)
        while (jumped := further[further]).tobytes() != further.tobytes():
            further = jumped
        if (further == lowest).all():
            return lowest
        lowest = further


def without_small(mask: Array, smallest: float) -> Array:
    """Drop objects, and then fill holes, of fewer than ``smallest`` pixels; neighbours share an edge.

    Args:
        mask: (H, W) of bool.
        smallest: Pixels below which an object is dropped and a hole is filled.
    """
    return ~_large(~_large(mask, smallest), smallest)


def _large(mask: Array, smallest: float) -> Array:
    numbered, count = number_objects(mask)
    sizes = np.zeros(count + 1, np.int64)
    for start in range(0, len(mask), BAND):  # NumPy makes eight bytes of every pixel on the way
        sizes += np.bincount(numbered[start : start + BAND].ravel(), minlength=count + 1)
    large = sizes >= smallest
    large[0] = False
    return look_up(large, numbered)
