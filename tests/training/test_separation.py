"""How deep a waist must be: chosen on instance masks, and stored with the network."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from made_device import CPU

from amsunet.data.components import number_objects
from amsunet.data.instances import Instances
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.data.watershed import find_basins
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.separation import SEPARATIONS, SeparationChoice, score_separations, seconds_to_separate
from amsunet.training.train import train


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
def trained(tmp_path_factory, save, tiny):
    """A network that was trained for seconds on masks that number objects, and the lines that were logged."""
    folder = tmp_path_factory.mktemp("numbered")
    for seed in range(14):
        numbers = _clump(seed)
        save(folder / "images" / f"{seed:02}.png", np.where(numbers, 220, 30).astype(np.uint8))
        save(folder / "masks" / f"{seed:02}.png", 300 * numbers)
    numbered = DataOptions(masks=MaskOptions(instances=True))
    settings = {**tiny, "epochs": 12, "learning_rate": 0.01}
    training = train(folder, settings, out=folder / "run", data_options=numbered, device=CPU)
    return SimpleNamespace(run=training.run, folder=folder)


def test_a_network_stores_what_parts_its_objects_and_its_masks_number_them(trained):
    known = load_model(trained.run / FILE_NAME, None)[1]
    assert known.convention.kind == "instances" and known.separation > 0
    predictor = Predictor(trained.run, RuntimeOptions.on(CPU))
    found = predictor.predict(trained.folder / "images" / "00.png")
    assert found.separation == known.separation
    expected, count = find_basins(found.mask).merge(found.separation)
    np.testing.assert_array_equal(found.to_mask(), expected)
    assert len(found.objects) == count > number_objects(found.mask)[1]


def test_another_separation_may_be_set(trained):
    components = Predictor(trained.run, RuntimeOptions(device="cpu", precision="float32", separation=0))
    found = components.predict(trained.folder / "images" / "00.png")
    assert len(found.objects) == number_objects(found.mask)[1] == found.to_mask().max()
    parted = Predictor(trained.run, RuntimeOptions.on(CPU))
    assert components.checksum() != parted.checksum(), "masks of one are not those of the other"


def test_a_choice_says_what_it_gains():
    assert str(SeparationChoice({0.0: 0.8, 1.0: 0.9}, 1.0)) == (
        "objects are parted at waists 1 px deep: AP at IoU 0.5 0.9000, 0.8000 of connected components"
    )
    assert "parting them gains nothing sure" in str(SeparationChoice({0.0: 0.8, 1.0: 0.8}, 0.0))


def test_its_time_is_measured():
    assert seconds_to_separate(_clump(0).astype(np.uint8)) > 0
