"""Networks from a file of the user's."""

from __future__ import annotations

import hashlib
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_device import CPU

from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import absolute_model, code_checksum, code_files, create_model
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
def model_file(tmp_path):
    path = tmp_path / "own network.py"
    path.write_text(GOOD)
    return path


def test_a_function_in_a_file_builds_a_network(model_file, monkeypatch):
    monkeypatch.chdir(model_file.parent)
    network = create_model("own network.py:build", in_channels=1, num_classes=3, width=6)
    assert (network[0].in_channels, network[0].out_channels, network[2].out_channels) == (1, 6, 3)
    assert absolute_model("own network.py:build") == f"{model_file}:build"
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
def test_what_is_wrong_with_the_file_is_said(model_file, code, message):
    model_file.write_text(code)
    with pytest.raises(ValueError, match=message):
        create_model(f"{model_file}:build", in_channels=1, num_classes=2)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"absent\.py cannot be read .*PATH\.py:FUNCTION"):
        create_model(f"{tmp_path / 'absent.py'}:build")


SPLIT = {
    "net.py": """
from blocks import block
import parts.last, parts.deep.more as more
import random

def build(in_channels, num_classes):
    import late
    assert random.named == "beside" and more.WHO == "more" and parts.deep.more is more
    return late.join(block(in_channels, 4), parts.last.last(4, num_classes))
""",
    "blocks.py": "import torch\ndef block(i, o):\n    return torch.nn.Conv2d(i, o, 3, padding=1)\n",
    "late.py": "import torch\nfrom parts import *\ndef join(*layers):\n    return torch.nn.Sequential(*layers)\n",
    "random.py": "named = 'beside'\n",
    "parts/__init__.py": "from . import last\nfrom .deep import more\n",
    "parts/last.py": "from torch import nn\nfrom blocks import block\ndef last(i, o):\n    return nn.Conv2d(i, o, 1)\n",
    "parts/deep/more.py": "WHO = 'more'\nfrom .. import last\nfrom ..last import block\n",
    "not_imported.py": "raise SystemExit('this code ran')\n",
}
"""A network whose files import each other in every way."""


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "net.py"


def test_a_network_of_several_files_is_built_and_nothing_of_it_stays_in_the_way(tmp_path):
    main = _write(tmp_path / "one", SPLIT)
    path, modules = list(sys.path), set(sys.modules)
    one = create_model(f"{main}:build", in_channels=3, num_classes=2)
    assert one(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)
    assert sys.path == path and not hasattr(random, "named")
    assert all(name.startswith("amsunet_custom_") for name in set(sys.modules) - modules)
    assert not list((tmp_path / "one").rglob("__pycache__"))
    other = _write(tmp_path / "two", SPLIT | {"blocks.py": SPLIT["blocks.py"].replace("3, padding=1", "1")})
    assert create_model(f"{other}:build", in_channels=3, num_classes=2)[0].kernel_size == (1, 1)
    assert one[0].kernel_size == (3, 3)


@pytest.mark.parametrize("changed", ["net.py", "blocks.py", "late.py", "parts/__init__.py", "parts/deep/more.py"])
def test_the_checksum_covers_what_is_imported_and_nothing_else(tmp_path, changed):
    name = f"{_write(tmp_path, SPLIT)}:build"
    before = code_checksum(name)
    _write(tmp_path, {"not_imported.py": "", "torch.txt": ""})
    assert code_checksum(name) == before
    _write(tmp_path, {changed: SPLIT[changed] + "# changed"})
    assert code_checksum(name) != before


def test_the_checksum_of_one_file_is_that_of_earlier_versions(model_file):
    assert code_checksum(f"{model_file}:build") == hashlib.sha256(GOOD.encode()).hexdigest()


