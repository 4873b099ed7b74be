"""Images of another kind than the training images are noticed."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.out_of_distribution import FIGURES, ImageStatistics, learn_image_statistics, take_figures


@pytest.fixture
def smooth(picture):
    """Smooth grey images in three channels, another one for every seed."""
    return lambda seed: np.repeat(picture(seed, 96, 96)[..., None], 3, axis=2)


@pytest.fixture
def image_statistics(smooth):
    return learn_image_statistics(map(smooth, range(40)), map(smooth, range(40, 50)))


def test_hardly_any_image_of_the_same_kind_is_out_of_distribution(image_statistics, smooth):
    assert not any(image_statistics.out_of_distribution(smooth(seed)) for seed in range(40)), (
        "the training images themselves"
    )
    assert sum(bool(image_statistics.out_of_distribution(smooth(seed))) for seed in range(100, 200)) <= 10


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda image: image * np.array([1, 0.5, 0]), "yellow"),
        (lambda image: np.minimum(image.astype(int) + 150, 255), "tones"),
        (lambda image: np.random.default_rng(0).permuted(image, axis=0), "detail of 2 pixels"),
    ],
    ids=["coloured", "white", "fine"],
)
def test_an_image_of_another_kind_is_out_of_distribution_in_what_was_changed(image_statistics, smooth, change, figure):
    for seed in range(100, 110):
        assert figure in image_statistics.out_of_distribution(change(smooth(seed)).astype(np.uint8))


def test_of_two_kinds_both_are_known_and_what_lies_between_them_is_not(smooth):
    """As red and blue stains of one data set: neither is grey."""
    red, blue = (lambda seed, tint=tint: (smooth(seed) * tint).astype(np.uint8) for tint in ([1, 0, 0], [0, 0, 1]))
    image_statistics = learn_image_statistics([kind(seed) for seed in range(20) for kind in (red, blue)], [])
    for seed in range(100, 110):
        assert not image_statistics.out_of_distribution(red(seed)) and not image_statistics.out_of_distribution(
            blue(seed)
        )
        assert image_statistics.out_of_distribution(smooth(seed))


def test_it_is_the_same_after_it_was_written(image_statistics):
    again = ImageStatistics.model_validate_json(image_statistics.model_dump_json())
    assert again == image_statistics
    assert len(image_statistics.model_dump_json()) < 10_000


def test_a_single_image_gives_no_statistics(smooth):
    assert learn_image_statistics([smooth(0)], []) is None
    assert learn_image_statistics([smooth(0)], [smooth(1)]) is not None


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 50, 3), (31, 33, 1), (70, 100, 3)])
def test_images_of_every_size_have_figures(shape):
    figures = take_figures(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    assert figures.shape == (len(FIGURES),) and np.isfinite(figures).all()


def test_of_a_large_image_blocks_all_over_it_are_looked_at():
    square = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    large = np.tile(square, (60, 40, 1))
    assert take_figures(large) == pytest.approx(take_figures(square), abs=1e-3)
    large[-32:] = 0
    assert take_figures(large)[0] < take_figures(square)[0], "the last block too"
