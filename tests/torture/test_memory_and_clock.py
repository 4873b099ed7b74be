"""Little memory, a clock that jumps, and networks that give no numbers."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from commands import COMMANDS, assert_clean, some, trouble_of
from tally import SEED

from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME

MEGABYTES = (1, 8, 20, 40, 80, 160, 320, 640)


@pytest.mark.parametrize("name", COMMANDS)
def test_little_memory(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    """One sentence or all of it; and with memory again one goes on."""
    command, problems = COMMANDS[name], []
    whole = unbroken(name)
    tried = some(MEGABYTES, name)
    for megabytes in tried:
        out = tmp_path / str(megabytes)
        done = amsunet_in_fork(command.split(material | {"out": out}), {"kind": "memory", "megabytes": megabytes})
        if problem := trouble_of(done, name, material, out, amsunet_in_fork, whole.result):
            problems.append((megabytes, problem))
    tally("faults injected", "little memory", tried=len(tried), handled=len(tried) - len(problems))
    assert problems == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_clock_that_jumps(name, material, amsunet_in_fork, tmp_path, tally):
    """The time of day is wrong, and files are of the future or of before 1970: the result is the same."""
    command = COMMANDS[name]
    given = {part: tmp_path / path.name for part, path in material.items()}
    for part, path in material.items():
        (shutil.copytree if path.is_dir() else shutil.copy)(path, given[part])
    assert amsunet_in_fork(command.split(given | {"out": tmp_path / "sound"})).code in (0, 1)
    for number, path in enumerate(sorted(tmp_path.rglob("*"))):
        if path.is_file():
            when = (time.time() + 10**9, 0, -(10**8))[number % 3]
            os.utime(path, (when, when))
    out = tmp_path / "out"
    done = amsunet_in_fork(command.split(given | {"out": out}), {"kind": "clock", "seed": SEED})
    same = done.code in (0, 1) and command.result(out) == command.result(tmp_path / "sound")
    tally("faults injected", "a clock that jumps", tried=1, handled=int(same))
    assert_clean(done)
    assert same, done.err


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("predict", "slide", "evaluate") for value in (math.nan, math.inf, -math.inf, 1e38)]
    + [("export onnx", math.nan)],  # captured anew for each
)
def test_a_network_that_gives_no_numbers(name, value, material, amsunet_in_fork, tmp_path, tally):
    """It gives no mask, and says so."""
    net = Path(shutil.copytree(material["net"], tmp_path / "net"))
    network, description = load_model(net / FILE_NAME)
    with torch.no_grad():
        network.head.bias.fill_(value)
        network.head.bias[0] = -value
    save_model(net / FILE_NAME, network, description)
    out = tmp_path / "out"
    done = amsunet_in_fork(COMMANDS[name].split(material | {"net": net, "out": out}))
    finite = abs(value) == 1e38
    masks = [path for path in out.rglob("*") if path.suffix in (".png", ".tif", ".onnx") and "report" not in path.parts]
    handled = done.code in (0, 1, 2) and "Traceback" not in done.err and (finite or (done.code > 0 and not masks))
    tally("faults injected", "no numbers", tried=1, handled=int(handled))
    assert_clean(done)
    assert handled, (done.code, masks, done.out, done.err)
