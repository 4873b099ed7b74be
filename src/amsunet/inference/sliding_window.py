"""Where the tiles of an image lie, and what each of their pixels weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amsunet.data.images import Array

STEP = 32
"""Tiles begin at multiples of it, where the strides of a network begin too: at most five halvings."""


@dataclass(frozen=True)
class Tiling:
    """How images go through a network, in pixels as the network sees them."""

    tile: int = 512
    """Side of a tile."""
    overlap: int = 128
    """Pixels that a tile shares with the next one, at the least."""
    rim: int = 0
    """Pixels inside a tile's border that are ignored where another tile has them: at most half the overlap."""
    whole: int = 1024 * 1024
    """Images of up to so many pixels are not cut."""

    @classmethod
    def covering(cls, field: int, step: int = 256) -> Tiling:
        """Tiles whose overlap covers a receptive field, every ``step`` pixels: what counts of a tile has seen all that
        it sees in the whole image, but for what a network averages over all its input.

        Args:
            field: Side of the receptive field of one logit, as ``models.cost.receptive_field`` measures it.
            step: Pixels from one tile to the next.
        """
        rim = field // 2 + STEP  # the field of a logit lies up to a stride aside from the middle
        return cls(tile=2 * rim + step, overlap=2 * rim, rim=rim, whole=0)

    def cuts(self, height: int, width: int) -> bool:
        """Whether an image of that size goes through in tiles."""
        return height * width > max(self.whole, self.tile**2)


class Axis:
    """The tiles along one side of an image."""

    def __init__(self, side: int, tiling: Tiling) -> None:
        # A side shorter than the tile must not be filled up: the channel gates average over all they see.
        tile = min(tiling.tile, side)
        step = max(STEP, (tile - tiling.overlap) // STEP * STEP)
        last = -(-(side - tile) // STEP) * STEP  # the last tile ends with the image, up to a step shorter
        self.side = side
        self.starts = [*range(0, last, step), last]
        self.ends = [*(start + tile for start in self.starts[:-1]), side]
        self._rim = tiling.rim
        self.sums = np.zeros(side, np.float32)
        """Of the weights, for each pixel."""
        for number in range(len(self)):
            self.sums[self.place(number)] += self.weights(number)
        if not self.sums.all():
            raise ValueError("Tiling: the overlap must be at least twice the rim")

    def __len__(self) -> int:
        return len(self.starts)

    def place(self, tile: int) -> slice:
        return slice(self.starts[tile], self.ends[tile])

    def weights(self, tile: int) -> Array:
        """Weights of a tile along this side: a Gaussian, 0.0003 of its height at the border, so that no seam is seen
        where a tile ends.
        """
        side = self.ends[tile] - self.starts[tile]
        place = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 8)
        weights: Array = np.exp(-(place**2) / 2)
        if tile:
            weights[: self._rim] = 0
        if tile + 1 < len(self):
            weights[side - self._rim :] = 0
        return weights
