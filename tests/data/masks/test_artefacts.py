"""Masks that were changed when they were saved: interpolated class numbers, and dithering."""

from __future__ import annotations

import numpy as np
import pytest
from made_masks import SIDE, blob, disc, find, find_in_scenes, organs, picture
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks.artefacts import is_dithered, is_smoothed
from amsunet.errors import InputError


def _resized(mask: Array, factor: float, how: Image.Resampling) -> Array:
    size = (round(mask.shape[1] * factor), round(mask.shape[0] * factor))
    smooth = np.asarray(Image.fromarray(mask.astype(np.float32)).resize(size, how))
    return np.clip(np.round(smooth), 0, 255).astype(np.uint8)


HOW = Image.Resampling


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.3, 2, 4])
@pytest.mark.parametrize("how", [HOW.BILINEAR, HOW.BICUBIC, HOW.LANCZOS], ids=lambda how: how.name)
@pytest.mark.parametrize("numbers", [(2,), (3,), (1, 2), (1, 2, 3)], ids=str)
def test_numbers_that_were_resized_with_smoothing_are_refused(
    numbers: tuple[int, ...], how: HOW, factor: float
) -> None:
    rng = np.random.default_rng(0)
    masks = [_resized(organs(rng, numbers)[1], factor, how) for _ in range(6)]
    with pytest.raises(InputError, match=r"^m\.png has soft edges.*--mask-threshold \d"):
        find(masks)


@pytest.mark.parametrize("numbers", [(1, 2), (1, 2, 3)], ids=str)
def test_numbers_that_were_resized_without_smoothing_are_classes(numbers: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    scenes = [organs(rng, numbers) for _ in range(6)]
    for factor in (0.5, 2, 4):
        resized = [
            (np.asarray(Image.fromarray(image[..., 0]).resize(mask.shape[::-1]))[..., None], mask)
            for image, mask in [(image, _resized(mask, factor, HOW.NEAREST)) for image, mask in scenes]
        ]
        assert find_in_scenes(resized)[0].values == (0, *numbers)


def test_classes_within_classes_are_not_smoothed() -> None:
    rng = np.random.default_rng(0)
    scenes = []
    for _ in range(6):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        row, column = rng.integers(40, 56, 2)
        mask[disc(row, column, 25)] = 1
        mask[disc(row + rng.integers(-6, 7), column + rng.integers(-6, 7), 14)] = 2
        scenes.append((picture(rng, np.array([40, 100, 200])[mask]), mask))
    assert not any(is_smoothed(mask) for _, mask in scenes)
    assert find_in_scenes(scenes)[0].values == (0, 1, 2)


def test_an_outline_as_a_class_is_refused_with_both_readings_and_read_as_set() -> None:
    """Numbers 0, 1, 2 with a rim of 1 all around 2: a class of outlines, or 0 and 2 that were smoothed."""
    masks = []
    for shift in range(6):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[disc(40 + shift, 48, 22)] = 1
        mask[disc(40 + shift, 48, 20)] = 2
        masks.append(mask)
    with pytest.raises(InputError, match=r"set --classes 0,1,2 if the rims are right, or --mask-threshold 1 if all"):
        find(masks)
    assert find(masks, classes=(0, 1, 2))[0].values == (0, 1, 2)
    assert find(masks, threshold=1)[0].kind == "threshold"


def test_spaced_numbers_that_were_smoothed_are_not_advised_as_classes() -> None:
    rng = np.random.default_rng(0)
    masks = [_resized(50 * organs(rng)[1], 2, HOW.BILINEAR) for _ in range(6)]
    with pytest.raises(InputError, match=r"near 0,50,100,150.*--mask-threshold 25 if all are one") as refusal:
        find(masks)
    assert "--classes" not in str(refusal.value)


def _vessels(seed: int) -> Array:
    """Thin lines that cross, with holes between them."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for position in rng.choice(np.arange(8, SIDE - 8, 9), 5, replace=False):
        mask[position, 4:-4] = mask[4:-4, position] = True
    return mask


def test_dithered_masks_are_refused() -> None:
    greys = [np.where(blob(n), 180, 60).astype(np.uint8) for n in range(5)]
    masks = [np.asarray(Image.fromarray(grey).convert("1")).astype(np.uint8) for grey in greys]
    with pytest.raises(InputError, match=r"dots that stand for greys \(dithered\).*or set --classes 0,1 if they"):
        find(masks)


@pytest.mark.parametrize("make", [blob, _vessels, lambda seed: disc(48, 48, 30) & ~disc(48, 48, 22)])
def test_areas_vessels_and_thick_rings_are_not(make: object) -> None:
    masks = [make(seed) for seed in range(5)]  # type: ignore[operator]
    assert not any(is_dithered(mask) for mask in masks)
    assert find([np.uint8(255) * mask for mask in masks])[0].values == (0, 255)
