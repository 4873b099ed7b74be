"""Instance masks, and others."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.dataset import open_dataset
from amsunet.data.instances import has_instances, read_instances
from amsunet.data.options import DataOptions, MaskOptions


def _open(folder, **options):
    return open_dataset(folder, DataOptions(masks=MaskOptions(**options)))


def _numbers(count=3):
    mask = np.zeros((40, 60), np.uint16)
    for number in range(count):
        mask[10:30, 5 + 10 * number : 15 + 10 * number] = 7 * number + 3  # they touch
    return mask


@pytest.fixture
def numbered(tmp_path, save, picture):
    for number in range(4):
        save(tmp_path / "set" / "images" / f"{number}.png", picture(number, 40, 60))
        save(tmp_path / "set" / "masks" / f"{number}.png", _numbers(number + 2))
    return tmp_path / "set"


def test_numbers_tell_touching_objects_apart(numbered):
    dataset = _open(numbered, instances=True)
    assert has_instances(dataset.samples, dataset.convention)
    for sample, count in zip(dataset.samples, (2, 3, 4, 5), strict=True):
        found = read_instances(sample, dataset.convention)
        assert found.classes.tolist() == [1] * count and found.numbers.dtype == np.int32
        assert np.unique(found.numbers).tolist() == list(range(count + 1))
        np.testing.assert_array_equal(found.numbers > 0, dataset.read_labels(sample) == 1)


def test_what_is_ignored_is_of_no_object(numbered):
    dataset = _open(numbered, instances=True, ignore_value=3)
    found = read_instances(dataset.samples[0], dataset.convention)
    assert len(found.classes) == 1 and not found.counted[15, 8] and not found.numbers[15, 8]


def test_a_file_for_each_object_tells_them_apart(tmp_path, save, picture):
    for number in range(3):
        save(tmp_path / "set" / f"{number}" / "images" / f"{number}.png", picture(number, 40, 60))
        for one, value in enumerate(np.unique(_numbers())[1:]):
            save(tmp_path / "set" / f"{number}" / "masks" / f"{one}.png", np.uint8(255) * (_numbers() == value))
    dataset = _open(tmp_path / "set")
    assert all(sample.more_masks for sample in dataset.samples)
    assert has_instances(dataset.samples, dataset.convention)
    found = read_instances(dataset.samples[0], dataset.convention)
    assert found.classes.tolist() == [1, 1, 1]


def test_others_are_connected_components_class_by_class(tmp_path, save, picture):
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:15] = mask[20:30, 20:30] = 1
    mask[20:30, 30:40] = 2
    for number in range(3):
        save(tmp_path / "set" / "images" / f"{number}.png", picture(number, 40, 60))
        save(tmp_path / "set" / "masks" / f"{number}.png", mask)
    dataset = _open(tmp_path / "set", classes=(0, 1, 2))
    assert not has_instances(dataset.samples, dataset.convention)
    assert read_instances(dataset.samples[0], dataset.convention).classes.tolist() == [1, 1, 2]
