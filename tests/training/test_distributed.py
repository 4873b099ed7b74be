"""A training in several processes: the same as in one with the batches of all; nothing is lost or waits for ever."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from made_device import CPU
from made_fingerprint import made_fingerprint
from safetensors.torch import load_file

from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.training import distributed, processes
from amsunet.training.data_parallel import part_of_batches, trainer_options
from amsunet.training.distributed import Group, current_group, joined, loss_described
from amsunet.training.plan import make_plan
from amsunet.training.processes import Place, check_counts, find_place

_TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "29500"}
_SLURM = {
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NODELIST": "gpu[07-09,12],big1",
    "SLURM_JOB_ID": "123456",
}


@pytest.fixture(scope="session")
def trainings(made_once):
    """Every training of ``two_processes.py``, and what its processes ended with."""

    def make(folder: Path) -> None:
        folder.mkdir()
        script = Path(__file__).with_name("two_processes.py")
        done = subprocess.run(
            [sys.executable, str(script), str(folder)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    folder = made_once("distributed", make)
    outcomes = json.loads((folder / "outcomes.json").read_text())
    return SimpleNamespace(folder=folder, **{name: SimpleNamespace(**outcome) for name, outcome in outcomes.items()})


def _largest_difference(one, other):
    first, second = (load_file(run / "model.safetensors") for run in (one, other))
    assert first.keys() == second.keys()
    return max(float((value - second[name]).abs().max()) for name, value in first.items())


def test_two_processes_train_as_one_with_the_doubled_batch(trainings, record):
    two, one = (trainings.folder / f"layer_{count}" for count in ("two", "one"))
    assert trainings.layer_two.codes == [0, 0]
    assert trainings.layer_two.errors == ["", ""]
    assert _largest_difference(two, one) < 1e-5
    first, second = (float(row["val_loss"]) for row in record(two)[1])
    assert abs(first - second) > 1e-3, "they have learnt"
    for of_two, of_one in zip(record(two)[1], record(one)[1], strict=True):
        assert {name: float(value) for name, value in of_two.items()} == pytest.approx(
            {name: float(value) for name, value in of_one.items()}, abs=1e-5
        )


def test_score_threshold_and_temperature_do_not_depend_on_the_number_of_processes(trainings, record):
    """Of the same weights, on three images, which two processes share."""
    two, one = (trainings.folder / f"still_{count}" for count in ("two", "one"))
    splits = json.loads((two / "data.json").read_text())["splits"]
    assert list(splits.values()).count("val") == 3
    [of_two], [of_one] = record(two)[1], record(one)[1]
    figures = [name for name in of_one if name.startswith("val_")]
    assert {name: of_two[name] for name in figures} == {name: of_one[name] for name in figures}
    assert 0.1 < float(of_one["val_dice"]) < 1
    assert (two / "calibration.json").read_bytes() == (one / "calibration.json").read_bytes()
    descriptions = [_described(run) for run in (two, one)]
    assert descriptions[0] == descriptions[1]


def _described(run):
    from amsunet.inference.model_file import load_model

    description = load_model(run / "model.safetensors")[1]
    return description.threshold, description.temperature, description.smallest_object, description.uncertainty_limit


def test_a_signal_to_one_process_stops_both_at_its_step_and_resume_goes_on(trainings, record):
    assert trainings.stopped.codes == [0, 0]
    assert len(record(trainings.folder / "stopped")[1]) == 1
    assert trainings.resumed.codes == [0, 0]
    assert record(trainings.folder / "resumed") == record(trainings.folder / "whole")


def test_another_number_of_processes_goes_on_and_says_what_changes(trainings, record):
    assert trainings.fewer.codes == [0]
    assert (
        "began in 2 processes and goes on in 1 process: a step now sees 2 crops in place of 4"
        in (trainings.fewer.errors[0])
    )
    assert [row["step"] for row in record(trainings.folder / "fewer")[1]] == ["3", "6"]


@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_process_is_killed_the_other_ends_with_a_sentence(trainings, rank):
    outcome = getattr(trainings, f"killed{rank}")
    assert outcome.codes[rank] == -signal.SIGKILL
    assert outcome.codes[1 - rank] == 2
    (line,) = outcome.errors[1 - rank].splitlines()
    assert line.startswith("error: another process of this training has ended")
    assert f"killed{rank}') goes on" in line and "resume" in line


def test_a_training_of_which_a_process_was_killed_goes_on_to_the_same_weights(trainings, record):
    assert trainings.revived.codes == [0, 0]
    assert record(trainings.folder / "revived") == record(trainings.folder / "whole")


def test_folds_are_trained_in_two_processes_too(trainings):
    assert trainings.folds.codes == [0, 0]
    assert json.loads((trainings.folder / "folds" / "folds.json").read_text())["scores"].keys() == {"0", "1"}


@pytest.mark.parametrize(("name", "sentence"), [("diverged", "training diverged in epoch 1"), ("refused", "no masks")])
def test_what_ends_all_processes_is_said_once(trainings, name, sentence):
    outcome = getattr(trainings, name)
    assert outcome.codes == [2, 2]
    assert sentence in outcome.errors[0]
    assert outcome.errors[1] == ""


def test_the_plan_says_what_a_batch_is(trainings):
    config = json.loads((trainings.folder / "whole" / "config.json").read_text())
    assert config["processes"] == 2
    assert config["plan"]["reasons"]["batch_size"] == "set by you"
    assert config["plan"]["reasons"]["learning_rate"] == "that of one process, for 4 crops of 2 processes in a step"


@pytest.mark.torture
def test_the_command_starts_its_processes_and_sigterm_ends_them_well(make_dataset, tmp_path):
    data, run = make_dataset(6), tmp_path / "run"
    options = "--epochs 999 --steps-per-epoch 2 --base-channels 4 --crop 32 --batch-size 2 --device cpu --devices 2"
    command = [sys.executable, "-m", "amsunet", "train", str(data), "--out", str(run), *options.split()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while process.poll() is None and not (run / "last.ckpt").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 143, err
    assert out.count("plan:") == out.count("epoch   1 of 999") == out.count("stopped early") == 1
    assert err.count("stopping after this step") == 1
    assert (run / "report.html").is_file()


def _process(code):
    return subprocess.Popen([sys.executable, "-c", code])


def test_those_that_do_not_notice_a_failure_are_ended_with_a_sentence(monkeypatch, said):
    monkeypatch.setattr(processes, "_GRACE", 0.3)
    waiting = _process("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")
    assert processes._wait([waiting, _process("raise SystemExit(3)")]) == 128 + signal.SIGKILL
    assert waiting.poll() == -signal.SIGKILL
    (line,) = said
    assert line.startswith("warning: process 2 of 2 of this training ended") and line.endswith(
        "resume the run to go on"
    )


@pytest.mark.parametrize(("codes", "code"), [((0, 0), 0), ((0, 3), 3), ((2, 137), 2)])
def test_the_exit_code_is_that_of_the_first_process_or_of_one_that_failed(codes, code, said):
    assert processes._wait([_process(f"raise SystemExit({one})") for one in codes]) == code
    assert said == []


def test_a_process_alone_says_nothing_to_anybody():
    group = current_group()
    with joined(None) as same:
        assert same is group and group.is_first and group.size == 1
    value = torch.tensor(1.5)
    assert group.broadcast(value) is group.sum(value) is value
    assert (group.gather(3), group.any(False, True), group.first(lambda: 4)) == ([3], (False, True), 4)
    assert trainer_options(group, CPU) == {"devices": 1}
    group.check(Device("mps", "float32", 1))
    assert not torch.distributed.is_initialized()


@pytest.mark.parametrize("count", [2, 3])
def test_each_crop_and_each_image_is_taken_by_one_process_in_the_order_of_one(count):
    crops = list(range(2 * 3 * count))
    groups = [Group(Place(rank, count, rank, count, "here", 1)) for rank in range(count)]
    parts = [part_of_batches(group, crops, 2) for group in groups]
    assert {len(part) for part in parts} == {6}
    assert [part[step * 2 + place] for step in range(3) for part in parts for place in range(2)] == crops
    assert sorted(number for group in groups for number in group.part(range(7))) == list(range(7))


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        (_TORCHRUN, Place(1, 4, 1, None, "a", 29500)),
        (_TORCHRUN | {"LOCAL_WORLD_SIZE": "2"}, Place(1, 4, 1, 2, "a", 29500)),
        (_TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"}, None),
        ({name: value for name, value in _TORCHRUN.items() if name != "MASTER_PORT"}, None),
        (_SLURM, Place(3, 4, 1, None, "gpu07", 23456)),
        (_SLURM | {"MASTER_ADDR": "b", "MASTER_PORT": "7"}, Place(3, 4, 1, None, "b", 7)),
        (_SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, None),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"}, None),  # a script of sbatch, without srun
        ({}, None),
    ],
)
def test_the_place_of_a_process_is_what_its_launcher_says(variables, place):
    assert find_place(variables) == place


def test_variables_that_hold_no_numbers_end_in_a_sentence():
    with pytest.raises(InputError, match="start it through torchrun or srun"):
        find_place(_TORCHRUN | {"RANK": "first"})


@pytest.mark.parametrize(("hosts", "first"), [("a", "a"), ("a1,b2", "a1"), ("n[1-3]", "n1"), ("n[04,7]-x,m", "n04-x")])
def test_the_first_machine_of_a_list_is_found(hosts, first):
    assert find_place(_SLURM | {"SLURM_STEP_NODELIST": hosts}).address == first


_FOUR = Place(0, 4, 0, 2, "a", 1)


@pytest.mark.parametrize(
    ("place", "devices", "nodes"),
    [(None, 2, None), (None, None, 1), (_FOUR, None, None), (_FOUR, 2, None), (_FOUR, 2, 2), (_FOUR, None, 2)],
)
def test_numbers_of_processes_that_fit_are_taken(place, devices, nodes):
    check_counts(place, devices, nodes)


@pytest.mark.parametrize(
    ("place", "devices", "nodes", "sentence"),
    [
        (None, 2, 2, "nodes=2 needs torchrun or srun"),
        (_FOUR, 4, None, "started 4 processes, 2 on this machine"),
        (_FOUR, 2, 3, "started 4 processes"),
        (_FOUR, None, 4, "started 4 processes"),
    ],
)
def test_numbers_of_processes_that_do_not_fit_are_refused(place, devices, nodes, sentence):
    with pytest.raises(InputError, match=sentence):
        check_counts(place, devices, nodes)


@pytest.mark.parametrize(("device", "sentence"), [("mps", "device='cpu'"), ("cuda", "2 processes need as many GPUs")])
def test_devices_that_the_processes_do_not_have_are_refused(device, sentence, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=sentence):
        Group(_FOUR).check(Device(device, "float32", 1))


@pytest.fixture
def in_group():
    token = distributed._GROUP.set(Group(_FOUR))
    yield
    distributed._GROUP.reset(token)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"), "'runs/a'.* goes on"),
        (torch.distributed.DistNetworkError("reset"), "'runs/a'.* goes on"),
        (
            RuntimeError("Expected to have finished reduction in the prior iteration"),
            "some of its weights have no part",
        ),
    ],
)
def test_a_lost_process_is_known_by_what_torch_says(error, sentence, in_group):
    with pytest.raises(InputError, match=sentence), loss_described(Path("runs/a")):
        raise error


def test_other_errors_of_torch_are_not_taken_for_a_lost_process(in_group):
    with pytest.raises(RuntimeError, match="sizes"), loss_described():
        raise RuntimeError("sizes do not match")


def test_a_process_alone_loses_nobody():
    with pytest.raises(RuntimeError, match="gloo"), loss_described():
        raise RuntimeError("gloo")


def test_an_epoch_has_fewer_steps_where_each_sees_more():
    one, two = (make_plan(made_fingerprint(), 41, {"epochs": 3}, device="cpu", processes=count) for count in (1, 2))
    assert two.steps_per_epoch == -(-one.steps_per_epoch // 2) > 1
    assert two.batch_size == one.batch_size
