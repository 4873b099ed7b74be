"""The precision of a training: chosen by its steps, unless it was set."""

from __future__ import annotations

import json

import pytest
import torch
from made_fingerprint import made_fingerprint

from amsunet import progress
from amsunet.device import Device, choose_device
from amsunet.training import step_cost
from amsunet.training.plan import make_plan
from amsunet.training.precision import faster_precision, fastest, steps_by_precision, with_precision
from amsunet.training.step_cost import TrainingStep, measure_steps
from amsunet.training.train import train

BOTH = Device("cpu", "bfloat16", 1, ("bfloat16", "float32"))
SETTINGS = {"model": "unet", "base_channels": 4, "crop": (32, 32), "batch_size": 8, "epochs": 1}


@pytest.fixture(scope="module")
def plan():
    return make_plan(made_fingerprint(), 16, SETTINGS, device="cpu")


def _timed_as(monkeypatch, **seconds):
    """Steps that take so long, for want of two processors; the steps that were timed."""
    timed = []

    def measure(steps, rounds):
        timed.extend(steps.values())
        return {name: seconds[name] for name in steps}

    monkeypatch.setattr(step_cost, "measure_steps", measure)
    return timed


@pytest.mark.parametrize(("bfloat16", "chosen"), [(0.5, "bfloat16"), (0.97, "float32"), (1.4, "float32")])
def test_the_faster_precision_is_taken_and_a_tie_goes_to_float32(bfloat16, chosen, plan, monkeypatch):
    _timed_as(monkeypatch, float32=1.0, bfloat16=bfloat16)
    device, why = faster_precision(plan, 2, BOTH)
    assert (device.precision, device.precisions) == (chosen, BOTH.precisions)
    assert why == f"a step of 2 crops takes {1e3 * bfloat16:.0f} ms in bfloat16, 1000 ms in float32"


@pytest.mark.parametrize(
    ("device", "repeatable"),
    [(Device("cpu", "bfloat16", 1), False), (Device("cuda", "bfloat16", 1, ("bfloat16",)), False), (BOTH, True)],
)
def test_nothing_is_measured_where_there_is_no_choice(device, repeatable, plan, monkeypatch):
    timed = _timed_as(monkeypatch)
    assert faster_precision(plan, 2, device, repeatable=repeatable)[0] == device
    assert not timed


def test_a_step_learns_in_its_precision(plan):
    taken = {}
    for kind, step in steps_by_precision(plan, 2, BOTH).items():
        before = [parameter.detach().clone() for parameter in step.network.parameters()]
        handle = step.network.register_forward_hook(
            lambda module, given, out, kind=kind: taken.__setitem__(kind, out.dtype)
        )
        step()
        handle.remove()
        assert any(not torch.equal(old, new) for old, new in zip(before, step.network.parameters(), strict=True))
    assert taken == {"bfloat16": torch.bfloat16, "float32": torch.float32}


def test_steps_take_turns_and_what_the_others_made_a_step_forget_does_not_count(monkeypatch):
    """As with convolutions that oneDNN keeps ready: the first step after another network's takes longer."""
    order, clock = [], [0.0]

    def step(name):
        clock[0] += 1.0 if order[-1:] == [name] else 3.0
        order.append(name)

    monkeypatch.setattr(progress, "perf_counter", lambda: clock[0])
    seconds = measure_steps({name: lambda name=name: step(name) for name in "ab"}, 2)
    assert "".join(order) == "aabbaabb"
    assert seconds == {"a": 1.0, "b": 1.0}


def test_what_has_no_float32_goes_by_time_alone():
    assert fastest({"bfloat16": 1.0}) == "bfloat16"


def test_a_device_says_what_may_be_measured():
    assert choose_device("cpu", "float32").precisions == ()
    assert "float32" in choose_device("cpu").precisions
    assert choose_device("cpu").precision == choose_device("cpu").precisions[0]


def test_the_plan_names_the_precision_and_why(plan):
    assert plan.precision is None, "as in files of earlier versions"
    decided = with_precision(plan, BOTH, "measured")
    assert "precision             bfloat16      measured" in str(decided)
    assert type(decided).model_validate_json(decided.model_dump_json()) == decided


def test_a_training_computes_in_what_was_faster(tmp_path, tiny, monkeypatch, said):
    _timed_as(monkeypatch, float32=1.0, bfloat16=2.0)
    train("sample:nuclei", {**tiny, "epochs": 1}, out=tmp_path / "run", device=BOTH)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["precision"] == config["plan"]["precision"] == "float32"
    assert "2000 ms in bfloat16, 1000 ms in float32" in config["plan"]["reasons"]["precision"]
    assert "in float32: a step of 2 crops takes 2000 ms in bfloat16, 1000 ms in float32" in said


def test_a_step_on_a_gpu_gives_its_captured_pass_back(plan, monkeypatch):
    step = TrainingStep(plan, 2, choose_device("cpu", "float32"))
    passes = []
    monkeypatch.setattr(
        "amsunet.training.step_cost.captured", lambda network, *_: lambda x: passes.append(x.shape) or network(x)
    )
    with step.captured():
        step()
    step()
    assert passes == [step.images.shape], "within the block alone"
