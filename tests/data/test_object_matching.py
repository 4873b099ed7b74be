"""Which objects of two masks are one."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.object_matching import IOU_THRESHOLDS, average_precision, match_objects


def _row(*numbers):
    return np.array([numbers])


def test_every_object_is_found_by_itself_whatever_its_number():
    mask = _row(0, 3, 3, 0, 7, 900, 900)
    found, true, hits = match_objects(mask, np.where(mask == 3, 50, mask))
    assert (found, true) == (3, 3) and (hits == 3).all()
    assert (average_precision(found, true, hits) == 1).all()


@pytest.mark.parametrize(("shared", "thresholds"), [(5, 1), (6, 3), (7, 5), (9, 9)])
def test_an_object_is_found_up_to_the_overlap_that_it_has(shared, thresholds):
    found = _row(*[1] * shared, *[0] * (10 - shared))
    *_, hits = match_objects(found, np.ones((1, 10), int))
    assert hits.tolist() == [1] * thresholds + [0] * (10 - thresholds)


def test_an_object_that_is_halved_is_found_once():
    halves, whole = _row(1, 1, 2, 2), _row(1, 1, 1, 1)
    for pair in ((halves, whole), (whole, halves)):
        assert match_objects(*pair)[2][0] == 1


def test_two_that_are_taken_for_one_are_found_if_one_is_the_most_of_it():
    found, true = _row(1, 1, 1, 1, 1), _row(1, 1, 1, 1, 2)
    counts = match_objects(found, true)
    assert counts[:2] == (1, 2) and counts[2][0] == 1
    assert average_precision(*counts)[0] == 0.5


def test_nothing_of_nothing_is_right():
    nothing = np.zeros((3, 3), int)
    assert (average_precision(*match_objects(nothing, nothing)) == 1).all()
    assert (average_precision(*match_objects(nothing, nothing + 1)) == 0).all()


def test_it_is_the_matching_of_the_hungarian_method():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(0)
    for _ in range(20):
        found, true = (np.kron(rng.integers(0, 5, (3, 4)), np.ones((4, 4), int)) for _ in range(2))
        found = np.roll(found, rng.integers(0, 3, 2), (0, 1))
        numbers = [np.unique(mask[mask > 0]) for mask in (found, true)]
        overlap = np.array([
            [((found == f) & (true == t)).sum() / ((found == f) | (true == t)).sum() for t in numbers[1]]
            for f in numbers[0]
        ])  # fmt: skip
        *_, hits = match_objects(found, true)
        for threshold, count in zip(IOU_THRESHOLDS, hits, strict=True):
            rows, columns = optimize.linear_sum_assignment(-(overlap >= threshold - 1e-9).astype(float))
            assert count == (overlap[rows, columns] >= threshold - 1e-9).sum()
