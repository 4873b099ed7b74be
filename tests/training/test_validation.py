"""Validation: logits computed once, as prediction computes them, and the Dice of one image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.inference.model_file import save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import create_model
from amsunet.training import validation
from amsunet.training.calibration import fit_temperature
from amsunet.training.postprocessing import choose_threshold
from amsunet.training.validation import ValidationLogits, classes_in, dice_by_class

FLOAT32 = Device("cpu", "float32", 2)


@pytest.fixture
def described(tmp_path, save):
    """A network, its description, and three samples."""
    rng = np.random.default_rng(0)
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", rng.integers(0, 255, (40, 48), np.uint8))
        save(tmp_path / "masks" / f"{number}.png", rng.integers(0, 2, (40, 48), np.uint8) * 255)
    dataset = open_dataset(tmp_path)
    description = ModelDescription(
        model="amsunet_xs",
        arguments={"in_channels": 1, "num_classes": 2},
        preprocessing=Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.2,)),
        convention=dataset.convention,
    )
    torch.manual_seed(0)
    network = create_model("amsunet_xs", in_channels=1, num_classes=2).eval()
    return network, description, dataset.samples


@pytest.fixture
def logits(described):
    network, description, samples = described
    images = PreparedImages(samples, description.convention, description.preprocessing)
    return ValidationLogits(network, description, images, FLOAT32)


@pytest.fixture
def computed(monkeypatch):
    seen = []

    def count(runtime, images):
        seen.append(images.shape)
        return real(runtime, images)

    real = validation.compute_logits
    monkeypatch.setattr(validation, "compute_logits", count)
    return seen


def test_an_image_is_computed_once_and_stays_as_it_is(logits, computed):
    first = [(one.copy(), labels) for one, labels in (logits[index] for index in range(len(logits)))]
    fit_temperature(logits)
    choose_threshold(logits, 2.0, 1.0)
    assert len(computed) == 3
    for index, (before, labels) in enumerate(first):
        assert before.shape == (2, 40, 48) and labels.shape == (40, 48)
        assert np.array_equal(logits[index][0], before)


def test_logits_are_those_of_prediction(logits, described, tmp_path):
    network, description, samples = described
    save_model(tmp_path / FILE_NAME, network, description)
    predictor = Predictor(tmp_path / FILE_NAME, RuntimeOptions.on(FLOAT32))
    for index, sample in enumerate(samples):
        predicted = predictor.predict(sample.image).probability[1]
        difference = logits[index][0][1] - logits[index][0][0]
        assert np.allclose(1 / (1 + np.exp(-difference)), predicted, atol=1e-5)


def test_without_room_it_is_computed_whenever_asked_for(logits, computed, monkeypatch):
    monkeypatch.setattr(logits._logits, "room", 0)
    assert np.array_equal(logits[1][0], logits[1][0])
    assert len(computed) == 2


def _dice(predicted, labels, classes=2, threshold=0.5):
    """Of certain predictions."""
    one_hot = torch.nn.functional.one_hot(torch.tensor([predicted]), classes).movedim(-1, 1).float()
    return dice_by_class(one_hot, torch.tensor([labels], dtype=torch.uint8), threshold).tolist()


@pytest.mark.parametrize(
    ("predicted", "labels", "expected"),
    [
        ([[0, 1, 1, 1]], [[0, 0, 1, 1]], 4 / 5),
        ([[1, 1, 0, 0]], [[0, 0, 1, 1]], 0.0),
        ([[0, 0, 0, 0]], [[0, 0, 0, 0]], 1.0),
        ([[0, 0, 0, 0]], [[0, 0, 0, 1]], 0.0),
        ([[0, 1, 0, 0]], [[0, 0, 0, 0]], 0.0),
        ([[1, 1, 1, 1]], [[255, 255, 1, 1]], 1.0),
        ([[1, 1, 1, 1]], [[255, 255, 255, 255]], float("nan")),
    ],
)
def test_dice_of_two_classes(predicted, labels, expected):
    assert _dice(predicted, labels) == pytest.approx([expected], nan_ok=True)


def test_every_class_but_the_background_is_judged_by_itself():
    assert _dice([[0, 1, 2, 2]], [[0, 1, 1, 2]], classes=3) == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize(("threshold", "expected"), [(0.3, 1.0), (0.5, 0.0)])
def test_threshold_is_that_of_prediction(threshold, expected):
    probabilities = torch.tensor([0.6, 0.4]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    assert dice_by_class(probabilities, torch.ones(1, 2, 2, dtype=torch.uint8), threshold).tolist() == [expected]


def test_classes_that_are_in_labels_are_told_without_background_and_what_is_ignored():
    labels = torch.tensor([[[0, 2, 255]]], dtype=torch.uint8)
    assert classes_in(labels, 4).tolist() == [False, True, False]
