"""amsunet is a guest in the process of whoever imports it: it leaves everything as it was."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amsunet.optional import require, without_telemetry
from amsunet.process_state import (
    TERMINATED,
    Borrowed,
    determinism_kept,
    quiet,
    quiet_threads,
    random_state_kept,
    terminated_like_interrupted,
    without_warnings,
)

_LOOK = """
import hashlib, json, logging, os, random, sys, warnings
import numpy as np, torch, tifffile, PIL.Image
# What other libraries change while they are imported is theirs.
import kornia.augmentation, matplotlib.figure, monai.losses, pytorch_lightning, skimage.measure, torchmetrics
import torch.utils.tensorboard, pytorch_lightning.loggers

def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()

def mask():
    value = os.umask(0)
    os.umask(value)
    return value

def look():
    loggers = {name: log for name, log in logging.root.manager.loggerDict.items() if isinstance(log, logging.Logger)}
    return {
        "filters": digest(warnings.filters),
        "levels": {name: log.level for name, log in loggers.items() if log.level or log.disabled},
        "handlers": {name: len(log.handlers) for name, log in loggers.items() if log.handlers},
        "root": [logging.root.level, len(logging.root.handlers)],
        "pillow": PIL.Image.MAX_IMAGE_PIXELS,
        "truncated": __import__("PIL.ImageFile").ImageFile.LOAD_TRUNCATED_IMAGES,
        "umask": mask(),
        "environment": dict(os.environ),
        "fakes": sorted(name for name, module in sys.modules.items() if module is None and "telemetry" in name),
        "torch": digest(torch.get_rng_state().tolist()),
        "numpy": digest(np.random.get_state()),
        "random": digest(random.getstate()),
        "switches": [torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark,
                     torch.get_num_threads(), torch.get_default_dtype().__str__(), torch.is_grad_enabled()],
        "threads": torch.get_num_threads(),
        "hooks": [str(sys.excepthook), str(sys.displayhook)],
    }

def same(what, names=None):
    after = look()
    changed = {name: (before[name], after[name]) for name in names or before if before[name] != after[name]}
    assert not changed, (what, changed)

place, picture, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
os.environ.pop("OMP_WAIT_POLICY", None)
torch.manual_seed(7)
before = look()
import amsunet
same("import")
for name in amsunet.__all__:
    getattr(amsunet, name)
same("public names")

predictor = amsunet.load("nuclei")
same("load")
assert predictor.predict(picture).mask.shape == (96, 80)
same("predict")
amsunet.list_models(), amsunet.create_model
same("models")

amsunet.train("sample:nuclei", settings, out=place + "/run", device="cpu")
same("train")
amsunet.evaluate(place + "/run")
same("evaluate")
amsunet.check("sample:nuclei", settings, out=place + "/check")
same("check")

import click
from click.testing import CliRunner
from amsunet.cli import cli

@cli.command("look")
def inside():
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE" and logging.getLogger("amsunet").level == logging.INFO

result = CliRunner().invoke(cli, ["look"])
assert result.exit_code == 0, result
same("command")
"""
_EXPORT = """
import pathlib
import onnx, onnxscript, torch.onnx  # theirs
from amsunet.inference.model_file import load_model, save_model

_, known = load_model(pathlib.Path(place, "run", "model.safetensors"))
arguments = {"in_channels": 1, "num_classes": 2, "base_channels": 2}  # of a network that is soon captured
small = known.model_copy(update={"model": "unet", "arguments": arguments})
save_model(pathlib.Path(place, "small.safetensors"), amsunet.create_model("unet", **arguments), small)
before = look()
for to, suffix in ("onnx", ".onnx"), ("openvino", ".xml"):
    path = amsunet.export(place + "/small.safetensors", to, "sample:nuclei", out=place + "/small" + suffix).path
    amsunet.load(path).predict(np.zeros((64, 64), np.uint8))
