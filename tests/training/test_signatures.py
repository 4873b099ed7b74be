"""What is set of a training travels in a few objects, and a mistake is refused in the call that has it."""

from __future__ import annotations

import inspect
import sys

import pytest

import amsunet
from amsunet.errors import InputError
from amsunet.evaluation.compare import compare
from amsunet.evaluation.variant import Variant
from amsunet.training import prepare as preparing
from amsunet.training.check import check
from amsunet.training.train import train

_VARIANTS = [Variant(name="a", model="amsunet"), Variant(name="b", model="unet")]


_PUBLIC = [getattr(amsunet, name) for name in amsunet.__all__ if inspect.isfunction(getattr(amsunet, name))]


@pytest.mark.parametrize("function", [*_PUBLIC, amsunet.Predictor, preparing.prepare])
def test_few_parameters_and_none_that_takes_anything(function):
    parameters = inspect.signature(function).parameters.values()
    # Of a prediction and an evaluation each is a flag of the command, which somebody types.
    most = {amsunet.train: 7, amsunet.predict: 12, amsunet.evaluate: 9}
    assert len(parameters) <= most.get(function, 8)
    if function is amsunet.create_model:  # it hands on what the network takes
        return
    assert all(parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) for parameter in parameters)


@pytest.mark.parametrize(
    "call", [train, check, lambda data, settings, out: compare(data, _VARIANTS, settings, out=out)]
)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batchsize": 2}, "there is no setting 'batchsize': did you mean batch_size"),
        ({"learning_rate": -1}, "learning_rate: .*not -1"),
    ],
)
def test_a_mistyped_setting_is_refused_before_data_are_read(call, settings, message, monkeypatch, tmp_path):
    monkeypatch.setattr(preparing, "open_dataset", None)
    with pytest.raises(InputError, match=message):
        call("sample:nuclei", settings, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("call", [train, check])
def test_an_ensemble_is_no_pretrained_network_before_data_are_read(call, monkeypatch, tmp_path):
    monkeypatch.setattr(preparing, "open_dataset", None)
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "folds.json").write_text("{}")
    with pytest.raises(InputError, match="several is an ensemble of networks: name one of them, as"):
        call("sample:nuclei", {"pretrained": str(tmp_path / "several")}, out=tmp_path / "out")


@pytest.mark.parametrize("call", [train, check])
def test_settings_with_a_type_are_taken(call, monkeypatch, tmp_path):
    def prepared(data, settings, **options):
        raise InputError(str(settings))

    monkeypatch.setattr(sys.modules[call.__module__], "prepare", prepared)
    with pytest.raises(InputError, match=r"^\{'crop': \(64, 64\), 'minutes': 2.0\}$"):
        call("sample:nuclei", amsunet.Settings(minutes=2, crop=64), out=tmp_path / "out")


def test_what_each_training_of_a_study_has_is_no_setting_of_the_study(tmp_path):
    for name, value in {"seed": 1, "model": "unet", "pretrained": "nuclei", "recipe": "paper"}.items():
        with pytest.raises(InputError, match=f"{name}: no setting of a whole study"):
            compare("sample:nuclei", _VARIANTS, {name: value}, out=tmp_path / "out")
