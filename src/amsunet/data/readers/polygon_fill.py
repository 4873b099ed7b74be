"""Fill polygons: the pixels whose middle lies inside, so that outlines along the edges of pixels give these pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array


class Piece(NamedTuple):
    """The pixels of one object."""

    class_name: str
    """Empty where the file names none."""
    top: int
    left: int
    inside: Array
    """(h, w) of bool, from there on."""


class OutlineError(ValueError):
    """An outline cannot be drawn: the end of a sentence about its file."""


class OutsideError(OutlineError):
    """An outline leaves its image."""


_MOST_CROSSINGS = 1 << 20
"""Crossings of edges and rows that are found at a time: a ring may cross all rows with each of its edges."""
_MARGIN = 1.0
"""Pixels by which an outline that was drawn along the border may leave the image."""


def fill(class_name: str, rings: Sequence[Array], size: tuple[int, int]) -> Piece:
    """Fill closed rings by the even-odd rule: a ring within another one is a hole.

    A middle on an edge belongs to what lies right of it or below: neighbours share no pixel and leave none out.

    Args:
        class_name: Of the object.
        rings: Each (n, 2) of x, y; pixel (row, column) reaches from (column, row) to (column + 1, row + 1).
        size: Height and width of the image.

    Raises:
        OutlineError: If there is nothing to draw; ``OutsideError`` if a ring leaves the image.
    """
    if any(ring.ndim != 2 or ring.shape[1] != 2 for ring in rings) or not sum(map(len, rings)):
        raise OutlineError("holds an outline without points, or of points that are not x and y: draw it again")
    points = np.concatenate(rings)
    low, high = points.min(axis=0), points.max(axis=0)
    if not (np.isfinite(points).all() and (low >= -_MARGIN).all() and (high <= np.array(size[::-1]) + _MARGIN).all()):
        reached = f"x from {low[0]:g} to {high[0]:g}, y from {low[1]:g} to {high[1]:g}"
        raise OutsideError(f"an outline leaves its image of {size[1]} x {size[0]} pixels ({reached})")
    left, top = np.floor(np.maximum(low, 0)).astype(int).tolist()
    right, bottom = np.ceil(np.minimum(high, size[::-1])).astype(int).tolist()
    height, width = max(0, bottom - top), max(0, right - left)
    crossed = np.zeros((height, width + 1), np.int64)
    for ring in rings:
        for rows, columns in _crossings(ring):
            here = (rows >= top) & (rows < bottom)
            places = np.clip(columns[here] - left, 0, width) + (rows[here] - top) * (width + 1)
            np.add.at(crossed.reshape(-1), places, 1)
    return Piece(class_name, top, left, (np.cumsum(crossed, axis=1)[:, :width] & 1).astype(np.bool_))


def _crossings(ring: Array) -> Iterator[tuple[Array, Array]]:
    """Where a closed ring crosses the middles of rows: rows, and of each the first column whose middle is not left of
    the crossing; some edges at a time.
    """
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
    first, behind = (np.ceil(end - 0.5).astype(np.int64) for end in (np.minimum(y, next_y), np.maximum(y, next_y)))
    counts = behind - first
    starts = np.cumsum(counts) - counts
    for some in np.split(np.arange(len(ring)), np.flatnonzero(np.diff(starts // _MOST_CROSSINGS)) + 1):
        edges = np.repeat(some, counts[some])
        rows = first[edges] + np.arange(len(edges)) + starts[some[0]] - starts[edges]
        slope = (next_x[edges] - x[edges]) / (next_y[edges] - y[edges])
        yield rows, np.ceil(x[edges] + (rows + 0.5 - y[edges]) * slope - 0.5).astype(np.int64)


def number_pieces(pieces: Iterator[Piece], size: tuple[int, int]) -> Array:
    """Number objects in their order; where they overlap, the smaller one is on top.

    Args:
        pieces: The objects.
        size: Height and width of the image.

    Returns:
        (H, W) of int32, 0 where there is none.
    """
    numbers, areas = np.zeros(size, np.int32), np.full(size, size[0] * size[1] + 1)
    for number, piece in enumerate(pieces, start=1):
        height, width = piece.inside.shape
        here = slice(piece.top, piece.top + height), slice(piece.left, piece.left + width)
        area = np.count_nonzero(piece.inside)
        on_top = piece.inside & (areas[here] > area)
        numbers[here][on_top], areas[here][on_top] = number, area
    return numbers
