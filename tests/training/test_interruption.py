"""Killed at every moment, stopped at every step: a training goes on, and ends as an unbroken one does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from made_device import CPU

from amsunet.cli import main
from amsunet.errors import InputError
from amsunet.training import callbacks
from amsunet.training.checkpoint import LAST, PREVIOUS, _read
from amsunet.training.lightning_module import SegmentationTask
from amsunet.training.train import resume, train


@pytest.fixture(scope="module")
def settings(quick):
    return {**quick, "steps_per_epoch": 3, "epochs": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory, picture, disc, save):
    """Six images, to read from."""
    folder = tmp_path_factory.mktemp("data") / "set"
    for number in range(6):
        save(folder / "images" / f"{number}.png", picture(number))
        save(folder / "masks" / f"{number}.png", np.uint8(255) * disc(number))
    return folder


@pytest.fixture(scope="module")
def unbroken(data, settings, record, tmp_path_factory):
    """What a training comes to that nothing stops."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    train(data, settings, out=run, device=CPU)
    return record(run)


def _killed_in_turn(data, folder, settings, count, seed):
    """What came of a training killed at so many changes on disk, a row for each kill."""
    folder.mkdir()
    script = Path(__file__).with_name("kill_windows.py")
    words = [str(data), str(folder), json.dumps(settings), str(count), str(seed)]
    done = subprocess.run(
        [sys.executable, str(script), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def one_step(settings):
    """An epoch of a step."""
    return {**settings, "steps_per_epoch": 1, "epochs": 1}


def test_a_training_killed_before_some_changes_on_disk_goes_on_and_ends_the_same(data, one_step, tmp_path, tally):
    kills = _killed_in_turn(data, tmp_path / "runs", one_step, 2, 0)
    assert [kill["code"] for kill in kills] == [-signal.SIGKILL] * 2, kills
    assert [kill for kill in kills if kill["way"] == "none" or not kill["same"] or kill["left"]] == []
    tally("kills at a change on disk", "train, in the usual tests", tried=len(kills), survived=len(kills))


@pytest.mark.parametrize("at", [[(0, 0)], [(1, 1)], [(1, 0), (1, 1)]], ids=["first", "middle", "twice"])
def test_a_stopped_training_goes_on_from_the_very_step(data, settings, unbroken, record, tmp_path, monkeypatch, at):
    steps = _count_steps(monkeypatch)
    for number, place in enumerate(at):
        with monkeypatch.context() as patch:
            _press(patch, signal.SIGINT, place)
            begun = tmp_path / "run"
            stopped = train(data, settings, out=begun, device=CPU) if number == 0 else resume(begun)
        assert stopped.interrupted and not stopped.terminated
    resume(tmp_path / "run")
    assert steps == [(epoch, step) for epoch in range(2) for step in range(3)], "no step is done twice"
    assert record(tmp_path / "run") == unbroken


def _count_steps(patch):
    """The steps that are done from now on, as (epoch, batch)."""
    steps, step = [], SegmentationTask.training_step

    def training_step(self, batch, index):
        steps.append((self.current_epoch, index))
        return step(self, batch, index)

    patch.setattr(SegmentationTask, "training_step", training_step)
    return steps


def _press(patch, number, place):
    watch = callbacks.TimeBudget.on_train_batch_end

    def on_train_batch_end(self, trainer, module, outputs, given, index):
        if (trainer.current_epoch, index) == place:
            signal.raise_signal(number)
        watch(self, trainer, module, outputs, given, index)

    patch.setattr(callbacks.TimeBudget, "on_train_batch_end", on_train_batch_end)


class _Killed(BaseException):
    """Nothing catches it."""


def test_a_stop_while_validating_is_saved_before_validation_ends(
    data, settings, unbroken, record, tmp_path, monkeypatch
):
    """Killed a moment later it does the last step again, and no whole epoch."""
    validate, end, pressed = SegmentationTask.validation_step, SegmentationTask.on_validation_epoch_end, []

    def press(self, batch, index):
        if self.current_epoch == 1:
            pressed.append(signal.raise_signal(signal.SIGTERM))
        validate(self, batch, index)

    def kill(self):
        if pressed:
            raise _Killed
        end(self)

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(SegmentationTask, "validation_step", press)
        patch.setattr(SegmentationTask, "on_validation_epoch_end", kill)
        train(data, settings, out=tmp_path / "run", device=CPU)
    steps = _count_steps(monkeypatch)
    resume(tmp_path / "run")
    assert steps == [(1, 2)]
    assert record(tmp_path / "run") == unbroken


def test_sigterm_saves_first_validates_later_and_ends_with_143(data, tmp_path, monkeypatch, capfd):
    run, saved = tmp_path / "run", []
    _press(monkeypatch, signal.SIGTERM, (0, 0))
    begin = SegmentationTask.on_validation_epoch_start
    monkeypatch.setattr(
        SegmentationTask,
        "on_validation_epoch_start",
        lambda self: (saved.append((run / LAST).exists()), begin(self))[1],
    )
    options = "--epochs 9 --steps-per-epoch 2 --model unet --base-channels 4 --crop 32 --batch-size 2 --device cpu"
    monkeypatch.setattr(sys, "argv", ["amsunet", "train", str(data), "--out", str(run), *options.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code == 143, err
    assert saved == [True], "before it was validated"
    assert "saves, then validates (a second SIGTERM ends at once)" in err
    assert "--resume" in out and (run / "report.html").is_file()


def test_a_second_sigterm_ends_at_once(data, settings, tmp_path, monkeypatch):
    def end(number, frame):
        raise _Killed

    before = signal.signal(signal.SIGTERM, end)
    try:
        _press(monkeypatch, signal.SIGTERM, (0, 0))
        validated = []

        def press_again(self):
            validated.append(signal.raise_signal(signal.SIGTERM))

        monkeypatch.setattr(SegmentationTask, "on_validation_epoch_start", press_again)
        with pytest.raises(_Killed):
            train(data, settings, out=tmp_path / "run", device=CPU)
        assert validated == []
        assert signal.getsignal(signal.SIGTERM) is end
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def copy(whole, tmp_path):
    """The finished run at another place."""
    return shutil.copytree(whole.run, tmp_path / "copy")


def _flip(path, place):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << place % 8
    path.write_bytes(content)


def test_any_flip_in_a_checkpoint_is_noticed(whole, tmp_path, tally):
    path = tmp_path / LAST
    content = (whole.run / LAST).read_bytes()
    path.write_bytes(content)
    assert _read(path) is not None
    rng = torch.Generator().manual_seed(0)
    ends = [*range(0, 64), *range(len(content) - 100, len(content))]
    places = [*ends, *torch.randint(len(content), (200,), generator=rng).tolist()]
    for place in places:
        path.write_bytes(content)
        _flip(path, place)
        assert _read(path) is None, f"byte {place}"
    tally("bit flips", "checkpoint, both ends too", flips=len(places), refused=len(places), changed_in_silence=0)


@pytest.mark.parametrize("name", [LAST, PREVIOUS])
def test_the_state_before_is_taken_where_the_last_one_is_damaged(copy, whole, record, said, name):
    _flip(copy / name, 20_000)
    resume(copy)
    warned = [line for line in said if line.startswith("warning") and "damaged" in line]
    if name == LAST:
        (line,) = warned
        assert line.endswith(f"copy/{LAST} is damaged: going on from the state before it, of epoch 2")
    else:
        assert not warned
    assert record(copy) == record(whole.run)


def test_two_damaged_states_end_in_one_sentence(copy):
    for name in (LAST, PREVIOUS):
        _flip(copy / name, 20_000)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=rf"{LAST} and .*{PREVIOUS} are damaged .*remove them to start from the"):
        resume(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_a_want_of_memory_is_no_damage(copy, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        resume(copy)


def test_a_state_of_an_earlier_version_is_taken_and_its_flips_are_noticed(copy, record, whole):
    (copy / PREVIOUS).unlink()
    torch.save(torch.load(copy / LAST, weights_only=True), copy / LAST)
    resume(copy)
    assert record(copy) == record(whole.run)
    torch.save(torch.load(copy / LAST, weights_only=True), copy / LAST)
    _flip(copy / LAST, 20_000)
    with pytest.raises(InputError, match=rf"{LAST} is damaged"):
        resume(copy)


def test_a_state_of_another_network_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    config["plan"]["base_channels"] = 8
    del config["sha256"]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=rf"{LAST} is of another network than .*config\.json names"):
        resume(copy)


def test_what_a_killed_training_left_half_written_is_removed(copy):
    for name in (".0123.partial.ckpt", ".0123.partial.safetensors"):
        (copy / name).touch()
    (copy / ".0123.partial.html").touch()  # of a report that another command writes
    resume(copy)
    assert [path.name for path in copy.glob(".*.partial*")] == [".0123.partial.html"]
