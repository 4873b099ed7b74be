"""Objects numbered as SciPy numbers them."""

import numpy as np
import pytest
from scipy import ndimage

from amsunet.data.components import number_objects


def same_as_scipy(mask):
    numbered, count = number_objects(mask)
    expected, expected_count = ndimage.label(mask)
    assert count == expected_count
    assert numbered.dtype == np.int32
    np.testing.assert_array_equal(numbered, expected)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.55, 0.62, 0.9, 1.0, 0.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53), (150, 200)])
def test_random_masks(shape, share):
    for seed in range(5):
        same_as_scipy(np.random.default_rng(seed).random(shape) < share)


def test_a_spiral_is_one_object():
    mask = np.zeros((81, 81), bool)
    row, column, step, length = 40, 40, 0, 1
    while 0 < length < 78:
        for _ in range(2):
            down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[step % 4]
            for _ in range(length):
                mask[row, column] = True
                row, column = row + down, column + right
            step += 1
        length += 2
    same_as_scipy(mask)
    assert number_objects(mask)[1] == 1


def test_corners_do_not_join_and_labels_count_as_foreground():
    same_as_scipy(np.eye(9, dtype=bool))
    same_as_scipy(np.array([[0, 1, 2], [0, 0, 2], [3, 0, 0]], np.uint8))


def test_an_empty_mask_has_none():
    assert number_objects(np.zeros((0, 5), bool))[1] == 0
