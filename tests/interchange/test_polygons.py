"""Outlines along the edges of pixels: valid, and drawn again they fill the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from amsunet.inference.objects import find_objects
from amsunet.interchange.polygons import outline_objects

shapely = pytest.importorskip("shapely", reason='needs pip install "amsunet[objects]"')


def filled(outline, shape) -> np.ndarray:
    """The pixels whose middle lies in the polygons, as shapely finds it."""
    rows, columns = np.indices(shape)
    parts = [shapely.Polygon(outer, holes) for outer, *holes in outline]
    return np.logical_or.reduce([shapely.contains_xy(one, columns + 0.5, rows + 0.5) for one in parts])


def test_outlines_are_valid_and_hold_the_pixels_of_their_objects(mask):
    objects = find_objects(mask)
    outlines = outline_objects(objects.numbers, len(objects))
    assert len(outlines) == len(objects)
    for number, outline in enumerate(outlines, start=1):
        polygons = [shapely.Polygon(outer, holes) for outer, *holes in outline]
        assert all(one.is_valid and one.exterior.is_ccw for one in polygons)
        assert not any(hole.is_ccw for one in polygons for hole in one.interiors)
        assert sum(one.area for one in polygons) == (objects.numbers == number).sum()
        assert np.array_equal(filled(outline, mask.shape), objects.numbers == number)


def test_an_object_in_pieces_has_several_polygons(scattered):
    numbers = scattered[1].numbers
    one, other = outline_objects(numbers, 2)
    assert (len(one), len(other)) == (2, 1)
    assert np.array_equal(filled(one, numbers.shape), numbers == 1)


def test_corners_alone_are_points(mask):
    """No point lies on the straight line between its neighbours, but where a ring meets itself."""
    objects = find_objects(mask)
    for ring in (ring for outline in outline_objects(objects.numbers, len(objects)) for rings in outline
                 for ring in rings):  # fmt: skip
        steps = np.diff(ring, axis=0)
        assert ((steps[1:] * steps[:-1]).sum(1) == 0).all()


def test_a_picture_drawn_of_the_polygons_is_the_mask():
    """Pillow draws the border too: of squares of eight pixels the middle is inside or outside for certain."""
    mask = np.kron(np.random.default_rng(1).integers(0, 2, (9, 11)), np.ones((8, 8), int)).astype(np.uint8)
    picture = Image.new("L", mask.shape[::-1])
    draw = ImageDraw.Draw(picture)
    objects = find_objects(mask)
    for outline in sorted(outline_objects(objects.numbers, len(objects)), key=lambda one: -np.ptp(one[0][0][:, 0])):
        for outer, *holes in outline:
            draw.polygon([*map(tuple, outer)], fill=1)
            for hole in holes:
                draw.polygon([*map(tuple, hole)], fill=0)
    assert np.array_equal(np.asarray(picture)[4::8, 4::8], mask[4::8, 4::8])
