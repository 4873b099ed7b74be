"""Objects as polygons along the edges of their pixels: nothing is smoothed, and drawn again they fill the same pixels.

A pixel in row y and column x is the square from (x, y) to (x + 1, y + 1), as QuPath, ImageJ and shapely have it.
"""

from __future__ import annotations

import numpy as np

from amsunet.data.images import Array
from amsunet.interchange.runs import find_runs
from amsunet.optional import require

shapely = require("shapely")

Rings = list[Array]
"""Of one polygon: closed, (n, 2) of x, y; first the outer one, counterclockwise as GeoJSON has it, then holes."""


def outline_objects(numbers: Array, count: int) -> list[list[Rings]]:
    """Outline each object.

    Args:
        numbers: (H, W): the number of the object at each pixel, from 1 on, and 0 where there is none.
        count: How many objects there are.

    Returns:
        The polygons of each object, that of the object 1 first: one, unless its pixels touch at corners alone, or not
        at all.
    """
    found: list[list[Rings]] = [[] for _ in range(count)]
    runs = find_runs(numbers)
    if not len(runs.numbers):
        return found
    boxes = shapely.box(runs.starts, runs.rows, runs.stops, runs.rows + 1)
    ends = np.flatnonzero(np.diff(runs.numbers)) + 1
    owners = runs.numbers[np.append(0, ends)] - 1
    # Not coverage_union: rows of pixels share edges without sharing their corners.
    united = [one[0] if len(one) == 1 else shapely.union_all(one) for one in np.split(boxes, ends)]
    parts, part_of = shapely.get_parts(shapely.simplify(united, 0), return_index=True)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    points, point_of = shapely.get_coordinates(rings, return_index=True)
    places = np.split(points.astype(np.int64), np.flatnonzero(np.diff(point_of)) + 1)
    outer = np.append(True, np.diff(ring_of) != 0)
    for ring, is_outer, owner in zip(places, outer, owners[part_of[ring_of]], strict=True):
        if is_outer:
            found[owner].append([])
        found[owner][-1].append(ring if (_signed_area(ring) > 0) == is_outer else ring[::-1])
    return found


def _signed_area(ring: Array) -> int:
    """Twice the area within a closed ring, positive where it goes from x to y."""
    x, y = ring.T
    return int((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())