def test_copies_have_the_same_checksum_and_build_the_same(tmp_path):
    name = f"{_write(tmp_path / 'mine', SPLIT)}:build"
    for place, file in code_files(name).items():
        (tmp_path / "run" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, tmp_path / "run" / place)
    copy = f"{tmp_path / 'run' / 'network.py'}:build"
    assert code_checksum(copy) == code_checksum(name)
    create_model(copy, in_channels=1, num_classes=2)
    assert not (tmp_path / "run" / "not_imported.py").exists()
    main = _write(tmp_path / "named", {"net.py": "import network", "network.py": ""})
    assert {str(place) for place in code_files(f"{main}:build")} == {"net.py", "network.py"}


def test_a_folder_of_the_name_of_an_installed_package_is_none(tmp_path):
    main = _write(tmp_path, {"net.py": GOOD, "torch/nn.py": "raise SystemExit('this code ran')"})
    create_model(f"{main}:build", in_channels=1, num_classes=2)


def test_what_a_helper_lacks_is_said_by_its_own_name(tmp_path):
    main = _write(tmp_path, {"net.py": "from blocks import gone", "blocks.py": ""})
    with pytest.raises(ValueError, match=r"cannot import name 'gone' from 'blocks'"):
        create_model(f"{main}:build")
    main.write_text("import nowhere_at_all")
    with pytest.raises(ValueError, match="No module named 'nowhere_at_all'"):
        create_model(f"{main}:build")


def test_it_trains_and_predicts_and_a_changed_file_is_never_run(model_file, tiny, tmp_path, whole):
    settings = {name: value for name, value in tiny.items() if name not in ("model", "base_channels")}
    given = {"epochs": 1, "model": f"{model_file}:build", "model_options": {"width": 6}, **settings}
    training = train("sample:nuclei", given, out=tmp_path / "run", device=CPU)
    with pytest.raises(InputError, match="name the file with model_file, its code is run"):
        load(training.run)
    moved = model_file.rename(tmp_path / "moved.py")
    assert load_model(training.run / FILE_NAME, f"{moved}:build")[0][0].out_channels == 6
    load(training.run, RuntimeOptions(device="cpu"), model_file=f"{moved}:build").predict(np.zeros((40, 50), np.uint8))
    assert (training.run / "network.py").read_text() == GOOD
    moved.write_text(GOOD.replace("import torch", "import torch\nraise SystemExit('this code ran')"))
    for again in (load, resume):
        with pytest.raises(InputError, match=r"is not the network that .* network\.py of the run"):
            again(training.run, model_file=f"{moved}:build")


def test_a_network_without_logits_is_refused_before_training(model_file, tiny, tmp_path):
    model_file.write_text(GOOD.replace("3, padding=1", "2, stride=2"))
    settings = {name: value for name, value in tiny.items() if name not in ("model", "base_channels")}
    with pytest.raises(InputError, match=r"logits have the shape .* amsunet models check"):
        train(
            "sample:nuclei", {"epochs": 1, "model": f"{model_file}:build", **settings}, out=tmp_path / "run", device=CPU
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("budget", [{"epochs": 1}, {"minutes": 0.01, "steps_per_epoch": None}])
def test_lists_in_training_are_refused_before_training(model_file, tiny, tmp_path, budget):
    model_file.write_text(DEEP)
    settings = {name: value for name, value in tiny.items() if name not in ("model", "base_channels")} | budget
    with pytest.raises(InputError, match="forward returned a list: return one tensor of logits"):
        train("sample:nuclei", {"model": f"{model_file}:build", **settings}, out=tmp_path / "run", device=CPU)
    with pytest.raises(InputError, match="forward returned a list"):
        check("sample:nuclei", {"model": f"{model_file}:build", **settings}, out=tmp_path / "check", device=CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("in_channels", "is not set here"), ("num_classes", "is not set here"), ("base_channels", "is set twice")],
)
def test_what_is_said_elsewhere_is_no_option(name, message, tiny, tmp_path):
    with pytest.raises(InputError, match=f"model_options: .*{name} {message}"):
        train("sample:nuclei", {"epochs": 1, "model_options": {name: 4}, **tiny}, out=tmp_path / "run", device=CPU)
