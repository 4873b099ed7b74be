"""Contrast limited adaptive histogram equalisation, in NumPy alone."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array

TILES = 8
"""Along each side of the image."""
LIMIT = 2.0
"""Most that a grey level may count for, as a multiple of what it would if all were equally frequent."""


class Place(NamedTuple):
    """Where a part of an image of ``height`` x ``width`` lies in it."""

    rows: slice
    columns: slice
    height: int
    width: int


def equalise(image: Array, tables: Array | None = None, place: Place | None = None) -> Array:
    """Spread the grey levels of every part of an image: (H, W, C) of uint8 to the same, each channel by itself.

    The image is cut into 8 x 8 tiles. The table of a tile maps a level to the share of the tile's pixels that are not
    brighter; what a level counts for beyond ``LIMIT`` is dealt out to all levels, so that noise in flat parts stays
    low. A pixel takes what the tables of the four tiles around it give, weighted bilinearly.

    scikit-image's form holds some 30 bytes for each pixel and channel, this one a row.
    Source: Zuiderveld, Graphics Gems IV, 1994.

    Args:
        tables: of the whole image, where this is a part of it, and
        place: where that part lies.
    """
    tables = find_tables(image) if tables is None else tables
    place = place or Place(slice(None), slice(None), *image.shape[:2])
    top, bottom, down = (one[place.rows] for one in _neighbours(place.height))
    left, right, across = (one[place.columns] for one in _neighbours(place.width))
    out = np.empty_like(image)
    for channel, of_channel in enumerate(tables):
        for row, levels in enumerate(image[..., channel]):
            of_row = of_channel[top[row]] * (1 - down[row]) + of_channel[bottom[row]] * down[row]
            found = of_row[left, levels] * (1 - across) + of_row[right, levels] * across
            out[row, :, channel] = found.round()
    return out


def find_tables(image: Array) -> Array:
    """What each level becomes in each tile: (C, tiles down, tiles across, 256) of float32 in 0 ... 255."""
    return np.stack([_tables(image[..., channel]) for channel in range(image.shape[2])])


def _tables(pixels: Array) -> Array:
    rows, columns = (_edges(side) for side in pixels.shape)
    counts = np.array(
        [
            [
                np.bincount(pixels[top:bottom, left:right].ravel(), minlength=256)
                for left, right in itertools.pairwise(columns)
            ]
            for top, bottom in itertools.pairwise(rows)
        ]
    )
    shares = counts / counts.sum(axis=-1, keepdims=True)
    kept = np.minimum(shares, LIMIT / 256)
    kept += (1 - kept.sum(axis=-1, keepdims=True)) / 256
    tables: Array = 255 * kept.cumsum(axis=-1)
    return tables.astype(np.float32)


def _edges(side: int) -> Array:
    """Where the tiles of a side begin and end."""
    return np.linspace(0, side, min(TILES, side) + 1).round().astype(int)


def _neighbours(side: int) -> tuple[Array, Array, Array]:
    """For each pixel of a side the tile whose middle lies before it, the one behind it, and the weight of that one."""
    edges = _edges(side)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    place = np.interp(np.arange(side), middles, np.arange(len(middles)))
    before = place.astype(int)
    return before, np.minimum(before + 1, len(middles) - 1), (place - before).astype(np.float32)
