"""What is chosen on validation images, of a network that sees what is bright."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import code_checksum, create_model
from amsunet.training.postprocessing import choose_threshold, fit_postprocessing

FLOAT32 = Device("cpu", "float32", 2)
BRIGHT = """
import torch

def build(in_channels, num_classes):
    network = torch.nn.Conv2d(in_channels, num_classes, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    torch.nn.init.constant_(network.weight[-1:], 2.0)
    return network
"""


class _Logits(list):
    """Logits and labels in place of a network's."""

    num_classes = 2


@pytest.mark.parametrize("ignored", [1, 3])
def test_an_image_without_a_pixel_that_counts_chooses_nothing(ignored):
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 1
    logits = np.stack([np.zeros((8, 8)), np.where(labels, 0.7, -3.0)]).astype(np.float32)
    counted, nothing = (logits, labels), (logits, np.full_like(labels, 255))
    choice = choose_threshold(_Logits([counted] * (3 - ignored) + [nothing] * ignored), 1.0, 1.0)
    assert choice.threshold == 0.5 and choice.gain == 0
    assert choice.dice_at[0.5] == (1 if ignored < 3 else 0), "neither moved nor undefined"


def test_a_class_that_is_in_no_image_has_no_part_in_the_choice():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:6, 2:6] = 1
    logits = np.stack([np.zeros((8, 8)), np.where(labels, 0.7, -3.0), np.full((8, 8), -3.0)]).astype(np.float32)
    logits[0, 2:4, 2:6] = 5  # half of the object is missed
    three = _Logits([(logits, labels)] * 2)
    three.num_classes = 3
    assert choose_threshold(three, 1.0, 1.0).dice_at == {0.5: pytest.approx(2 / 3)}
    empty = choose_threshold(_Logits([(logits[:2], np.zeros_like(labels))] * 12), 1.0, 1.0)
    assert (empty.threshold, empty.smallest_object, empty.gain) == (0.5, 0, 0.0)


@pytest.fixture
def bright(tmp_path, save, disc):
    """A run and validation images: bright discs, and specks that are bright but not in the masks."""

    def make(*, specks: int, images: int = 12, side: int = 2, scale: float = 1.0) -> SimpleNamespace:
        rng = np.random.default_rng(0)
        for number in range(images):
            mask = disc(number)
            image = np.where(mask, 230, 20).astype(np.uint8)
            for row, column in rng.integers(0, 18 // side, (specks + number if specks else 0, 2)) * 2 * side:
                image[row : row + side, column : column + side] = 230
            save(tmp_path / "set" / "images" / f"{number}.png", image)
            save(tmp_path / "set" / "masks" / f"{number}.png", mask.astype(np.uint8) * 255)
        dataset = open_dataset(tmp_path / "set")
        (tmp_path / "bright.py").write_text(BRIGHT)
        model_file = f"{tmp_path / 'bright.py'}:build"
        arguments = {"in_channels": 1, "num_classes": 2}
        description = ModelDescription(
            model=model_file,
            arguments=arguments,
            code=code_checksum(model_file),
            preprocessing=Preprocessing(in_channels=1, normalization="depth", scale=scale, mean=(0.5,), std=(0.2,)),
            convention=dataset.convention,
        )
        save_model(tmp_path / FILE_NAME, create_model(model_file, **arguments), description)
        images = PreparedImages(dataset.samples, dataset.convention, description.preprocessing)
        return SimpleNamespace(path=tmp_path / FILE_NAME, model_file=model_file, samples=dataset.samples, images=images)

    return make


def _finish(made):
    return fit_postprocessing(made.path, made.images, made.images, FLOAT32, made.model_file)


@pytest.mark.parametrize(("scale", "side"), [(1.0, 2), (0.5, 4)])
def test_specks_are_left_out_where_that_gains(bright, scale, side):
    made = bright(specks=4, side=side, scale=scale)
    choice = _finish(made)
    assert choice.smallest_object == 8 / scale**2, "pixels of the image, not of what the network sees"
    assert choice.gain > 0.02
    assert load_model(made.path, made.model_file)[1].smallest_object == choice.smallest_object
    assert f"under {choice.smallest_object} pixels left out: Dice +" in str(choice)
    predictor = Predictor(made.path, RuntimeOptions.on(FLOAT32), model_file=made.model_file)
    for sample in made.samples:
        found = predictor.predict(sample.image)
        assert found.mask.any() and found.mask.sum() < (found.probability[1] > choice.threshold).sum()


def test_where_nothing_is_gained_all_objects_stay(bright):
    made = bright(specks=0)
    choice = _finish(made)
    assert (choice.smallest_object, choice.gain) == (0, 0.0)
    assert choice.dice_at[choice.threshold] == 1
    assert "small objects left in" in str(choice)


def test_a_few_images_tell_nothing_of_small_objects(bright):
    made = bright(specks=4, images=4)
    assert _finish(made).smallest_object == 0


def test_one_in_ten_validation_images_is_more_uncertain(bright):
    made = bright(specks=4)
    choice = _finish(made)
    predictor = Predictor(made.path, RuntimeOptions.on(FLOAT32), model_file=made.model_file)
    found = [predictor.predict(sample.image) for sample in made.samples]
    assert choice.uncertainty_limit == pytest.approx(np.quantile([one.uncertainty for one in found], 0.9), abs=1e-5)
    assert sum(bool(one.review_reasons) for one in found) == 2
