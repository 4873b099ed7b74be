"""A second observer's masks: read in the classes of the reference, or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.other_observer import open_other_observer


@pytest.fixture
def chase(tmp_path, picture, disc, save):
    """Images with a first observer's mask of 0 and 255, as CHASE_DB1 names them; some have a second one's."""

    def make(second, count=4):
        for number in range(1, count + 1):
            save(tmp_path / f"Image_{number:02}L.png", picture(number))
            save(tmp_path / f"Image_{number:02}L_1stHO.png", np.uint8(255) * disc(number))
            if number in second:
                save(tmp_path / f"Image_{number:02}L_2ndHO.png", second[number])
        dataset = open_dataset(tmp_path)
        return dataset, open_other_observer(dataset, dataset.samples)

    return make


def test_masks_of_other_values_are_read_in_the_classes_of_the_reference(chase, disc):
    dataset, other = chase({number: np.uint8(1) * disc(number) for number in (1, 2, 3)})
    assert sorted(other.samples) == ["Image_01L", "Image_02L", "Image_03L"]
    for sample in dataset.samples:
        read = other.read_labels(sample.name)
        assert (read is None) == (sample.name == "Image_04L")
        assert read is None or np.array_equal(read, dataset.read_labels(sample))
    assert other.notes[0].startswith("second observer: masks hold") and len(other.notes) == 1


def test_what_cannot_be_scored_is_warned_of(chase, disc):
    _, other = chase({1: np.uint8(255) * disc(1), 2: np.zeros((9, 9), np.uint8)})
    assert list(other.samples) == ["Image_01L"]
    (warning,) = other.warnings
    assert warning.startswith("1 of 2 masks of the second observer are not scored: ") and "Image_02L" in warning


def test_other_classes_are_not_scored(chase, disc):
    _, other = chase({number: disc(number) * np.uint8(3) + disc(number + 9) * np.uint8(50) for number in (1, 2, 3, 4)})
    assert not other.samples and other.read_labels("Image_01L") is None
    assert other.warnings[0].startswith("the second observer's masks are not scored: ")


def test_one_file_beside_a_file_for_each_class_is_not_scored(tmp_path, picture, disc, save):
    rows = ["image,mask:cup,mask:disc,other_observer"]
    for number in range(1, 5):
        one, other = disc(number), disc(number + 9)
        files = {"images": picture(number), "cup": np.uint8(255) * one, "disc": np.uint8(255) * other}
        for folder, pixels in {**files, "second": np.uint8(2) * one}.items():
            save(tmp_path / folder / f"{number}.png", pixels)
        rows.append(",".join(f"{folder}/{number}.png" for folder in ("images", "cup", "disc", "second")))
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    dataset = open_dataset(tmp_path)
    other = open_other_observer(dataset, dataset.samples)
    assert not other.samples and other.read_labels("1") is None
    (warning,) = other.warnings
    assert warning.endswith("an image has one file of them, and one for each class of the reference")


def test_without_a_second_observer_there_is_nothing(chase):
    _, other = chase({})
    assert (other.samples, other.notes, other.warnings) == ({}, (), ())


def test_the_second_observer_of_drive_agrees_as_published(opened):
    dataset = opened("DRIVE")
    test = [sample for sample in dataset.samples if sample.split == "test"]
    other = open_other_observer(dataset, test)
    hits = sizes = 0
    for sample in test:
        labels, second = dataset.read_labels(sample), other.read_labels(sample.name)
        hits += int(((labels == 1) & (second == 1)).sum())
        sizes += int((labels == 1).sum() + ((second == 1) & (labels < 2)).sum())
    assert len(other.samples) == 20
    assert 2 * hits / sizes == pytest.approx(0.788, abs=0.002)  # F1 of the second observer in the literature


def test_the_second_observer_of_drive_is_the_same_by_a_manifest(shared, opened, tmp_path):
    found = opened("DRIVE")
    draft_manifest(shared("DRIVE"), tmp_path / "drive.csv")
    listed = open_dataset(tmp_path / "drive.csv")
    assert sum(sample.other_observer is not None for sample in listed.samples) == 20
    for one, other in zip(found.samples, listed.samples, strict=True):
        for file, same in ((one.other_observer, other.other_observer), (one.masks[""], other.masks[""])):
            assert (file is None) == (same is None)
            assert file is None or same is None or file.samefile(same)
    sample = next(sample for sample in listed.samples if sample.other_observer is not None)
    twin = next(one for one in found.samples if one.image.samefile(sample.image))
    labels = [open_other_observer(*pair).read_labels(pair[1][0].name) for pair in ((listed, [sample]), (found, [twin]))]
    assert np.array_equal(*labels) and labels[0].any()
