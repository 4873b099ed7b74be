"""The logits of validation images: computed once, as prediction computes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amsunet.data.dataset import open_dataset
from amsunet.data.preprocessing import Preprocessing
from amsunet.inference.description import ModelDescription
from amsunet.machine import Machine
from amsunet.models import create_model
from amsunet.training import validation
from amsunet.training.validation import ValidationLogits


@pytest.fixture
def logits(tmp_path, save):
    """Of three images, with what was computed so far."""
    rng = np.random.default_rng(0)
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", rng.integers(0, 255, (40, 48), np.uint8))
        save(tmp_path / "masks" / f"{number}.png", rng.integers(0, 2, (40, 48), np.uint8) * 255)
    dataset = open_dataset(tmp_path)
    description = ModelDescription(
        model="amsunet_xs",
        arguments={"in_channels": 1, "num_classes": 2},
        preprocessing=Preprocessing(in_channels=1, windowing="depth", mean=(0.5,), std=(0.2,)),
        convention=dataset.convention,
    )
    torch.manual_seed(0)
    network = create_model("amsunet_xs", in_channels=1, num_classes=2).eval()
    return ValidationLogits(network, description, dataset.samples, Machine("cpu", "float32", 2))


@pytest.fixture
def computed(monkeypatch):
    seen = []

    def count(runtime, images):
        seen.append(images.shape)
        return real(runtime, images)

    real = validation.compute_logits
    monkeypatch.setattr(validation, "compute_logits", count)
    return seen


def test_an_image_is_computed_once(logits, computed):
    first = [logits[index] for index in range(len(logits))]
    again = [logits[index] for index in range(len(logits))]
    assert len(computed) == 3
    for (one, labels), (other, _) in zip(first, again, strict=True):
        assert one.shape == (2, 40, 48) and labels.shape == (40, 48)
        assert np.array_equal(one, other)


def test_without_room_it_is_computed_whenever_asked_for(logits, computed, monkeypatch):
    monkeypatch.setattr(logits, "_room", 0)
    assert np.array_equal(logits[1][0], logits[1][0])
    assert len(computed) == 2
