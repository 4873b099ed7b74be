"""Distances to the border of a mask: those of SciPy, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from amsunet.data import distance
from amsunet.data.distance import squared_distance


def _of_scipy(mask):
    return np.round(ndimage.distance_transform_edt(mask) ** 2).astype(np.int64)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53), (60, 200)])
def test_random_masks(shape, share):
    for seed in range(5):
        mask = np.random.default_rng(seed).random(shape) < share
        mask.flat[seed % mask.size] = False
        np.testing.assert_array_equal(squared_distance(mask), _of_scipy(mask))


def test_an_image_of_foreground_alone_is_far_from_any_border():
    assert (squared_distance(np.ones((5, 8))) >= 13**2).all()


def test_bands_of_rows_change_nothing(monkeypatch):
    mask = np.random.default_rng(0).random((50, 30)) < 0.97
    whole = squared_distance(mask)
    monkeypatch.setattr(distance, "_ROWS", 7)
    np.testing.assert_array_equal(squared_distance(mask), whole)
