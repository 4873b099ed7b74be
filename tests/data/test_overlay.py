"""Drawing masks over images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.overlay import COLOURS, colour_of, draw_masks, draw_outlines, fit, viewable


@pytest.mark.parametrize(
    ("dtype", "channels"),
    [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1), (np.float32, 1), (np.uint8, 2), (np.uint16, 5)],
)
def test_outlines_touch_the_border_of_a_class_alone(dtype: type, channels: int) -> None:
    image = (np.random.default_rng(0).random((60, 70, channels)) * 200).astype(dtype)
    before = image.copy()
    labels = np.zeros((60, 70), np.uint8)
    labels[10:30, 10:40], labels[35:50, 20:50], labels[55:] = 1, 2, IGNORE_INDEX
    drawn = draw_outlines(image, labels)
    assert drawn.shape == (60, 70, 3) and drawn.dtype == np.uint8 and np.array_equal(image, before)
    changed = (drawn != viewable(image)).any(axis=2)
    assert not changed[labels == 0].any() and not changed[labels == IGNORE_INDEX].any()
    assert not changed[12:28, 12:38].any()
    assert (drawn[10, 10:40] == COLOURS[0]).all() and (drawn[35, 20:50] == COLOURS[1]).all()


@pytest.mark.parametrize("size", [(10, 20), (300, 200), (240, 240)])
def test_pictures_are_fitted_without_distortion(size: tuple[int, int]) -> None:
    small = fit(np.zeros((*size, 3), np.uint8), 100, 100)
    assert max(small.size) == 100
    assert small.width / small.height == pytest.approx(size[1] / size[0], rel=0.02)


def test_masks_are_filled_and_rings_stay_hollow() -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    labels = np.zeros((40, 60), np.uint8)
    labels[5:25, 5:25], labels[5:25, 30:50] = 1, 2
    labels[10:20, 35:45] = 0
    labels[30:] = IGNORE_INDEX
    drawn = draw_masks(image, labels)
    assert (drawn[5, 5:25] == COLOURS[0]).all() and (drawn[5, 30:50] == COLOURS[1]).all()
    inside = drawn[15, 15].astype(int)
    assert (inside != image[15, 15]).any() and (inside != COLOURS[0]).any()
    assert np.abs(inside - (200 + 0.35 * (COLOURS[0].astype(int) - 200))).max() <= 1
    assert (drawn[labels == 0] == 200).all()
    striped = (drawn[30:] != 200).any(axis=2)
    assert 0.4 < striped.mean() < 0.6


def test_touching_objects_are_parted() -> None:
    objects = np.zeros((20, 30), np.uint16)
    objects[4:16, 4:15], objects[4:16, 15:26] = 1, 300
    drawn = draw_masks(np.full((20, 30, 3), 200, np.uint8), np.uint8(objects > 0), objects)
    assert (drawn[10, 14] == colour_of(1)).all() and (drawn[10, 15] == colour_of(300)).all()
    assert not (colour_of(1) == colour_of(300)).all()


def test_more_classes_than_colours_differ_still() -> None:
    colours = {tuple(colour_of(label).tolist()) for label in range(1, 21)}
    assert len(colours) == 20 and (colour_of(1) == COLOURS[0]).all()


@pytest.mark.parametrize("size", [(40, 60), (700, 90), (1300, 40)])
def test_an_outline_is_what_erosion_takes_away(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    labels = ndimage.zoom(rng.integers(0, 2, (6, 6), dtype=np.uint8), (size[0] / 6, size[1] / 6), order=0)
    labels[rng.integers(0, size[0], 5), rng.integers(0, size[1], 5)] = 1
    drawn = draw_outlines(np.zeros((*size, 3), np.uint8), labels).any(axis=2)
    here, thickness = labels == 1, max(1, round(max(size) / 500))
    assert np.array_equal(drawn, here & ~ndimage.binary_erosion(here, iterations=thickness, border_value=1))


@pytest.mark.parametrize("count", [2, 4, 12])
def test_the_first_channels_are_shown_as_colours_each_by_its_range(count: int) -> None:
    image = (np.random.default_rng(0).random((40, 50, count)) * np.linspace(20, 4000, count)).astype(np.uint16)
    shown = viewable(image)
    assert shown.shape == (40, 50, 3) and shown.dtype == np.uint8
    for channel in range(min(3, count)):
        assert shown[..., channel].min() == 0 and shown[..., channel].max() == 255
        assert np.corrcoef(shown[..., channel].ravel(), image[..., channel].ravel())[0, 1] > 0.99
    assert count > 2 or not shown[..., 2].any()
