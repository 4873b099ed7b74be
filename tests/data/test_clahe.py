"""Contrast evened out from part to part of an image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.exposure import equalize_adapthist

from amsunet.data import clahe
from amsunet.data.clahe import equalise
from amsunet.data.images import Array


def _uneven(height: int = 240, width: int = 320) -> Array:
    """Fine structure of the same contrast on ground that is dark on the left and bright on the right."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((height, width)), 2)
    ground = np.linspace(0.15, 0.85, width)
    return np.clip(255 * (ground + 0.05 * noise / noise.std()), 0, 255).astype(np.uint8)[..., None]


def test_without_the_limit_it_does_what_scikit_image_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit scikit-image deals out in another way, over and over."""
    monkeypatch.setattr(clahe, "LIMIT", 256.0)
    image = _uneven()
    expected = 255 * equalize_adapthist(image[..., 0], clip_limit=1.0)
    found = equalise(image)[..., 0]
    assert np.abs(found - expected).mean() < 4
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.995


def test_contrast_rises_in_dark_and_in_bright_parts() -> None:
    image = _uneven()
    for part in (np.s_[:, 20:80], np.s_[:, 240:300]):
        fine, before = (one[part].std(axis=1).mean() for one in (equalise(image).astype(float), image.astype(float)))
        assert fine > 1.3 * before


def test_a_mirrored_image_gives_the_mirrored_one() -> None:
    image = _uneven()
    for axis in (0, 1):
        difference = np.flip(equalise(np.flip(image, axis)), axis).astype(int) - equalise(image)
        assert abs(difference).max() <= 1


def test_channels_are_by_themselves() -> None:
    image = np.concatenate([_uneven(), 255 - _uneven(), _uneven() // 2], axis=2)
    assert np.array_equal(equalise(image)[..., 1], equalise(image[..., 1:2])[..., 0])


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 3), (9, 7, 1), (5, 200, 3), (257, 63, 1)])
def test_every_size_goes_through(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    kept = image.copy()
    out = equalise(image)
    assert out.shape == shape and out.dtype == np.uint8 and np.array_equal(image, kept)


def test_a_flat_image_stays_flat_and_noise_stays_low() -> None:
    assert len(np.unique(equalise(np.full((64, 64, 1), 90, np.uint8)))) == 1
    faint = np.random.default_rng(0).integers(100, 103, (128, 128, 1), dtype=np.uint8)
    assert np.ptp(equalise(faint)) < 12
