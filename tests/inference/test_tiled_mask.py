"""Objects of a mask in a file are those of the whole mask."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from amsunet.data.components import without_small
from amsunet.inference import tiled_mask
from amsunet.inference.slide_state import FileArray
from amsunet.inference.tiled_mask import drop_small, number_tiled_objects, parts_of


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiled_mask, "SIDE", 16)


@pytest.fixture
def in_file(tmp_path):
    def write(mask):
        labels = FileArray(tmp_path / "labels", 1, *mask.shape, np.uint8)
        labels.write(slice(0, mask.shape[0]), slice(0, mask.shape[1]), mask)
        return labels

    return write


def _whole(labels):
    _, height, width = labels.shape
    return labels.read(slice(0, height), slice(0, width))[0]


def _snake():
    """One object that crosses the borders of tiles many times, and one that touches it by a corner only."""
    mask = np.zeros((70, 50), bool)
    mask[2::6, 2:48] = True
    for turn, row in enumerate(range(2, 62, 6)):
        mask[row : row + 7, 47 if turn % 2 else 2] = True
    mask[63:66, 40:44] = False
    return mask


@pytest.mark.parametrize("mask", [
    *(ndimage.gaussian_filter(np.random.default_rng(seed).random((75, 101)), seed) > 0.5 for seed in range(3)),
    _snake(), np.zeros((20, 20), bool), np.ones((40, 33), bool), np.eye(40, dtype=bool),
])  # fmt: skip
@pytest.mark.parametrize("holes", [False, True])
def test_numbers_and_sizes_are_those_of_the_whole(in_file, mask, holes):
    labels = in_file(mask)
    numbers, pixels = number_tiled_objects(labels, holes=holes)
    wanted = ~mask if holes else mask
    expected, count = ndimage.label(wanted)
    found = np.zeros(mask.shape, np.int64)
    for (rows, columns), own in zip(parts_of(labels), numbers, strict=True):
        found[rows, columns] = own[ndimage.label(wanted[rows, columns])[0]]
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1])), "one number for one object"
    assert ((found == 0) == ~wanted).all() and found.max() == count
    assert np.array_equal(pixels[1:], np.bincount(found.ravel(), minlength=count + 1)[1:])


@pytest.mark.parametrize("smallest", [1, 5, 40, 300])
@pytest.mark.parametrize("seed", range(3))
def test_small_objects_and_holes_go_as_in_the_whole(in_file, smallest, seed):
    mask = ndimage.gaussian_filter(np.random.default_rng(seed).random((75, 101)), 0.5 + seed) > 0.5
    labels = in_file(mask)
    drop_small(labels, smallest)
    assert np.array_equal(_whole(labels), without_small(mask, smallest))
    drop_small(labels, smallest)
    assert np.array_equal(_whole(labels), without_small(mask, smallest)), "a second time, after a kill"


def test_a_kill_within_it_changes_nothing(in_file, monkeypatch):
    mask = ndimage.gaussian_filter(np.random.default_rng(0).random((75, 101)), 1) > 0.5
    labels, written = in_file(mask), []
    write = FileArray.write

    def stop(self, *given):
        written.append(given)
        if len(written) in (3, 9, 15):
            raise KeyboardInterrupt
        write(self, *given)

    monkeypatch.setattr(FileArray, "write", stop)
    for _ in range(4):
        try:
            drop_small(labels, 30)
        except KeyboardInterrupt:
            continue
    assert len(written) > 15
    assert np.array_equal(_whole(labels), without_small(mask, 30))
