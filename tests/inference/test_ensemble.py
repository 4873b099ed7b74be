"""An ensemble predicts with all its networks or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from amsunet.data.builtin_samples import locate
from amsunet.data.images import read_image
from amsunet.deployment.export import export
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.explain import explain
from amsunet.inference.ensemble import fold_folder, read_folds, write_folds
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions


@pytest.fixture
def copy(ensemble, tmp_path):
    """The ensemble at another place, to be damaged."""
    return shutil.copytree(ensemble, tmp_path / "copy")


@pytest.mark.parametrize("tta", ["none", "flips"])
def test_probabilities_are_the_mean_of_the_networks(ensemble, device, tta):
    images = [read_image(path) for path in sorted((locate("sample:nuclei") / "test" / "images").iterdir())]
    names = [str(number) for number in range(len(images))]
    options = replace(RuntimeOptions.on(device), tta=tta)
    together = Predictor(ensemble, options).predict_batch(images, names)
    alone = [Predictor(fold_folder(ensemble, fold), options).predict_batch(images, names) for fold in range(3)]
    threshold = read_folds(ensemble).threshold
    for one, *others in zip(together, *alone, strict=True):
        mean = np.mean([other.probability for other in others], axis=0)
        np.testing.assert_allclose(one.probability, mean, atol=1e-6)
        assert np.array_equal(one.mask, one.probability[1] > threshold)
        assert not np.allclose(others[0].probability, others[1].probability)


def test_each_training_image_has_one_network_that_has_not_seen_it(ensemble, device):
    predictor = Predictor(ensemble, RuntimeOptions.on(device))
    for name, fold in read_folds(ensemble).fold_of.items():
        image = read_image(locate("sample:nuclei") / "train" / "images" / f"{name}.png")
        blind = predictor.held_out_model(name).predict(image)
        alone = Predictor(fold_folder(ensemble, fold), RuntimeOptions.on(device)).predict(image)
        assert np.array_equal(blind.probability, alone.probability)
        assert np.array_equal(blind.mask, blind.probability[1] > read_folds(ensemble).threshold)


def test_doubts_are_those_of_all_networks(copy, device):
    limits = []
    for fold, smallest in enumerate((20, 8, 30)):
        path = fold_folder(copy, fold) / FILE_NAME
        network, description = load_model(path)
        limits.append(description.uncertainty_limit)
        save_model(path, network, description.model_copy(update={"smallest_object": smallest}))
    predictor = Predictor(copy, RuntimeOptions.on(device))
    assert predictor.description.smallest_object == 8
    assert predictor.description.uncertainty_limit == pytest.approx(np.mean(limits))
    white = np.full((64, 64), 255, np.uint8)
    assert predictor.predict(white).out_of_distribution
    network, description = load_model(path)
    wide = description.image_statistics.model_copy(update={"limit": 1e9})
    save_model(path, network, description.model_copy(update={"image_statistics": wide}))
    assert not Predictor(copy, RuntimeOptions.on(device)).predict(white).out_of_distribution, (
        "one network has seen such images"
    )


def _remove(run):
    shutil.rmtree(fold_folder(run, 1))


def _cut(run):
    path = fold_folder(run, 1) / FILE_NAME
    path.write_bytes(path.read_bytes()[:-100])


def _flip_a_bit(run):
    path = fold_folder(run, 1) / FILE_NAME
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def _not_done(run):
    folds = read_folds(run)
    write_folds(run, folds.model_copy(update={"scores": {k: v for k, v in folds.scores.items() if k != 1}}))


def _of_another_scale(run):
    path = fold_folder(run, 1) / FILE_NAME
    network, description = load_model(path)
    other = description.preprocessing.model_copy(update={"scale": 0.5})
    save_model(path, network, description.model_copy(update={"preprocessing": other}))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_remove, r"fold1 is missing or damaged.* all 3 folds: amsunet\.resume\('\S*copy'\) trains"),
        (_cut, r"fold1 is missing or damaged.* all 3 folds: amsunet\.resume"),
        (_flip_a_bit, r"fold1 is missing or damaged.* all 3 folds: amsunet\.resume"),
        (_not_done, r"fold1 is not trained to its end: amsunet\.resume\('\S*copy'\) goes on"),
        (_of_another_scale, r"fold1 was trained on other masks or at another scale than \S*fold0"),
    ],
)
def test_an_ensemble_is_never_smaller_than_it_was(copy, device, damage, told):
    Predictor(copy, RuntimeOptions.on(device))
    damage(copy)
    for use in (lambda: Predictor(copy, RuntimeOptions.on(device)), lambda: evaluate(copy)):
        with pytest.raises(InputError, match=told) as error:
            use()
        assert "\n" not in str(error.value)
    assert Predictor(fold_folder(copy, 2), RuntimeOptions.on(device)).folds is None, (
        "another fold alone can still be used"
    )


@pytest.mark.parametrize("content", ["", "[1]", '{"count": 1, "fold_of": {}}', '{"folds": 3}'])
def test_a_damaged_record_is_named(copy, device, content):
    (copy / "folds.json").write_text(content)
    with pytest.raises(InputError, match=r"folds\.json is damaged"):
        Predictor(copy, RuntimeOptions.on(device))


def test_what_needs_one_network_names_one(ensemble, tmp_path):
    image = next((locate("sample:nuclei") / "test" / "images").iterdir())
    for use in (
        lambda: export(ensemble, "onnx", out=tmp_path / "x.onnx"),
        lambda: explain(ensemble, image, tmp_path / "pictures"),
    ):
        with pytest.raises(InputError, match=r"is an ensemble of networks: name one of them, as .*fold0"):
            use()
    assert not list(tmp_path.iterdir())


def test_the_record_is_read_as_it_was_written(ensemble, tmp_path):
    write_folds(tmp_path, read_folds(ensemble))
    assert read_folds(tmp_path) == read_folds(ensemble)
    assert json.loads((tmp_path / "folds.json").read_text())["count"] == 3
