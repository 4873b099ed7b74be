"""Overlapping tiles summed up to one image of which memory holds a tile at a time."""

from __future__ import annotations

import math

import numpy as np

from amsunet.data.images import Array
from amsunet.inference.forward import Box
from amsunet.inference.slide_state import Scratch
from amsunet.inference.sliding_window import Axis, Tiling


class BlendAxis(Axis):
    """The tiles along one side of an image, and which image pixels each of them finishes.

    Args:
        side: Pixels as the network sees them.
        image_side: Pixels of the image, onto which logits are interpolated.
    """

    def __init__(self, side: int, image_side: int, tiling: Tiling) -> None:
        super().__init__(side, tiling)
        self._finished = [*self.starts[1:], side]
        self._scale = side / image_side
        # So far from its own place a pixel of the image looks for logits.
        self._reach = max(1.0, self._scale)
        ends = (math.floor((end - self._reach) / self._scale - 0.5) + 1 for end in self._finished[:-1])
        self._image_ends = [*(max(0, end) for end in ends), image_side]

    def held(self, tile: int) -> slice:
        """What is kept while a tile is worked on: its pixels, and some in front to interpolate from."""
        return slice(max(0, self.starts[tile] - math.ceil(2 * self._reach)), self.ends[tile])

    def finished(self, tile: int) -> slice:
        """Pixels that get their last sum with a tile."""
        return slice(self.starts[tile], self._finished[tile])

    def carried(self) -> list[int]:
        """For each tile, how many of the pixels in ``held`` the tile before it has reached."""
        return [max(0, end - self.held(tile).start) for tile, end in enumerate([0, *self.ends[:-1]])]

    def image(self, tile: int) -> slice:
        """Pixels of the image that get their value with a tile."""
        return slice(self._image_ends[tile - 1] if tile else 0, self._image_ends[tile])

    def span(self, tile: int, image: slice) -> tuple[float, float]:
        """Where pixels of the image begin and end, from the beginning of ``held``."""
        start = self.held(tile).start
        return image.start * self._scale - start, min(image.stop * self._scale, self.side) - start


class Blend:
    """Sums of weighted logits. Tiles come in order; what the next row of tiles needs is left in ``scratch``."""

    def __init__(self, rows: BlendAxis, columns: BlendAxis, scratch: Scratch) -> None:
        self.rows, self.columns, self._scratch = rows, columns, scratch
        self._sums = np.empty(0, np.float32)

    def add(self, row: int, column: int, logits: Array) -> Array:
        """Add the logits (K, h, w) of one tile.

        Returns:
            The weighted means (K, h, w) of ``held``, up to the end of ``finished``.
        """
        rows, columns = self.rows.held(row), self.columns.held(column)
        sums = np.zeros((len(logits), rows.stop - rows.start, columns.stop - columns.start), np.float32)
        known = self.columns.ends[column - 1] - columns.start if column else 0
        if known:
            sums[..., :known] = self._sums[..., -known:]
        if row:
            above = slice(0, self.rows.ends[row - 1] - rows.start)
            sums[:, above, known:] = self._scratch.carry(row).read(above, slice(columns.start + known, columns.stop))
        weights = self.rows.weights(row)[:, None] * self.columns.weights(column)
        sums[:, self.rows.starts[row] - rows.start :, self.columns.starts[column] - columns.start :] += logits * weights
        down, across = self.rows.finished(row), self.columns.finished(column)
        if row + 1 < len(self.rows):
            below = sums[:, self.rows.held(row + 1).start - rows.start :]
            carried = below[..., across.start - columns.start : across.stop - columns.start]
            self._scratch.carry(row + 1).write(slice(0, below.shape[1]), across, carried)
        self._sums = sums
        means = sums[:, : down.stop - rows.start, : across.stop - columns.start]
        return np.asarray(
            means / self.rows.sums[rows.start : down.stop, None] / self.columns.sums[columns.start : across.stop]
        )

    def box(self, row: int, column: int, y: slice, x: slice) -> Box:
        """Where pixels of the image lie in what ``add`` returned for a tile."""
        top, bottom = self.rows.span(row, y)
        left, right = self.columns.span(column, x)
        return left, top, right, bottom
