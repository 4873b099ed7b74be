"""Objects that touch, parted at their waists."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from amsunet.data.components import number_objects
from amsunet.data.object_matching import average_precision, match_objects
from amsunet.data.watershed import find_basins

_NEVER = 1e9


def _disc(shape, row, column, radius):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def _two(distance, radius=10):
    """Two discs and the line in the middle between them."""
    shape = (30, 60)
    mask = _disc(shape, 15, 15, radius) | _disc(shape, 15, 15 + distance, radius)
    return mask, 15 + distance / 2


@pytest.mark.parametrize("share", [0.1, 0.55, 0.62, 0.9, 1.0])
def test_without_a_cut_objects_are_connected_components(share):
    mask = np.random.default_rng(0).random((60, 70)) < share
    numbers, count = find_basins(mask).merge(_NEVER)
    expected, expected_count = number_objects(mask)
    assert count == expected_count and numbers.dtype == np.int32
    np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("seed", range(4))
def test_objects_are_in_one_piece_and_numbered_by_their_first_pixels(seed):
    mask = np.random.default_rng(seed).random((40, 50)) < 0.9
    numbers, count = find_basins(mask).merge(0.5)
    np.testing.assert_array_equal(numbers > 0, mask)
    held, first = np.unique(numbers[mask], return_index=True)
    assert held.tolist() == list(range(1, count + 1))
    assert (np.diff(first) > 0).all()
    assert all(number_objects(numbers == number)[1] == 1 for number in held)


def test_two_discs_are_parted_where_they_touch():
    mask, middle = _two(16)
    numbers, count = find_basins(mask).merge(1.0)
    assert count == 2
    columns = np.nonzero(mask)[1]
    assert (numbers[mask][columns < middle - 1] == 1).all()
    assert (numbers[mask][columns > middle + 1] == 2).all()


def test_a_deeper_waist_is_asked_for_and_fewer_objects_are_parted():
    rng = np.random.default_rng(0)
    mask = np.zeros((200, 200), bool)
    for row, column, radius in rng.integers((10, 10, 4), (190, 190, 12), (60, 3)):
        mask |= _disc(mask.shape, row, column, radius)
    basins = find_basins(mask)
    counts = [basins.merge(depth)[1] for depth in (0.1, 0.5, 1, 2, 4, _NEVER)]
    assert counts == sorted(counts, reverse=True) and counts[0] > counts[-1] == number_objects(mask)[1]


def test_the_depth_is_how_much_narrower_the_waist_is():
    mask = np.zeros((40, 80), bool)
    mask[10:31, 5:35] = mask[10:31, 45:75] = mask[16:25, 35:45] = True  # half widths 11 and 5
    for depth, expected in ((5.5, 2), (6.5, 1)):
        assert find_basins(mask).merge(depth)[1] == expected


def test_neighbours_share_an_edge():
    mask = np.zeros((8, 8), bool)
    mask[:4, :4] = mask[4:, 4:] = True
    assert find_basins(mask).merge(_NEVER)[1] == 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (5, 5)])
@pytest.mark.parametrize("value", [0, 1])
def test_images_of_one_value(shape, value):
    numbers, count = find_basins(np.full(shape, value)).merge(1.0)
    assert count == value and (numbers == value).all()


def test_objects_at_the_border_of_the_image_are_not_cut_by_it():
    mask = _disc((40, 40), 0, 20, 15)
    assert find_basins(mask).merge(0.5)[1] == 1


def test_seventy_thousand_objects_of_few_pixels():
    mask = np.zeros((1060, 1060), bool)
    mask[::4, ::4] = mask[1::4, ::4] = True
    mask[::4, 1::4] = True
    numbers, count = find_basins(mask).merge(1.0)
    assert count == 265**2 > 70_000
    assert numbers.max() == count


def test_holes_stay_holes():
    mask = _disc((40, 40), 20, 20, 15) & ~_disc((40, 40), 20, 20, 6)
    numbers, count = find_basins(mask).merge(1.5)
    assert count == 1 and not numbers[20, 20]


def test_touching_nuclei_are_told_apart_as_far_as_their_masks_show_them(shared):
    folder = shared("DSB2018-instances") / "labels"
    scores = []
    for path in sorted(folder.iterdir())[::80]:
        true = np.asarray(Image.open(path)).astype(np.int64)
        if true.size < 400_000:
            ways = number_objects(true)[0], find_basins(true).merge(1.0)[0]
            scores.append([average_precision(*match_objects(found, true))[0] for found in ways])
    components, parted = np.mean(scores, axis=0)
    assert len(scores) > 5 and parted > components + 0.05
