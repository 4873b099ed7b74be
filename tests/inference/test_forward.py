"""Images of any size through a network: padded, whole, or in tiles."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from amsunet.data.preprocessing import Preprocessing
from amsunet.inference import forward
from amsunet.inference.forward import compute_logits, to_labels, to_probabilities
from amsunet.inference.sliding_window import Tiling
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.models import create_model

_SMALL = Tiling(tile=48, overlap=12, whole=64 * 64)
_PREPROCESSING = Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.25,))


@pytest.fixture
def network(device):
    torch.manual_seed(0)
    trained = create_model("amsunet", in_channels=1, num_classes=2, base_channels=4).eval()
    return TorchRuntime(trained, _PREPROCESSING, device)


def _image(height, width, count=1):
    return np.random.default_rng(1).integers(0, 256, (count, 1, height, width), np.uint8)


class _Local:
    """A network of sight one pixel: tiles must not change what it computes."""

    name = "local"

    def __init__(self):
        self.sizes = []

    def __call__(self, images):
        self.sizes.append(images.shape[-2:])
        x = images.astype(np.float32) / 255
        return np.concatenate((x, -x), axis=1)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (15, 15), (16, 17), (31, 100), (70, 33)])
@pytest.mark.parametrize("tta", ["none", "flips"])
def test_any_size_comes_back_as_it_was(network, size, tta):
    logits = compute_logits(network, _image(*size, count=2), tta=tta)
    assert logits.shape == (2, 2, *size)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_small_images_are_continued_by_their_border():
    local = _Local()
    compute_logits(local, _image(5, 50))
    assert local.sizes == [(32, 50)]
    padded = forward.pad_small(_image(5, 50))
    assert np.array_equal(padded[..., :5, :], _image(5, 50))
    assert (padded[..., 5:, :] == _image(5, 50)[..., -1:, :]).all()


@pytest.mark.parametrize("size", [(64, 65), (100, 131), (200, 40), (20, 300)])
@pytest.mark.parametrize("tta", ["none", "flips"])
def test_large_images_go_through_in_tiles_with_the_same_result(size, tta):
    local, image = _Local(), _image(*size)
    logits = compute_logits(local, image, tta=tta, tiling=_SMALL)
    assert len(local.sizes) > 1
    assert np.max(local.sizes) == 48, "memory is bounded by the size of a tile"
    np.testing.assert_allclose(logits[:, :1], image / 255, atol=1e-5)


def test_images_up_to_the_limit_go_through_whole():
    local = _Local()
    compute_logits(local, _image(64, 64), tiling=_SMALL)
    assert local.sizes == [(64, 64)]


@pytest.mark.parametrize("size", [(100, 131), (33, 200)])
def test_tiles_of_the_real_network_agree_with_themselves(network, size):
    first, again = (compute_logits(network, _image(*size), tiling=_SMALL) for _ in range(2))
    assert first.shape == (1, 2, *size)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("size", [(48, 48), (90, 100)])
def test_flips_average_over_the_mirror_images(network, size):
    """A mirrored image then has the mirrored result."""
    image = _image(*size)
    plain, flipped = (compute_logits(network, image, tta=tta, tiling=_SMALL) for tta in ("none", "flips"))
    assert not np.allclose(plain, flipped, atol=1e-4)
    if size == (48, 48):
        for axis in (2, 3):
            mirrored = compute_logits(network, np.flip(image, axis), tta="flips", tiling=_SMALL)
            np.testing.assert_allclose(np.flip(mirrored, axis), flipped, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("tta", "quarters", "mirrored"),
    [
        ("none", (0,), (False,)),
        ("flips", (0, 2), (False, True)),
        ("rotations", (0, 1, 2, 3), (False,)),
        ("d4", (0, 1, 2, 3), (False, True)),
    ],
)
@pytest.mark.parametrize("size", [(48, 48), (40, 64), (90, 100)])
def test_every_view_of_an_image_has_the_same_result(network, size, tta, quarters, mirrored):
    def look(image, turn, mirror):
        return np.rot90(image[..., ::-1] if mirror else image, turn, (2, 3))

    image, seen = _image(*size), []
    result = compute_logits(lambda batch: seen.append(batch.tobytes()) or network(batch), image, tta=tta)
    assert len(set(seen)) == len(quarters) * len(mirrored)
    assert result.shape == (1, 2, *size)
    for turn, mirror in itertools.product(quarters, mirrored):
        found = compute_logits(network, look(image, turn, mirror), tta=tta)
        np.testing.assert_allclose(found, look(result, turn, mirror), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("allowed", "axes"), [("horizontal", [(), (3,)]), ("vertical", [(), (2,)]), ("none", [()])],
)  # fmt: skip
@pytest.mark.parametrize(("tta", "without"), [("flips", "none"), ("d4", "rotations")])
def test_views_that_exchange_classes_are_left_out(network, allowed, axes, tta, without):
    image = _image(40, 64)
    found = compute_logits(network, image, tta=tta, allowed=allowed)
    wanted = [np.flip(network(np.ascontiguousarray(np.flip(image, axis))), axis) for axis in axes]
    np.testing.assert_allclose(found, np.mean(wanted, axis=0), atol=1e-5, rtol=1e-4)
    plain = compute_logits(network, image, tta=without, allowed=allowed)
    np.testing.assert_allclose(plain, network(image), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(5, 5), (25, 31), (700, 6)])
def test_probabilities_are_what_torch_makes_of_the_logits(size):
    logits = np.random.default_rng(0).normal(size=(3, 5, 5)).astype(np.float32)
    larger = F.interpolate(torch.from_numpy(logits)[None], size, mode="bilinear", align_corners=False)
    found = to_probabilities(logits, *size)
    np.testing.assert_allclose(found, torch.softmax(larger, dim=1)[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


def test_large_logits_do_not_overflow():
    logits = np.array([1e4, -1e4, 0], np.float32).reshape(3, 1, 1)
    assert to_probabilities(logits, 1, 1).ravel().tolist() == [1, 0, 0]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_where_a_network_gives_no_numbers_all_classes_are_equally_likely(broken):
    logits = np.zeros((2, 3, 3), np.float32)
    logits[:, 1, 1], logits[1, 0, 0] = broken, 50
    found = to_probabilities(logits, 3, 3)
    assert np.isfinite(found).all()
    assert found[:, 1, 1].tolist() == [0.5, 0.5]
    assert found[1, 0, 0] == 1


def test_probabilities_take_the_place_of_the_logits():
    logits = np.zeros((2, 600, 3), np.float32)
    assert np.shares_memory(to_probabilities(logits, 600, 3), logits)


@pytest.mark.parametrize(
    ("probabilities", "threshold", "expected"),
    [([0.4, 0.6], 0.5, 1), ([0.4, 0.6], 0.7, 0), ([0.7, 0.3], 0.2, 1), ([0.5, 0.5], 0.5, 0), ([0.2, 0.3, 0.5], 0.9, 2)],
)
def test_labels(probabilities, threshold, expected):
    labels = to_labels(np.tile(np.array(probabilities).reshape(-1, 1, 1), (1, 600, 2)), threshold)
    assert labels.dtype == np.uint8
    assert (labels == expected).all() and labels.shape == (600, 2)
