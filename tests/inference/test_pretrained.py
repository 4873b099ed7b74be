"""Trained networks as plain modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import amsunet
from amsunet.data.builtin_samples import locate
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.pretrained import create_model


@pytest.fixture
def image():
    return np.asarray(Image.open(next((locate("sample:nuclei") / "test" / "images").iterdir())))


def test_it_is_the_trained_network_and_its_preprocessing_that_of_predict(run, image):
    network = create_model("amsunet", pretrained=run)
    assert type(network) is amsunet.AMSUnet and not network.training
    trained, description = load_model(run / FILE_NAME)
    weights = trained.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    x = network.preprocessing(image)
    assert x.dtype == np.float32 and x.flags.c_contiguous and x.shape[0] == network.stem[0].in_channels
    with torch.inference_mode():
        logits = network(torch.from_numpy(x)[None]) / description.temperature
    found = logits.softmax(dim=1)[0].numpy()
    expected = amsunet.load(run, amsunet.RuntimeOptions(device="cpu", precision="float32")).predict(image).probability
    assert found.shape == expected.shape, "the sample is not resized"
    assert np.abs(found - expected).max() < 1e-4


def test_the_zoo_is_named_by_its_prefix_whatever_lies_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nuclei").mkdir()
    network = create_model("amsunet", pretrained="zoo:nuclei")
    assert sum(value.numel() for value in network.parameters()) == sum(
        value.numel() for value in amsunet.AMSUnet(3, 2).parameters()
    )
    with pytest.raises(InputError, match="nuclei"):
        create_model("amsunet", pretrained="nuclei")


@pytest.mark.parametrize(("changes", "fresh"), [({"num_classes": 5}, {"head.weight", "head.bias"}), ({}, set())])
def test_other_classes_get_a_fresh_head(run, changes, fresh, said):
    trained = load_model(run / FILE_NAME)[0].state_dict()
    network = create_model("amsunet", pretrained=run, **changes)
    state = network.state_dict()
    differ = {name for name in state if state[name].shape != trained[name].shape}
    assert differ == fresh and not network.training
    assert all(torch.equal(state[name], trained[name]) for name in state.keys() - fresh)
    assert any("fresh: head.weight, head.bias" in line for line in said) == bool(fresh)


def test_other_channels_share_the_first_kernels(run):
    before = load_model(run / FILE_NAME)[0].stem[0]
    other = {1: 3, 3: 1}[before.in_channels]
    network = create_model("amsunet", pretrained=run, in_channels=other)
    assert network.stem[0].in_channels == other
    assert torch.allclose(network.stem[0].weight.sum(dim=1), before.weight.sum(dim=1), atol=1e-6)
    assert not hasattr(network, "preprocessing"), "it is made for other images"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("unet", {}, "holds weights of amsunet, not of unet: create amsunet"),
        ("amsunet", {"base_channels": 8}, "its own settings of the network: leave base_channels out"),
        ("amsunet", {"dilation": 2}, "leave dilation out"),
    ],
)
def test_what_does_not_fit_is_refused(run, name, arguments, message):
    with pytest.raises(InputError, match=message):
        create_model(name, pretrained=run, **arguments)


def test_without_weights_it_is_the_registry(run):
    assert type(create_model("unet", in_channels=1)).__name__ == "UNet"
    with pytest.raises(ValueError, match="did you mean 'unet'"):
        create_model("unett")
    with pytest.raises(InputError, match="no_run"):
        create_model("amsunet", pretrained="no_run")
