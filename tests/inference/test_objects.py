"""Objects and holes that are too small."""

from __future__ import annotations

import numpy as np

from amsunet.inference.objects import without_small


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
