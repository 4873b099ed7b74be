"""Polygons into pixels: the middles that lie inside, and neighbours that share none."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.readers import polygon_fill
from amsunet.data.readers.polygon_fill import OutlineError, OutsideError, Piece, fill, number_pieces

SIZE = (40, 50)


def _whole(*rings: np.ndarray) -> np.ndarray:
    return number_pieces(iter([fill("", rings, SIZE)]), SIZE) > 0


@pytest.mark.parametrize("seed", range(20))
def test_the_pixels_are_those_that_shapely_finds(seed):
    """Stars whose points lie anywhere, with a hole."""
    shapely = pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12))
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    outer = around * rng.uniform(8, 18, (12, 1)) + (25.3, 20.1)
    hole = around * 3 + (25.3, 20.1)
    rows, columns = np.indices(SIZE) + 0.5
    shape = shapely.Polygon(outer).symmetric_difference(shapely.Polygon(hole))
    assert np.array_equal(_whole(outer, hole), shapely.contains_xy(shape, columns, rows))


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_share_no_pixel_and_leave_none_out(seed):
    """An image cut by a line whose points lie on the middles and corners of pixels too."""
    rng = np.random.default_rng(seed)
    line = np.column_stack([rng.integers(0, 100, 9) / 2, np.sort(rng.integers(0, 80, 9)) / 2])
    line[0, 1], line[-1, 1] = 0, 40
    left = _whole(np.array([(0, 0), *line, (0, 40)]))
    right = _whole(np.array([*line[::-1], (50, 0), (50, 40)])[:])
    assert np.array_equal(left, ~right)


def test_a_ring_that_is_closed_or_not_and_either_way_round_is_the_same():
    ring = np.array([(3.2, 4), (30, 7.7), (12, 33.0)])
    closed = np.array([*ring, ring[0]])
    assert all(np.array_equal(_whole(ring), _whole(one)) for one in (closed, ring[::-1], closed[::-1]))


def test_what_leaves_the_image_by_more_than_a_pixel_is_refused():
    border = np.array([(-0.5, -0.5), (50.5, -0.5), (50.5, 40.5), (-0.5, 40.5)])
    assert _whole(border).all()
    for wrong in (border * 2, border - (2, 0), border + np.array([0, np.nan]), border * np.inf):
        with pytest.raises(OutsideError, match="leaves its image of 50 x 40 pixels"):
            fill("", [wrong], SIZE)


@pytest.mark.parametrize("most", [1, 7, 100])
def test_crossings_are_found_some_at_a_time(most, monkeypatch):
    """Edges that run up and down through all rows have more of them than memory holds."""
    zigzag = np.column_stack([np.linspace(0, 50, 60), np.tile([0.0, 40], 30)])
    whole = _whole(zigzag)
    monkeypatch.setattr(polygon_fill, "_MOST_CROSSINGS", most)
    assert np.array_equal(_whole(zigzag), whole) and 0.2 < whole.mean() < 0.8


def test_what_is_no_list_of_points_is_refused():
    for rings in ([], [np.zeros((0, 2))], [np.zeros(4)], [np.zeros((4, 3))]):
        with pytest.raises(OutlineError, match="without points"):
            fill("", rings, SIZE)


def test_lines_and_points_mark_nothing():
    for ring in ([(3, 3)], [(3, 3), (9, 9)], [(3.5, 3), (3.5, 9)]):
        assert not _whole(np.array(ring, float)).any()


def test_the_smaller_of_two_objects_is_on_top_in_any_order():
    large, small = Piece("", 0, 0, np.ones((9, 9), bool)), Piece("", 2, 3, np.ones((4, 4), bool))
    for order in ((large, small), (small, large)):
        numbers = number_pieces(iter(order), SIZE)
        assert [(numbers == number).sum() for number in (1, 2)] == ([65, 16] if order[0] is large else [16, 65])
