"""A network learns from another one's probabilities: they follow the labels, and a stopped training goes on."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch
from made_device import CPU

from amsunet.data.augmentation import Augmentation
from amsunet.data.crops import Crops, PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.distillation import TaughtImages, check_teacher, open_teacher
from amsunet.training.run_folder import images_seen, read_run
from amsunet.training.train import resume, train


@pytest.fixture(scope="module")
def nuclei():
    return open_dataset("sample:nuclei")


@pytest.fixture(scope="module")
def taught(nuclei):
    """Four images whose teacher knows the masks."""
    samples, convention = nuclei.samples[:4], nuclei.convention

    def know(sample):
        labels = nuclei.read_labels(sample)
        return np.stack([(labels == label).astype(np.float32) for label in range(convention.num_classes)])

    preprocessing = Preprocessing.blank(1, "depth", 1.0)
    images = TaughtImages(samples, convention, preprocessing, nuclei, know)
    return images, PreparedImages(samples, convention, preprocessing, nuclei)


def test_images_and_labels_are_those_without_a_teacher(taught):
    images, plain = taught
    for index in range(len(images)):
        (image, planes), (expected, labels) = images[index], plain[index]
        assert np.array_equal(image, expected) and np.array_equal(planes[..., 0], labels)
        assert np.array_equal(planes[..., 1], 255 * (labels == 1))


def test_probabilities_go_where_the_labels_go(taught):
    crops = [
        [torch.stack(part) for part in zip(*(cut[i] for i in range(8)), strict=True)]
        for one in taught
        for cut in [Crops(one, size=(96, 160), length=8, seed=3, foreground_fraction=0.5)]
    ]
    change = Augmentation("strong", coloured=False, quarter_turns=False, inversion=True)
    (image, planes), (expected, labels) = (
        change(images.float() / 255, labels.long(), (0, 0, 0)) for images, labels in crops
    )
    assert torch.equal(image, expected) and torch.equal(planes[:, 0], labels)
    counted = labels != IGNORE_INDEX
    assert not counted.all() and (labels == 1).any()
    assert torch.equal(planes[:, 1][counted], 255 * (labels == 1).long()[counted])


def _weights(run):
    return load_model(run / FILE_NAME)[0].state_dict()


def test_a_stopped_training_goes_on_as_if_it_had_not_been(run, tiny, tmp_path, monkeypatch):
    settings = {**tiny, "epochs": 2, "deterministic": True, "teacher": str(run)}
    whole = train("sample:nuclei", settings, out=tmp_path / "whole", device=CPU)
    alone = train("sample:nuclei", settings | {"teacher": None}, out=tmp_path / "alone", device=CPU)
    update, calls = torch.optim.AdamW.step, [0]

    def stop(*given, **more):
        calls[0] += 1
        if calls[0] == 2:
            signal.raise_signal(signal.SIGINT)
        return update(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", stop)
        assert train("sample:nuclei", settings, out=tmp_path / "cut", device=CPU).interrupted
    assert not resume(tmp_path / "cut").interrupted
    expected, found, other = (_weights(tmp_path / name) for name in ("whole", "cut", "alone"))
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert any(not torch.equal(value, other[name]) for name, value in expected.items()), "the teacher was heard"
    assert images_seen(whole.run) == images_seen(alone.run) | images_seen(run)
    assert read_run(whole.run)[0].plan.teacher == str(run.absolute())


def test_an_ensemble_teaches_by_the_network_that_has_not_seen_the_image(ensemble, nuclei):
    plan = read_run(ensemble)[0].plan.model_copy(update={"teacher": str(ensemble)})
    teach = open_teacher(plan, nuclei.convention, nuclei, CPU)
    predictor = Predictor(ensemble, RuntimeOptions.on(CPU))
    assert predictor.folds is not None
    chosen = {predictor.folds.fold_of.get(sample.name): sample for sample in nuclei.samples}
    assert {0, 1, 2, None} == chosen.keys()
    for fold, sample in chosen.items():
        asked = predictor if fold is None else predictor.held_out_model(sample.name)
        expected = asked.predict(sample.image, spacing=sample.spacing).probability
        np.testing.assert_array_equal(teach(sample), expected)


def test_a_teacher_of_other_classes_is_refused_before_a_run_begins(run, tiny, tmp_path):
    settings = {**tiny, "epochs": 1, "teacher": str(run)}
    with pytest.raises(InputError, match=r"tells 2 classes apart, and the data have 3, .*choose another teacher"):
        train("sample:brain", settings, out=tmp_path / "out", device=CPU)
    assert not (tmp_path / "out").exists()


def test_a_teacher_of_other_channels_is_refused_before_a_run_begins(nuclei, whole):
    plan = read_run(whole.run)[0].plan.model_copy(update={"teacher": "zoo:nuclei", "in_channels": 5})
    told = r"zoo:nuclei takes .*, and the images have 5 channels: choose another teacher"
    with pytest.raises(InputError, match=told):
        check_teacher(plan, nuclei.convention.num_classes)


def test_classes_of_the_same_names_are_matched_by_name(whole, nuclei):
    convention = nuclei.convention
    turned = convention.model_copy(update={"class_names": convention.class_names[::-1]})
    plan = read_run(whole.run)[0].plan.model_copy(update={"teacher": str(whole.run)})
    same, other = (open_teacher(plan, one, None, CPU)(nuclei.samples[0]) for one in (convention, turned))
    np.testing.assert_array_equal(other, same[::-1])


def test_a_teacher_that_is_not_found_is_told(tiny, tmp_path):
    with pytest.raises(InputError, match="no network nuclie: did you mean nuclei"):
        train("sample:nuclei", {**tiny, "epochs": 1, "teacher": "zoo:nuclie"}, out=tmp_path / "out", device=CPU)
