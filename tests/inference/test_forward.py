"""Images of any size through a network: padded, whole, or in tiles."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.data.preprocessing import Preprocessing
from amsunet.inference import forward
from amsunet.inference.forward import compute_logits, to_labels, to_probabilities
from amsunet.models import create_model

_PREPROCESSING = Preprocessing(in_channels=1, windowing="depth", mean=(0.5,), std=(0.25,))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return create_model("amsunet", in_channels=1, num_classes=2, base_channels=4).eval()


def _image(height, width, count=1):
    return torch.randint(0, 256, (count, 1, height, width), generator=torch.manual_seed(1), dtype=torch.uint8)


class _Local(nn.Module):
    """A network of sight one pixel: tiles must not change what it computes."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, x):
        self.sizes.append(tuple(x.shape[-2:]))
        return torch.cat((x, -x), dim=1)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (15, 15), (16, 17), (31, 100), (70, 33)])
@pytest.mark.parametrize("flips", [False, True])
def test_any_size_comes_back_as_it_was(network, machine, size, flips):
    logits = compute_logits(network, _image(*size, count=2), _PREPROCESSING, machine, flips=flips)
    assert logits.shape == (2, 2, *size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


def test_small_images_are_continued_by_their_border(machine):
    local = _Local()
    compute_logits(local, _image(5, 50), _PREPROCESSING, machine)
    assert local.sizes == [(32, 50)]
    padded = forward._pad(_image(5, 50), 32)
    assert torch.equal(padded[..., :5, :], _image(5, 50))
    assert torch.equal(padded[..., 5:, :], _image(5, 50)[..., -1:, :].expand(-1, -1, 27, -1))


def test_network_sees_standardised_images(machine):
    image = _image(40, 40)
    logits = compute_logits(_Local(), image, _PREPROCESSING, machine)
    torch.testing.assert_close(logits[:, :1], (image / 255 - 0.5) / 0.25)


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(forward, "WHOLE_IMAGE_PIXELS", 64 * 64)
    monkeypatch.setattr(forward, "TILE", 48)


@pytest.mark.parametrize("size", [(64, 65), (100, 131), (200, 40), (20, 300)])
@pytest.mark.parametrize("flips", [False, True])
def test_large_images_go_through_in_tiles_with_the_same_result(small_tiles, machine, size, flips):
    local, image = _Local(), _image(*size)
    logits = compute_logits(local, image, _PREPROCESSING, machine, flips=flips)
    tile = tuple(min(48, max(32, side)) for side in size)
    assert set(local.sizes) == {tile}, "memory is bounded by the size of a tile"
    torch.testing.assert_close(logits[:, :1], (image / 255 - 0.5) / 0.25, atol=1e-4, rtol=1e-4)


def test_images_up_to_the_limit_go_through_whole(small_tiles, machine):
    local = _Local()
    compute_logits(local, _image(64, 64), _PREPROCESSING, machine)
    assert local.sizes == [(64, 64)]


@pytest.mark.parametrize("size", [(100, 131), (33, 200)])
def test_tiles_of_the_real_network_agree_with_themselves(small_tiles, network, machine, size):
    first, again = (compute_logits(network, _image(*size), _PREPROCESSING, machine) for _ in range(2))
    assert first.shape == (1, 2, *size)
    assert torch.equal(first, again)


@pytest.mark.parametrize("size", [(48, 48), (90, 100)])
def test_flips_average_over_the_mirror_images(small_tiles, network, machine, size):
    """A mirrored image then has the mirrored result."""
    image = _image(*size)
    plain = compute_logits(network, image, _PREPROCESSING, machine)
    flipped = compute_logits(network, image, _PREPROCESSING, machine, flips=True)
    assert not torch.allclose(plain, flipped, atol=1e-4)
    if size == (48, 48):
        for axis in (2, 3):
            mirrored = compute_logits(network, image.flip(axis), _PREPROCESSING, machine, flips=True)
            torch.testing.assert_close(mirrored.flip(axis), flipped, atol=1e-5, rtol=1e-4)


def test_probabilities_have_the_wanted_size_and_sum_to_one():
    probabilities = to_probabilities(torch.randn(2, 3, 10, 12), 25, 31)
    assert probabilities.shape == (2, 3, 25, 31)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2, 25, 31))
    logits = torch.randn(1, 2, 5, 5)
    assert torch.equal(to_probabilities(logits.clone(), 5, 5), torch.softmax(logits, dim=1))


@pytest.mark.parametrize(
    ("probabilities", "threshold", "expected"),
    [([0.4, 0.6], 0.5, 1), ([0.4, 0.6], 0.7, 0), ([0.7, 0.3], 0.2, 1), ([0.5, 0.5], 0.5, 0), ([0.2, 0.3, 0.5], 0.9, 2)],
)
def test_labels(probabilities, threshold, expected):
    labels = to_labels(torch.tensor(probabilities).view(1, -1, 1, 1), threshold)
    assert labels.dtype == torch.uint8
    assert labels.tolist() == [[[expected]]]
