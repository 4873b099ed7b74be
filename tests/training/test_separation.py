"""How deep a waist must be: chosen on instance masks, and stored with the network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from made_device import CPU

from amsunet.data.components import number_objects
from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.instances import Instances
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.watershed import find_basins
from amsunet.inference.model_file import save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import code_checksum, create_model
from amsunet.training.postprocessing import fit_postprocessing
from amsunet.training.separation import SEPARATIONS, SeparationChoice, score_separations, seconds_to_separate

BRIGHT = """
import torch

def build(in_channels, num_classes):
    network = torch.nn.Conv2d(in_channels, num_classes, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    torch.nn.init.constant_(network.weight[-1:], 2.0)
    return network
"""


def _clump(seed, side=96):
    """Discs that touch, one number each."""
    rng = np.random.default_rng(seed)
    numbers, rows, columns = np.zeros((side, side), np.uint16), *np.ogrid[:side, :side]
    for number in range(6):
        row, column = 20 + 20 * (number // 3), 20 + 18 * (number % 3)
        radius = rng.integers(10, 12)
        here = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        numbers[here & (numbers == 0)] = number + 1
    return numbers


def _instances(numbers):
    return Instances(numbers.astype(np.int32), np.ones(numbers.max(), np.uint8), np.ones(numbers.shape, bool))


def test_touching_discs_are_scored_best_where_they_are_parted():
    true = _instances(_clump(0))
    scores = score_separations((true.numbers > 0).astype(np.uint8), true)
    assert scores[0] < 0.5 and max(scores[1:]) == 1


def test_an_image_twice_as_large_is_parted_at_twice_the_depth():
    true = _instances(np.kron(_clump(0), np.ones((2, 2), np.uint16)))
    scores = score_separations((true.numbers > 0).astype(np.uint8), true, unit=2.0)
    assert scores == score_separations((_clump(0) > 0).astype(np.uint8), _instances(_clump(0)))


def test_each_class_counts_and_nothing_of_nothing_is_right():
    numbers = _clump(0).astype(np.int32)
    both = Instances(numbers, np.array([1, 1, 1, 2, 2, 2], np.uint8), numbers >= 0)
    mask = np.append(0, both.classes)[numbers].astype(np.uint8)
    assert max(score_separations(mask, both)) == 1
    nothing = Instances(numbers * 0, np.zeros(0, np.uint8), numbers >= 0)
    assert score_separations(mask * 0, nothing) == [1.0] * len(SEPARATIONS)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, save):
    """A network that sees what is bright, with its post-processing fitted on masks that number touching discs."""
    folder = tmp_path_factory.mktemp("numbered")
    for seed in range(6):
        numbers = _clump(seed)
        save(folder / "set" / "images" / f"{seed}.png", np.where(numbers, 230, 20).astype(np.uint8))
        save(folder / "set" / "masks" / f"{seed}.png", 300 * numbers)
    dataset = open_dataset(folder / "set", DataOptions(masks=MaskOptions(instances=True)))
    (folder / "bright.py").write_text(BRIGHT)
    model_file, arguments = f"{folder / 'bright.py'}:build", {"in_channels": 1, "num_classes": 2}
    seen = Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.2,))
    description = ModelDescription(
        model=model_file,
        arguments=arguments,
        code=code_checksum(model_file),
        preprocessing=seen,
        convention=dataset.convention,
    )
    save_model(folder / FILE_NAME, create_model(model_file, **arguments), description)
    images = PreparedImages(dataset.samples, dataset.convention, seen)
    fit_postprocessing(folder / FILE_NAME, images, images, CPU, model_file)

    def predictor(**options) -> Predictor:
        given = RuntimeOptions(device="cpu", precision="float32", **options)
        return Predictor(folder / FILE_NAME, given, model_file=model_file)

    return SimpleNamespace(predictor=predictor, image=dataset.samples[0].image)


def test_a_network_stores_what_parts_its_objects_and_its_masks_number_them(fitted):
    predictor = fitted.predictor()
    known = predictor.description
    assert known.convention.kind == "instances" and known.separation > 0
    found = predictor.predict(fitted.image)
    assert found.separation == known.separation
    expected, count = find_basins(found.mask).merge(found.separation)
    np.testing.assert_array_equal(found.to_mask(), expected)
    assert len(found.objects) == count == 6 > number_objects(found.mask)[1]


def test_another_separation_may_be_set(fitted):
    components = fitted.predictor(separation=0)
    found = components.predict(fitted.image)
    assert len(found.objects) == number_objects(found.mask)[1] == found.to_mask().max()
    assert components.checksum() != fitted.predictor().checksum(), "masks of one are not those of the other"


def test_a_choice_says_what_it_gains():
    assert str(SeparationChoice({0.0: 0.8, 1.0: 0.9}, 1.0)) == (
        "objects are parted at waists 1 px deep: AP at IoU 0.5 0.9000, 0.8000 of connected components"
    )
    assert "parting them gains nothing sure" in str(SeparationChoice({0.0: 0.8, 1.0: 0.8}, 0.0))


def test_its_time_is_measured():
    assert seconds_to_separate(_clump(0).astype(np.uint8)) > 0
