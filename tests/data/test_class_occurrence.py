"""Which classes are in which images."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.class_occurrence import ClassOccurrence
from amsunet.data.dataset import open_dataset
from amsunet.data.masks import MaskOptions
from amsunet.data.options import DataOptions


@pytest.fixture
def occurrence(tmp_path, save, picture):
    """Of masks that hold these values."""

    def make(values, options=None, folders=()):
        for number, held in enumerate(values):
            save(tmp_path / "images" / f"{number}.png", picture(number))
            mask = np.zeros((40, 48), np.uint8)
            for place, value in enumerate(held):
                mask[4 * place : 4 * place + 4] = value
            for folder, value in folders or (("", None),):
                one = mask if value is None else np.uint8(255) * (mask == value)
                save(tmp_path / "masks" / folder / f"{number}.png", one)
        dataset = open_dataset(tmp_path, DataOptions(masks=options or MaskOptions()))
        return ClassOccurrence.of(dataset.scans, dataset.convention)

    return make


def test_classes_are_counted_by_image(occurrence):
    found = occurrence([(1, 2), (1,), (), (1, 2)], MaskOptions(classes=(0, 1, 2)))
    assert found.images_with(1) == ["0", "1", "3"] and found.images_with(2) == ["0", "3"]
    assert str(found) == "images that hold it, of 4: class 1 3, class 2 2"


def test_there_is_no_warning_where_all_images_hold_all_classes(occurrence):
    found = occurrence([(255,)] * 3)
    assert str(found) == "" and found.warnings({"0": "train", "1": "val", "2": "test"}) == []


def test_what_is_ignored_holds_no_class(occurrence):
    found = occurrence([(1, 9), (9,) * 10, (1,)], MaskOptions(classes=(0, 1), ignore_value=9))
    assert found.images_with(1) == ["0", "2"]
    warnings = found.warnings({"0": "train", "1": "train", "2": "val"})
    assert "all pixels of 1 of 3 images are ignored, as of 1: nothing is learned from these" in warnings


def test_folders_of_classes(occurrence):
    found = occurrence([(1, 2), (1,), (2,)], folders=(("cup", 1), ("disc", 2)))
    assert found.class_names == ("cup", "disc")
    assert found.images_with(1) == ["0", "1"] and found.images_with(2) == ["0", "2"]


def test_classes_that_splits_lack_are_named(occurrence):
    found = occurrence([(1, 2), (1,), (1,), (1,), (1, 2), (1, 2)], MaskOptions(classes=(0, 1, 2)))
    splits = {"0": "train", "1": "train", "2": "val", "3": "test", "4": "unused", "5": "unused"}
    counts = "(images with it: 1 training, 0 validation, 0 test)"
    assert found.warnings(splits) == [
        f"class 2 is in one training image only (0): it can hardly be learned {counts}",
        f"no validation image holds class 2: weights are chosen without it {counts}",
        f"no test image holds class 2: it cannot be evaluated {counts}",
    ]
    (warning,) = found.warnings({**splits, "0": "val", "5": "test"})
    assert warning.startswith("no training image holds class 2: it cannot be learned")


def test_a_class_in_one_image_is_named(occurrence):
    found = occurrence([(1,), (1,), (1, 2)], MaskOptions(classes=(0, 1, 2)))
    warnings = found.warnings({"0": "train", "1": "train", "2": "val"})
    assert warnings == ["class 2 is in one image only (2, validation): it can be learned or evaluated, not both"]


def test_folds_that_lack_a_class_are_named(occurrence):
    found = occurrence([(1, 2), (1, 2), (1,), (1,)], MaskOptions(classes=(0, 1, 2)))
    (warning,) = found.warnings_of_folds({"0": 0, "1": 0, "2": 1, "3": 1}, 2)
    assert warning.startswith("1 of 2 folds hold no image with class 2")
    assert found.warnings_of_folds({"0": 0, "1": 1, "2": 0, "3": 1}, 2) == []
