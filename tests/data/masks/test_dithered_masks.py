"""Masks of two values that hold no areas."""

from __future__ import annotations

import numpy as np
import pytest
from made_masks import SIDE, blob, disc, find
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks.dithered import is_dithered
from amsunet.errors import InputError


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
