"""Where the values of one mask lie: in one piece or several, within one another, between two others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array

_MEASURED_SIDE = 256
_WHOLE, _SPECKS = 0.9, 4
"""Least share of its area that the largest piece of an object has, and the most specks beside it."""


@dataclass(frozen=True)
class Region:
    """Where one value of a mask lies, and how its image looks there."""

    area: int
    place: tuple[float, float]
    """Its centre, as shares of height and width."""
    colour: tuple[float, ...]
    """Mean of the image's channels; empty where no image is known."""


def is_one_piece(raw: Array, counts: Collection[float]) -> bool:
    """Whether (nearly) every value but 0 is a single connected region, but for specks.

    Args:
        raw: A mask of numbers, (H, W).
        counts: The values in it.
    """
    if max(counts) >= 2**16:  # numbers counted over a whole data set; their boxes are found by small ones
        found_values = np.unique(raw)
        raw, counts = np.searchsorted(found_values, raw), range(len(found_values))
    regions = ndimage.find_objects(np.maximum(raw, 0).astype(np.int32))
    found = [(value, regions[int(value) - 1]) for value in counts if 0 < value <= len(regions)]
    known = [(value, region) for value, region in found if region]
    whole = sum(_is_whole(raw[region] == value) for value, region in known)
    return bool(known) and whole >= 0.8 * len(known)


def _is_whole(here: Array) -> bool:
    """Whether an object is one piece, but for specks."""
    pieces, count = ndimage.label(here, np.ones((3, 3)))
    if count == 1:
        return True
    areas = np.bincount(pieces.ravel())[1:]
    return bool(count <= 1 + _SPECKS and areas.max() >= _WHOLE * areas.sum())


def is_enclosed(raw: Array) -> bool:
    """Whether a value touches one other value alone, which is not the background, nor the image's border.

    Args:
        raw: A mask of numbers, (H, W).
    """
    neighbours: dict[int, set[int]] = {}
    for one, other in ((raw[:-1], raw[1:]), (raw[:, :-1], raw[:, 1:])):
        differs = one != other
        pairs = np.unique(one[differs].astype(np.int64) << 32 | other[differs].astype(np.int64))
        for pair in pairs.tolist():
            neighbours.setdefault(pair >> 32, set()).add(pair & 0xFFFFFFFF)
            neighbours.setdefault(pair & 0xFFFFFFFF, set()).add(pair >> 32)
    outer = {int(value) for side in (raw[0], raw[-1], raw[:, 0], raw[:, -1]) for value in np.unique(side)}
    return any(len(near) == 1 and 0 not in near and value not in {0, *outer} for value, near in neighbours.items())


def shared_borders(colours: Array, counts: Collection[float]) -> dict[int, tuple[int, int]]:
    """Find colours that are two others together, as where these overlap.

    Args:
        colours: A mask of colours, (H, W), by 65536 R + 256 G + B.
        counts: The colours in it.

    Returns:
        Of each such colour, how much of its border it shares with these two, and all of its border, in pixels.
    """
    held = [int(colour) for colour in counts if colour]
    sums = {one | other: (one, other) for one, other in combinations(held, 2) if not one & other}
    found = {}
    for both in sums.keys() & {*held}:
        shared = total = 0
        for near, far in ((colours[:-1], colours[1:]), (colours[:, :-1], colours[:, 1:])):
            beside = np.concatenate([far[(near == both) & (far != both)], near[(far == both) & (near != both)]])
            shared, total = shared + int(np.isin(beside, sums[both]).sum()), total + len(beside)
        found[both] = (shared, total)
    return found


def thin_lines(colours: Array, thin: Collection[float]) -> dict[int, tuple[int, int]]:
    """Find how far colours of thin lines run between two others, as outlines do.

    Args:
        colours: A mask of colours, (H, W).
        thin: The colours of thin lines.

    Returns:
        Of each of these, how many of its pixels lie between two other colours, and all of them.
    """
    if not thin:
        return {}
    others = [ndimage.maximum_filter(colours == value, 5) for value in np.unique(colours) if value not in thin]
    between = np.sum(others, axis=0) > 1
    return {int(value): (int(between[here].sum()), int(here.sum())) for value in thin for here in [colours == value]}


def measure_regions(raw: Array, image: Array | None, largest: int) -> dict[int, Region]:
    """Measure where the values of a mask lie, and how the image looks there.

    Args:
        raw: A mask of numbers, (H, W).
        image: Its image (H, W, C), where known.
        largest: The largest value that is measured; the least is 0, the background.

    Returns:
        A region for each value that occurs.
    """
    step = max(1, min(raw.shape) // _MEASURED_SIDE)  # of large images some pixels are enough
    raw, image = raw[::step, ::step], None if image is None else image[::step, ::step]
    inside = (raw >= 0) & (raw <= largest)
    numbers = raw[inside].astype(np.intp)
    areas = np.bincount(numbers)
    height, width = raw.shape
    y, x = np.nonzero(inside)
    sums = [np.bincount(numbers, weights) for weights in (y / height, x / width)]
    if image is not None:
        pixels = image[inside]
        sums += [np.bincount(numbers, pixels[:, channel]) for channel in range(pixels.shape[1])]
    means = np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None]
    return {
        value: Region(step**2 * int(areas[value]), (mean[0], mean[1]), tuple(mean[2:]))
        for value, mean in enumerate(means.tolist())
        if areas[value]
    }
