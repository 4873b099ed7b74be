"""MONAI's networks, as examples/ builds them, keep what every network here promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from made_device import CPU

from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import create_model
from amsunet.models.contract import check_contract
from amsunet.training.train import train

_FILE = Path(__file__).parents[2] / "examples" / "monai_networks.py"
_RIVALS = {"unet": "3.73", "attention_unet": "5.01", "dynunet": "5.16", "dynunet_full": "20.61"}


def _build(name: str, **arguments) -> torch.nn.Module:
    return create_model(f"{_FILE}:{name}", **{"in_channels": 3, "num_classes": 2, **arguments})


@pytest.mark.parametrize("name", ["unet", "attention_unet", "dynunet"])
def test_every_promise_is_kept(name):
    found = dict(check_contract(lambda **arguments: _build(name, base_channels=4, **arguments)))
    assert found == dict.fromkeys(found)


@pytest.mark.parametrize("name", _RIVALS)
def test_the_size_is_what_the_docstring_says(name):
    network = _build(name)
    million = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert f"{million:.2f}" == _RIVALS[name]
    assert f"{million:.2f} million parameters" in _docstring(name)


def _docstring(name: str) -> str:
    return _FILE.read_text(encoding="utf-8").split(f"def {name}(")[1].split('"""')[1]


@pytest.mark.parametrize("name", ["unet", "attention_unet", "dynunet"])
def test_it_trains_and_predicts(name, tiny, picture, tmp_path):
    model = f"{_FILE}:{name}"
    training = train("sample:nuclei", {**tiny, "epochs": 1, "model": model}, out=tmp_path / "run", device=CPU)
    assert load(training.run, RuntimeOptions(device="cpu"), model_file=model).predict(picture(0)).mask.shape == (40, 48)


def test_without_a_border_the_logits_are_those_of_the_network_itself():
    torch.manual_seed(0)
    network = _build("dynunet", base_channels=4).eval()
    image = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        assert torch.equal(network(image), network.network(image))
        assert network(image[..., :70, :50]).shape == (1, 2, 70, 50)
