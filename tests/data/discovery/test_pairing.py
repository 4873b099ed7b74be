"""Which mask belongs to which image."""

from __future__ import annotations

from pathlib import Path

import pytest

from amsunet.data.discovery.mask_names import is_mask_name
from amsunet.data.discovery.pairing import match, pair


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("7.png", "7.png"),
        ("7.jpg", "7.png"),
        ("7.tif", "7_mask.tif"),
        ("7.tif", "mask_7.tif"),
        ("testA_1.jpg", "testA_1_anno.png"),
        ("ISIC_0000000.jpg", "ISIC_0000000_segmentation.png"),
        ("21_training.tif", "21_manual1.gif"),
        ("01_test.tif", "01_test_mask.gif"),
        ("img-3.png", "label-3.png"),
        ("case 4 image.png", "case 4 seg.png"),
        ("IMG_5.PNG", "img_5.png"),
        ("orig.7.bmp", "gt.7.bmp"),
        ("cell 7.ome.tif", "cell 7.png"),
        ("7.ome.tiff", "7_mask.ome.tif"),
    ],
)
def test_partners_find_each_other(image: str, mask: str) -> None:
    stranger, other = Path("i/999.png"), Path("m/998_mask.png")
    assert pair([Path("i", image), stranger], [other, Path("m", mask)]) == {Path("i", image): Path("m", mask)}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["7.png", "7.jpg"], ["7.png"]),
        (["7.png"], ["7_mask.png", "mask_7.png"]),
        (["1.png"], ["11.png", "21_mask.png"]),
    ],
    ids=["two images", "two masks", "another number"],
)
def test_a_guess_is_not_made(images: list[str], masks: list[str]) -> None:
    assert pair([Path("i", name) for name in images], [Path("m", name) for name in masks]) == {}


def test_an_exact_name_goes_before_a_likely_one() -> None:
    images, masks = [Path("i/7.png"), Path("i/7_mask.png")], [Path("m/7.png"), Path("m/7_mask.png")]
    assert pair(images, masks) == dict(zip(images, masks, strict=True))


@pytest.mark.parametrize(
    ("stem", "expected"), [("7_mask", True), ("mask-7", True), ("7_anno", True), ("unmasked", False), ("masks7", False)]
)
def test_masks_are_recognised_by_their_names(stem: str, expected: bool) -> None:
    assert is_mask_name(stem) is expected


def _names(folder: str, *stems: str) -> list[Path]:
    return [Path(folder, f"{stem}.png") for stem in stems]


def test_several_masks_with_one_word_and_a_number_are_parts_of_one() -> None:
    images, masks = _names("i", "A1", "A2"), _names("m", "A1_lesion1", "A1_lesion2", "A1_lesion10", "A2_lesion1")
    found = match(images, masks)
    assert found.masks == {images[0]: masks[:3], images[1]: masks[3:]}
    assert len(found.guessed) == 4, "which is said"


@pytest.mark.parametrize(
    "stems",
    [
        ("A1_lesion1", "A1_lesion2", "A2_polyp1"),
        ("A1_class1", "A1_class2", "A2_class1"),
        ("A1_lesion1", "A1_lesion2", "A3_lesion1"),
        ("A1_lesion", "A1_lesion2", "A2_lesion1"),
    ],
    ids=["two words", "numbers of classes", "of no image", "one without a number"],
)
def test_other_words_and_numbers_are_not_parts_of_one(stems: tuple[str, ...]) -> None:
    found = match(_names("i", "A1", "A2"), _names("m", *stems))
    assert all(len(masks) < 2 for masks in found.masks.values())
