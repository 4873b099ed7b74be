"""Run folders that are missing, damaged, or hostile."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from made_device import CPU

from amsunet.data.images import read_image, write_image
from amsunet.errors import InputError
from amsunet.training.run_folder import RunConfig, absolute_source, read_run, run_lock, threads_of, write_run
from amsunet.training.train import _next_run, resume, train


@pytest.fixture
def copy(whole, tmp_path):
    """The finished run at another place."""
    return shutil.copytree(whole.run, tmp_path / "copy")


class _Trap:
    """Executed when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_what_was_written_is_read(whole, tmp_path):
    config, data = read_run(whole.run)
    assert isinstance(config, RunConfig)
    write_run(tmp_path / "again", config, data, {"threads": 1})
    assert read_run(tmp_path / "again") == (config, data)
    assert json.loads((tmp_path / "again" / "environment.json").read_text()) == {"threads": 1}


def test_a_run_of_an_earlier_version_on_deep_images_goes_on_as_it_was(copy):
    config, data = (json.loads((copy / name).read_text()) for name in ("config.json", "data.json"))
    config["preprocessing"] |= {"normalization": "depth", "values": []}
    data["fingerprint"] |= {"bits": 16, "values": []}
    del config["sha256"], data["sha256"]
    for name, content in (("config.json", config), ("data.json", data)):
        (copy / name).write_text(json.dumps(content))
    (seen,) = read_run(copy)[0].preprocessing.values
    assert (seen.type, seen.low, seen.high, seen.always) == ("uint16", 0, 65535, True)
    (copy / "config.json").write_text(
        json.dumps(config | {"preprocessing": config["preprocessing"] | {"normalization": "gamma"}})
    )
    assert read_run(copy)[0].preprocessing.values == ()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("data.json", lambda data: data.update(splits={})),
        ("data.json", lambda data: data["splits"].pop("nuclei_y000_x384")),
        ("config.json", lambda config: config["plan"].update(crop=[])),
        ("config.json", lambda config: config["plan"].update(crop=[64, 64, 64])),
    ],
)
def test_what_a_record_leaves_out_is_refused_where_it_is_read(copy, name, change):
    content = json.loads((copy / name).read_text())
    del content["sha256"]
    change(content)
    (copy / name).write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"{name} (is damaged|was written by another version)"):
        read_run(copy)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="is no run folder"):
        resume(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "data.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is missing"), (b"", "is damaged"), (b'{"plan": ', "is damaged"), (b"[1]", "is damaged"),
     (b"\xff\xfe\x00", "is damaged"), (b'{"plan": {"surprise": 1}}', "was written by another version")],
)  # fmt: skip
def test_missing_or_damaged_file_is_named(copy, name, content, message):
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} {message}"):
        resume(copy)


def test_checkpoint_with_code_is_refused_and_not_executed(copy, tmp_path):
    trap = tmp_path / "executed"
    state = torch.load(copy / "last.ckpt", weights_only=True)
    for name in ("last.ckpt", "previous.ckpt"):
        torch.save({**state, "trap": _Trap(trap)}, copy / name)
    with pytest.raises(InputError, match=r"last\.ckpt .* damaged or .*never executed"):
        resume(copy)
    assert not trap.exists()
    torch.load(copy / "last.ckpt", weights_only=False)["trap"].close()
    assert trap.exists(), "the trap does not work: nothing was tested"


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_truncated_checkpoint_is_refused(copy, size):
    content = (copy / "last.ckpt").read_bytes()
    assert size < len(content)
    (copy / "last.ckpt").write_bytes(content[:size])
    (copy / "previous.ckpt").unlink()
    with pytest.raises(InputError, match=r"last\.ckpt is damaged"):
        resume(copy)


def test_without_a_checkpoint_training_begins_anew_and_says_so(copy, record, whole, said):
    for name in ("last.ckpt", "previous.ckpt", "model.safetensors", "metrics.csv"):
        (copy / name).unlink()
    resume(copy)
    assert any("starting from the beginning" in line for line in said)
    assert record(copy) == record(whole.run)


def test_another_number_of_threads_is_said_where_bytes_were_promised(copy, said):
    environment = json.loads((copy / "environment.json").read_text())
    (copy / "environment.json").write_text(json.dumps(environment | {"threads": 97}))
    resume(copy)
    (line,) = [line for line in said if "97 threads" in line]
    assert line.startswith("warning: this training began with 97 threads") and line.endswith(
        "OMP_NUM_THREADS=97 keeps them"
    )


@pytest.mark.parametrize("content", ["", "[]", '{"threads": "x"}', "[" * 100_000])
def test_where_threads_are_not_known_nothing_is_said(tmp_path, content):
    (tmp_path / "environment.json").write_text(content)
    assert threads_of(tmp_path) is None


def test_changed_data_are_noticed(quick, tmp_path, said):
    rng = np.random.default_rng(0)
    for number in range(4):
        write_image(tmp_path / "data" / "images" / f"{number}.png", rng.integers(0, 255, (64, 64), np.uint8))
        write_image(tmp_path / "data" / "masks" / f"{number}.png", np.tri(64, dtype=np.uint8))
    train(tmp_path / "data", {"epochs": 1, **quick}, out=tmp_path / "run", device=CPU)
    write_image(tmp_path / "data" / "masks" / "1.png", np.tri(64, k=9, dtype=np.uint8))
    resume(tmp_path / "run")
    told = "warning: 1 mask differs from those trained on, as 1: what was learned so far is of the former ones"
    assert said.count(told) == 1
    changed = tmp_path / "data" / "images" / "2.png"
    write_image(changed, 255 - read_image(changed)[..., 0])
    with pytest.raises(InputError, match=r"no longer what the run was trained on \(1 images differ, as 2\)"):
        resume(tmp_path / "run")


def test_source_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_source("data") == str(tmp_path / "data")
    assert absolute_source("sample:nuclei") == "sample:nuclei"


def test_two_trainings_are_not_in_one_folder(copy, tiny):
    with run_lock(copy), pytest.raises(InputError, match="another training is at work"):
        resume(copy)
    resume(copy)


def test_folders_taken_at_the_same_time_are_two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(_next_run, ["DRIVE"] * 8))
    assert len(set(taken)) == 8
    assert taken[0].parent.name == "runs" and all(run.name.startswith("drive-") for run in taken)
