"""Objects of a mask: numbered, and small ones dropped."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from amsunet.data.components import keep_largest, number_objects, number_stack, without_small


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


def _mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_small_objects_go_and_small_holes_are_filled():
    mask = _mask("#####...", "#.###.#.", "#####...", ".......#")
    assert (without_small(mask, 2) == _mask("#####...", "#####...", "#####...", "........")).all()


def test_what_is_as_large_as_asked_stays():
    mask = _mask("###.", "#.#.", "###.", "...#")
    assert (without_small(mask, 1) == mask).all()
    assert (without_small(mask, 8) == _mask("####", "####", "####", "####")).all(), "the background is a hole too"
    assert (without_small(mask, 7) == _mask("###.", "###.", "###.", "....")).all()


def test_corners_do_not_join_objects():
    assert not without_small(np.eye(6, dtype=bool), 2).any()


def test_empty_and_full_masks_stay():
    for value in (False, True):
        assert (without_small(np.full((5, 4), value), 8) == value).all()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_largest_component_of_each_class_is_that_of_scipy(share):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        labels = ((rng.random((4, 9, 11)) < share) * rng.integers(1, 3, (4, 9, 11))).astype(np.uint8)
        kept = labels.copy()
        keep_largest(kept, 4)
        for label in (1, 2):
            numbered, _ = ndimage.label(labels == label)
            sizes = np.bincount(numbered.ravel())[1:]
            assert (kept == label).sum() == sizes.max()
            assert len(np.unique(numbered[kept == label])) == 1 and (labels == label)[kept == label].all()


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 20, 30), (30, 1, 9), (2, 40, 41)])
def test_objects_of_a_stack_are_those_of_scipy(shape, classes):
    labels = np.random.default_rng(classes).integers(0, classes, shape).astype(np.uint8)
    numbers, of_class = number_stack(labels, classes)
    assert numbers.dtype == np.int32 and ((numbers > 0) == (labels > 0)).all()
    before = 0
    for label in range(1, classes):
        expected, count = ndimage.label(labels == label)
        assert (of_class[before : before + count] == label).all()
        np.testing.assert_array_equal(numbers[labels == label] - before, expected[labels == label])
        before += count
    assert len(of_class) == before


def test_of_no_class_nothing_is_kept():
    labels = np.zeros((2, 3, 4), np.uint8)
    keep_largest(labels, 3)
    assert not labels.any()