same("export", ("pillow", "umask", "environment", "fakes", "torch", "random", "switches"))
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
"""


def test_nothing_is_changed_whatever_amsunet_does(save, tmp_path, quick):
    """In one process, as what takes the time is to import all that others change when they are imported."""
    picture = save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (96, 80), dtype=np.uint8))
    has_export = all(importlib.util.find_spec(name) for name in ("onnxruntime", "openvino", "onnxscript"))
    done = subprocess.run(
        [sys.executable, "-c", _LOOK + _EXPORT * has_export, tmp_path, picture, json.dumps(quick | {"epochs": 1})],
        capture_output=True, text=True, check=False,
        env={name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "", "a library is quiet"


def test_a_file_gets_the_rights_of_any_new_file(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom amsunet.atomic_io import write_text\nos.umask(0o027)\n"
        "write_text(Path(sys.argv[1]), 'x')\nprint(oct(Path(sys.argv[1]).stat().st_mode & 0o777))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0o640", "of a umask that was set after amsunet was imported too"


def test_what_is_borrowed_by_several_threads_is_given_back_by_the_last():
    value = ["before"]
    borrowed = Borrowed(lambda: value[0], lambda new: value.__setitem__(0, new), "meanwhile")
    inside, leave = threading.Barrier(5), threading.Event()

    def use() -> None:
        with borrowed():
            inside.wait(10)
            leave.wait(10)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    with pytest.raises(KeyError), borrowed():
        raise KeyError
    assert value == ["meanwhile"]
    leave.set()
    for thread in threads:
        thread.join()
    assert value == ["before"]
    value[0] = "changed by its owner"
    with borrowed():
        assert value == ["meanwhile"]
    assert value == ["changed by its owner"]


def test_random_numbers_go_on_as_if_nothing_had_been_drawn():
    @random_state_kept()
    def draw() -> torch.Tensor:
        torch.manual_seed(0)
        return torch.rand(3)

    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    first, drawn, rest = torch.rand(2), draw(), torch.rand(2)
    assert torch.equal(torch.cat([first, rest]), expected) and torch.equal(drawn, draw())


@pytest.mark.parametrize("workspace", [None, ":16:8"])
def test_switches_are_turned_back(monkeypatch, workspace):
    if workspace is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    else:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", workspace)
    with pytest.raises(KeyError), determinism_kept():
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == workspace


def test_other_libraries_are_quiet_only_meanwhile(caplog, recwarn):
    import warnings

    log = logging.getLogger("another.library")
    with quiet("another.library"), without_warnings(r"tests|test_process_state"):
        log.warning("an advertisement")
        warnings.warn("a hint", UserWarning, stacklevel=1)
    log.warning("heard")
    hints = [one for one in recwarn.list if one.category is UserWarning]  # what other tests left open is told of too
    assert caplog.messages == ["heard"] and not hints


def test_telemetry_is_off_while_a_package_is_imported_and_the_process_as_before(monkeypatch, tmp_path):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)  # as if the host had it
    (tmp_path / "reporting_package.py").write_text(
        "import os\nfound = os.environ.get('ORT_DISABLE_TELEMETRY')\n"
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    openvino_telemetry = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = require("reporting_package")
    assert module.found == "1" and module.openvino_telemetry is None
    assert "ORT_DISABLE_TELEMETRY" not in os.environ and sys.modules["openvino_telemetry"] is sys
    with without_telemetry(), without_telemetry():
        pass
    assert sys.modules["openvino_telemetry"] is sys


def test_a_large_image_is_read_and_pillows_guard_stays(tmp_path, monkeypatch):
    from amsunet.data.image_file import count_pixels
    from amsunet.data.images import read_image

    path = Path(tmp_path / "a.png")
    Image.fromarray(np.zeros((50, 60), np.uint8)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # three times as many are an error
    assert read_image(path).shape == (50, 60, 1) and count_pixels(path) == 3000
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)


def test_the_handler_of_sigterm_is_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end, terminated_like_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == TERMINATED and signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_signals_are_left_to_the_host():
    seen = []

    def work():
        with terminated_like_interrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_threads_of_a_library_end_quietly_and_others_do_not(monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda ended: seen.append(type(ended.thread).__name__))
    before = threading.excepthook

    class Theirs(threading.Thread):
        __module__ = "tensorboard.summary.writer"

    with quiet_threads("tensorboard"):
        for kind in (Theirs, threading.Thread):
            thread = kind(target=lambda: 1 / 0)
            thread.start()
            thread.join()
    assert seen == ["Thread"] and threading.excepthook is before
