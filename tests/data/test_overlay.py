"""Drawing masks over images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageChops

from amsunet.data.masks import IGNORED
from amsunet.data.overlay import COLOURS, contact_sheet, draw_outlines, fit, viewable


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1), (np.float32, 1)])
def test_outlines_touch_the_border_of_a_class_alone(dtype: type, channels: int) -> None:
    image = (np.random.default_rng(0).random((60, 70, channels)) * 200).astype(dtype)
    before = image.copy()
    labels = np.zeros((60, 70), np.uint8)
    labels[10:30, 10:40], labels[35:50, 20:50], labels[55:] = 1, 2, IGNORED
    drawn = draw_outlines(image, labels)
    assert drawn.shape == (60, 70, 3) and drawn.dtype == np.uint8 and np.array_equal(image, before)
    changed = (drawn != viewable(image)).any(axis=2)
    assert not changed[labels == 0].any() and not changed[labels == IGNORED].any()
    assert not changed[12:28, 12:38].any()
    assert (drawn[10, 10:40] == COLOURS[0]).all() and (drawn[35, 20:50] == COLOURS[1]).all()


@pytest.mark.parametrize("size", [(10, 20), (300, 200), (240, 240)])
def test_pictures_are_fitted_without_distortion(size: tuple[int, int]) -> None:
    small = fit(np.zeros((*size, 3), np.uint8), 100, 100)
    assert max(small.size) == 100
    assert small.width / small.height == pytest.approx(size[1] / size[0], rel=0.02)


@pytest.mark.parametrize("count", [1, 5, 6])
def test_every_picture_is_on_the_sheet(count: int) -> None:
    pictures = [(f"name {n}" * 9, np.full((40, 50, 3), 40 * n, np.uint8)) for n in range(count)]
    sheet = contact_sheet(pictures, columns=5, cell=64)
    found = {colour for _, colour in sheet.getcolors(1 << 20) or []}
    assert {(40 * n,) * 3 for n in range(count)} <= found
    assert ImageChops.invert(sheet).getbbox() is not None and sheet.height == (2 if count > 5 else 1) * (64 + 30) + 12
