"""The temperature: what it is fitted to, and where it goes."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from amsunet.data.builtin_samples import locate
from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.device import Device
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.calibration import fit_temperature
from amsunet.training.postprocessing import fit_postprocessing
from amsunet.training.validation import ValidationLogits

FLOAT32 = Device("cpu", "float32", 2)


@pytest.fixture
def validation(whole):
    record = json.loads((whole.run / "data.json").read_text(encoding="utf-8"))
    samples = open_dataset(locate(record["source"])).samples
    return [sample for sample in samples if record["splits"][sample.name] == "val"]


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole.run, tmp_path / "run")


def test_a_network_too_sure_of_itself_is_cooled_by_as_much(copy, validation):
    path = copy / FILE_NAME
    network, description = load_model(path)
    images = PreparedImages(validation, description.convention, description.preprocessing)
    as_trained = fit_temperature(ValidationLogits(network, description, images, FLOAT32)).temperature
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(3)
    save_model(path, network, description)
    fit_postprocessing(path, images, images, FLOAT32, None)
    assert load_model(path)[1].temperature == pytest.approx(3 * as_trained, rel=0.02)


def test_the_error_is_told_before_and_after(whole):
    told = json.loads((whole.run / "calibration.json").read_text(encoding="utf-8"))
    assert told["error_after"] < told["error_before"]
    assert f"temperature {told['temperature']:.2f}" in whole.said


def test_prediction_is_tempered_and_its_argmax_stays(copy, picture):
    path, image = copy / FILE_NAME, picture(64, 64)
    network, description = load_model(path)
    warm, cold = [], []
    for temperature, out in ((1.0, warm), (4.0, cold)):
        save_model(path, network, description.model_copy(update={"temperature": temperature, "threshold": 0.5}))
        out.append(Predictor(copy, RuntimeOptions.on(FLOAT32)).predict(image))
    logit = torch.logit(torch.tensor(warm[0].probability[1]))
    assert torch.allclose(torch.sigmoid(logit / 4), torch.tensor(cold[0].probability[1]), atol=1e-5)
    assert (warm[0].mask == cold[0].mask).all()
