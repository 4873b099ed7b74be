"""Masks of two values that hold no areas."""

from __future__ import annotations

import numpy as np
import pytest
from made_masks import SIDE, blob, disc, find
from PIL import Image
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.data.mask_strokes import find_strokes
from amsunet.errors import InputError


def _outlines(seed: int, thickness: int = 1) -> Array:
    mask = blob(seed)
    return mask & ~ndimage.binary_erosion(mask, iterations=thickness)


def _vessels(seed: int) -> Array:
    """Thin lines that cross, with holes between them."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for position in rng.choice(np.arange(8, SIDE - 8, 9), 5, replace=False):
        mask[position, 4:-4] = mask[4:-4, position] = True
    return mask


@pytest.mark.parametrize("thickness", [1, 2])
@pytest.mark.parametrize("values", [(0, 255), (0, 1)])
def test_outlines_are_refused_and_taken_as_told(thickness: int, values: tuple[int, int]) -> None:
    masks = [np.uint8(values[1]) * _outlines(n, thickness) for n in range(5)]
    said = f"--classes 0,{values[1]}"
    with pytest.raises(InputError, match=f"^m.png and 4 other masks hold thin closed lines.*or say {said} if they"):
        find(masks)
    assert find(masks, classes=values)[0].values == values


def test_dithered_masks_are_refused() -> None:
    greys = [np.where(blob(n), 180, 60).astype(np.uint8) for n in range(5)]
    masks = [np.asarray(Image.fromarray(grey).convert("1")).astype(np.uint8) for grey in greys]
    with pytest.raises(InputError, match=r"dots that stand for greys \(dithered\).*or say --classes 0,1 if they"):
        find(masks)


@pytest.mark.parametrize("make", [blob, _vessels, lambda seed: disc(48, 48, 30) & ~disc(48, 48, 22)])
def test_areas_vessels_and_thick_rings_are_neither(make: object) -> None:
    masks = [make(seed) for seed in range(5)]  # type: ignore[operator]
    assert {find_strokes(mask) for mask in masks} == {""}
    assert find([np.uint8(255) * mask for mask in masks])[0].values == (0, 255)


def test_one_mask_of_outlines_among_others_is_taken() -> None:
    masks = [np.uint8(255) * (_outlines(n) if n == 3 else blob(n)) for n in range(6)]
    assert find(masks)[0].values == (0, 255)
