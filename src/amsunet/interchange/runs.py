"""Objects as runs: pixels of one object that follow each other in a row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amsunet.data.images import Array


class Runs(NamedTuple):
    """Runs of all objects, those of the object 1 first, each from the top; four arrays of one length."""

    numbers: Array
    """Of the object."""
    rows: Array
    starts: Array
    """The first column."""
    stops: Array
    """The column behind the last one."""


def find_runs(numbers: Array) -> Runs:
    """Find the runs of objects.

    Args:
        numbers: (H, W) of integers: the number of the object at each pixel, 0 where there is none.
    """
    width = numbers.shape[1] + 1  # a column of padding ends the runs of a row
    padded = np.pad(numbers, ((0, 0), (1, 1)))
    changes = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    behind = padded[:, 1:].ravel()[changes]
    found = np.flatnonzero(behind)
    found = found[np.argsort(behind[found], kind="stable")]
    rows, starts = np.divmod(changes[found], width)
    return Runs(behind[found], rows, starts, changes[found + 1] % width if len(found) else starts)
