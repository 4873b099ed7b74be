"""Objects that touch, parted at their waists: the watershed of the distance to the border.

Seen from the border inwards an object is a hill, and two that touch are two hills with a pass between them, the waist.
Each pixel climbs to the nearest top; tops whose pass is hardly lower than the lower one of them are of one object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amsunet.data.distance import squared_distance
from amsunet.data.images import Array


@dataclass(frozen=True)
class Basins:
    """The pixels of a mask by the tops that they climb to, and the passes between these.

    Attributes:
        shape: Height and width of the mask.
        pixels: (N,): where its pixels are, in the order of rows.
        tops: (N,): the top of each, 0 to T - 1.
        heights: (T,): the distance to the border at each top.
        pairs: (P, 2): tops with a pass between them, the highest pass first.
        passes: (P,): the distance to the border at each.
    """

    shape: tuple[int, int]
    pixels: Array
    tops: Array
    heights: Array
    pairs: Array
    passes: Array

    def merge(self, depth: float) -> tuple[Array, int]:
        """Number the objects that are left when waists of less than a depth are not cut.

        This is the watershed from the h-maxima of the distance, with ``depth`` as h: how much less the distance to the
        border is at the waist than in the middle of the smaller one of two objects.

        Source: Soille, Morphological Image Analysis, Springer 2003, sections 6.3.4 and 9.2.

        Args:
            depth: In pixels, more than 0.

        Returns:
            The numbers, (H, W) of int32, from 1 on in the order of first pixels, 0 for the background; and how many
            objects there are.
        """
        root, heights = list(range(len(self.heights))), self.heights.tolist()
        for pair, at_pass in zip(self.pairs.tolist(), self.passes.tolist(), strict=True):
            low, high = sorted((_root_of(root, top) for top in pair), key=heights.__getitem__)
            if heights[low] - at_pass < depth:
                root[low] = high
        merged = np.array([_root_of(root, top) for top in range(len(root))], np.int64)[self.tops]
        _, first, places = np.unique(merged, return_index=True, return_inverse=True)
        names = np.empty(len(first), np.int32)
        names[np.argsort(first)] = np.arange(1, len(first) + 1)
        numbers = np.zeros(self.shape, np.int32)
        numbers.flat[self.pixels] = names[places]
        return numbers, len(first)


def _root_of(root: list[int], one: int) -> int:
    while root[one] != one:
        root[one] = root[root[one]]
        one = root[one]
    return one


def find_basins(mask: Array) -> Basins:
    """Find the tops of a mask's distance to its border, and the passes between them; neighbours share an edge.

    Args:
        mask: (H, W); every value but 0 is foreground.
    """
    mask = np.asarray(mask, bool)
    box = _box(mask)
    part = mask[box]
    width = part.shape[1] + 2  # with a margin, so that every pixel has four neighbours
    padded = np.flatnonzero(np.pad(part, 1))
    place = np.full((part.shape[0] + 2) * width, -1, np.int64)
    place[padded] = np.arange(len(padded))
    heights = squared_distance(part)[part]
    up = _climb(padded, place, heights, (-width, -1, 1, width))
    tops, of_pixel = np.unique(up, return_inverse=True)
    pairs, passes = _find_passes(padded, place, heights, of_pixel, (1, width))
    return Basins(
        shape=(mask.shape[0], mask.shape[1]),
        pixels=np.flatnonzero(mask),
        tops=of_pixel,
        heights=np.sqrt(heights[tops]),
        pairs=pairs,
        passes=np.sqrt(passes),
    )


def _box(mask: Array) -> tuple[slice, slice]:
    """What holds all foreground, with a pixel of background around it where the image has one."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _climb(pixels: Array, place: Array, heights: Array, steps: tuple[int, ...]) -> Array:
    """The top that each pixel comes to by always going to its highest neighbour."""
    # Of pixels of one height the later one is the higher: every pixel but a top has a way up.
    order = heights * len(pixels) + np.arange(len(pixels))
    best, up = order.copy(), np.arange(len(pixels))
    for step in steps:
        neighbour = place[pixels + step]
        there = np.where(neighbour >= 0, order[neighbour], -1)
        up = np.where(there > best, neighbour, up)
        best = np.maximum(best, there)
    while (further := up[up]).tobytes() != up.tobytes():
        up = further
    return up


def _find_passes(
    pixels: Array, place: Array, heights: Array, tops: Array, steps: tuple[int, ...]
) -> tuple[Array, Array]:
    """Pairs of tops whose pixels meet, (P, 2), and the height of the pass between them, the highest first."""
    found = []
    for step in steps:
        neighbour = place[pixels + step]
        here = np.flatnonzero((neighbour >= 0) & (tops[neighbour] != tops))
        there = neighbour[here]
        pair = np.sort(np.stack([tops[here], tops[there]]), axis=0)
        found.append(np.stack([*pair, np.minimum(heights[here], heights[there])]))
    one, other, height = np.concatenate(found, axis=1)
    order = np.lexsort((other, one, -height))
    one, other, height = one[order], other[order], height[order]
    _, first = np.unique(one * (len(pixels) + 1) + other, return_index=True)
    first.sort()
    return np.stack([one[first], other[first]], axis=1), height[first]
