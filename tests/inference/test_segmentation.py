"""What a prediction is, and how its mask is stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amsunet.data.masks import MaskConvention
from amsunet.data.masks.files import read_mask
from amsunet.errors import InputError
from amsunet.inference.segmentation import Segmentation


def _result(mask, kind="values", values=(0, 255), names=("background", "foreground")):
    mask = np.asarray(mask, np.uint8)
    probability = np.stack([mask == label for label in range(len(names))]).astype(np.float32)
    return Segmentation("one", probability, mask, MaskConvention(kind=kind, values=values, class_names=names))


def test_areas_are_counted_by_name():
    result = _result([[0, 1, 2], [2, 2, 0]], values=(0, 1, 2, 3), names=("background", "cup", "disc", "rim"))
    assert result.areas() == {"background": 2, "cup": 1, "disc": 3, "rim": 0}
    assert result.class_names == ("background", "cup", "disc", "rim")
    assert result.spacing is None


@pytest.mark.parametrize(("side", "dtype"), [(8, np.uint8), (40, np.uint16)])
def test_objects_are_numbered_from_one_in_as_many_bits_as_needed(side, dtype):
    mask = np.zeros((side, side), np.uint8)
    mask[::2, ::2] = 1
    stored = _result(mask, "instances", (0, 1)).to_mask()
    assert stored.dtype == dtype
    assert sorted(stored[mask > 0]) == list(range(1, (side // 2) ** 2 + 1))
    assert not stored[mask == 0].any()


@pytest.mark.parametrize("channels", [1, 3])
def test_overlay_is_the_image_with_outlines(channels):
    mask = np.zeros((30, 40), np.uint8)
    mask[8:20, 10:30] = 1
    image = np.tile(np.arange(40, dtype=np.uint8)[:, None], (30, 1, channels))
    before = image.copy()
    drawn = np.asarray(_result(mask).overlay(image))
    assert drawn.shape == (30, 40, 3)
    touched = (drawn != np.asarray(_result(mask * 0).overlay(image))).any(axis=2)
    assert touched.any()
    assert not touched[:5].any()
    assert not touched[13:15, 15:25].any(), "only the outline is drawn"
    assert np.array_equal(image, before)


def test_overlay_of_ct_shows_what_is_within_its_window():
    image = np.linspace(-1000, 1000, 64 * 64, dtype=np.float32).reshape(64, 64, 1)
    convention = MaskConvention(kind="values", values=(0, 1), class_names=("background", "foreground"))
    mask = np.zeros((64, 64), np.uint8)
    whole, cut = (
        np.asarray(Segmentation("ct", np.zeros((2, 64, 64)), mask, convention, window=window).overlay(image))[..., 0]
        for window in (None, (-100.0, 100.0))
    )
    assert len(np.unique(whole[28:36])) < 40 and len(np.unique(cut[28:36])) > 200  # levels of what lies in between
    assert (cut[:20] == 0).all() and (cut[-20:] == 255).all()
    eight_bits = np.arange(64 * 64).reshape(64, 64, 1).astype(np.uint8)
    assert Segmentation("8", np.zeros((2, 64, 64)), mask, convention, window=(-40.0, 99.5)).overlay(eight_bits)


def test_a_mask_is_doubted_for_what_the_image_is_and_for_what_the_network_does_not_know():
    probability = np.full((2, 8, 8), 0.5, np.float32)
    mask = np.ones((8, 8), np.uint8)
    convention = MaskConvention(kind="values", values=(0, 255), class_names=("background", "foreground"))
    sure, unsure = (Segmentation("one", probability, mask, convention, uncertainty_limit=limit) for limit in (0.9, 0.1))
    assert sure.uncertainty == pytest.approx(1 - 2 * 0.5 / 1.5)
    assert (sure.review_reasons, unsure.review_reasons) == ((), ("less sure than nine in ten validation images",))
    foreign = Segmentation(
        "one", probability, mask, convention, out_of_distribution="saturation", uncertainty_limit=0.1
    )
    assert foreign.review_reasons == ("does not look like the training images (saturation)", *unsure.review_reasons)
    assert Segmentation("one", probability, mask, convention).review_reasons == (), "where no limit is known"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_saved_mask_has_the_values_of_the_training_masks(tmp_path, suffix):
    result = _result([[0, 1, 2], [2, 2, 0]], values=(0, 100, 200), names=("background", "cup", "disc"))
    (path,) = result.save(tmp_path / "new" / f"mask{suffix}")
    assert path == tmp_path / "new" / f"mask{suffix}"
    assert np.array_equal(read_mask(path), result.to_mask()) and set(np.unique(result.to_mask())) == {0, 100, 200}
    assert result.save(str(path)) == [path], "a file that is there is replaced"


def test_classes_with_a_folder_each_are_saved_in_folders(tmp_path):
    result = _result([[0, 1, 2], [2, 2, 0]], "folders", (0, 1, 2), ("background", "cup", "disc"))
    paths = result.save(tmp_path / "mask.png")
    assert paths == [tmp_path / "cup" / "mask.png", tmp_path / "disc" / "mask.png"]
    for label, path in enumerate(paths, start=1):
        assert np.array_equal(read_mask(path) > 0, result.mask == label)


def test_a_mask_is_not_saved_where_its_values_would_change(tmp_path):
    with pytest.raises(InputError, match=r"mask\.jpg would not keep the values of a mask: name it mask\.png"):
        _result([[0, 1]]).save(tmp_path / "mask.jpg")
    assert not [*tmp_path.iterdir()]


def test_objects_are_parted_at_their_waists_class_by_class_where_the_network_says_how():
    rows, columns = np.ogrid[:30, :60]
    mask = np.zeros((30, 60), np.uint8)
    for column in (15, 31):
        mask[(rows - 15) ** 2 + (columns - column) ** 2 <= 100] = 1
    mask[0, 50:] = 2
    whole = _result(mask, values=(0, 1, 2), names=("background", "cell", "line"))
    parted = replace(whole, separation=1.0)
    assert whole.objects.classes.tolist() == [1, 2] and parted.objects.classes.tolist() == [1, 1, 2]
    np.testing.assert_array_equal(whole.objects.numbers > 0, parted.objects.numbers > 0)
    np.testing.assert_array_equal(parted.to_mask(), whole.to_mask())


def test_a_mask_of_object_numbers_numbers_them_as_they_are_parted():
    rows, columns = np.ogrid[:30, :60]
    mask = np.zeros((30, 60), np.uint8)
    for column in (15, 31):
        mask[(rows - 15) ** 2 + (columns - column) ** 2 <= 100] = 1
    whole = _result(mask, "instances", (0, 1))
    assert whole.to_mask().max() == 1
    parted = replace(whole, separation=1.0)
    np.testing.assert_array_equal(parted.to_mask(), parted.objects.numbers)
    assert parted.to_mask().max() == 2 and parted.to_mask().dtype == np.uint8
