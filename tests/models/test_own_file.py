"""Networks from a file of the user's."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.errors import InputError
from amsunet.inference.description import FILE_NAME
from amsunet.inference.model_file import load_model
from amsunet.inference.predictor import load
from amsunet.models import absolute_model, create_model
from amsunet.training.check import check
from amsunet.training.train import resume, train

GOOD = """
import torch

def build(in_channels, num_classes, width=4):
    return torch.nn.Sequential(
        torch.nn.Conv2d(in_channels, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, num_classes, 1)
    )
"""


DEEP = """
import torch

class Deep(torch.nn.Conv2d):
    def forward(self, x):
        out = super().forward(x)
        return [out, out] if self.training else out

def build(in_channels, num_classes):
    return Deep(in_channels, num_classes, 1)
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own network.py"
    path.write_text(GOOD)
    return path


def test_a_function_in_a_file_builds_a_network(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    network = create_model("own network.py:build", in_channels=1, num_classes=3, width=6)
    assert (network[0].in_channels, network[0].out_channels, network[2].out_channels) == (1, 6, 3)
    assert absolute_model("own network.py:build") == f"{own}:build"
    assert absolute_model("amsunet") == "amsunet"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def other(): pass", "has no function 'build'"),
        ("1 / 0", r"cannot be run \(ZeroDivisionError: division by zero\)"),
        ("def build(", r"cannot be run \(SyntaxError"),
        ("def build(in_channels, num_classes): return {}", "returned dict: return a torch.nn.Module"),
        ("def build(in_channels, num_classes): return {}['x']", r"build of .* failed \(KeyError"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(own, code, message):
    own.write_text(code)
    with pytest.raises(ValueError, match=message):
        create_model(f"{own}:build", in_channels=1, num_classes=2)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.py cannot be read .*PATH\.py:FUNCTION"):
        create_model(f"{tmp_path / 'absent.py'}:build")


def test_it_trains_and_predicts_and_a_changed_file_is_never_run(own, tiny, tmp_path, whole):
    settings = {name: value for name, value in tiny.items() if name != "base_channels"}
    training = train(
        "sample:nuclei", out=tmp_path / "run", say=str, epochs=1, model=f"{own}:build", model_options={"width": 6},
        **settings,
    )  # fmt: skip
    with pytest.raises(InputError, match="name the file with --model, its code is run"):
        load(training.run)
    moved = own.rename(tmp_path / "moved.py")
    assert load_model(training.run / FILE_NAME, f"{moved}:build")[0][0].out_channels == 6
    load(training.run, device="cpu", own=f"{moved}:build").predict(np.zeros((40, 50), np.uint8))
    assert (training.run / "network.py").read_text() == GOOD
    moved.write_text(GOOD.replace("import torch", "import torch\nraise SystemExit('this code ran')"))
    for again in (load, resume):
        with pytest.raises(InputError, match=r"is not the network that .* network\.py of the run"):
            again(training.run, own=f"{moved}:build")


def test_a_network_without_logits_is_refused_before_training(own, tiny, tmp_path):
    own.write_text(GOOD.replace("3, padding=1", "2, stride=2"))
    settings = {name: value for name, value in tiny.items() if name != "base_channels"}
    with pytest.raises(InputError, match=r"logits have the shape .* amsunet models check"):
        train("sample:nuclei", out=tmp_path / "run", say=str, epochs=1, model=f"{own}:build", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("budget", [{"epochs": 1}, {"minutes": 0.01, "steps_per_epoch": None}])
def test_lists_in_training_are_refused_before_training(own, tiny, tmp_path, budget):
    own.write_text(DEEP)
    settings = {name: value for name, value in tiny.items() if name != "base_channels"} | budget
    with pytest.raises(InputError, match="forward returned a list: return one tensor of logits"):
        train("sample:nuclei", out=tmp_path / "run", say=str, model=f"{own}:build", **settings)
    with pytest.raises(InputError, match="forward returned a list"):
        check("sample:nuclei", out=tmp_path / "check", model=f"{own}:build", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("in_channels", "is not set here"), ("num_classes", "is not set here"), ("base_channels", "is said twice")],
)
def test_what_is_said_elsewhere_is_no_option(name, message, tiny, tmp_path):
    with pytest.raises(InputError, match=f"model-options: .*{name} {message}"):
        train("sample:nuclei", out=tmp_path / "run", say=str, epochs=1, model_options={name: 4}, **tiny)
