"""The clock of a training with a time budget, on simulated time."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from amsunet.training import callbacks
from amsunet.training.callbacks import Clock
from amsunet.training.schedule import learning_rate_factor

_STEPS = 10


def _run(monkeypatch, durations, minutes, planned=16):
    """Let epochs of the given seconds go by: epochs done, total steps, and the factor after the last step."""
    now = [1000.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    plan = SimpleNamespace(minutes=minutes, steps_per_epoch=_STEPS)
    task = SimpleNamespace(plan=plan, total_steps=planned * _STEPS)
    trainer = SimpleNamespace(current_epoch=0, should_stop=False)
    clock = Clock(task, planned)
    for epoch, seconds in enumerate(durations):
        trainer.current_epoch = epoch
        factor = learning_rate_factor((epoch + 1) * _STEPS, warmup_steps=_STEPS, total_steps=task.total_steps)
        now[0] += seconds
        clock.on_train_epoch_end(trainer, task)
        if trainer.should_stop:
            break
    return epoch + 1, task.total_steps, factor


@pytest.mark.parametrize("seconds", [2.0, 10.0, 29.0])
def test_budget_of_minutes_sets_the_epochs_and_ends_the_learning_rate(monkeypatch, seconds):
    epochs, total, factor = _run(monkeypatch, itertools.repeat(seconds), minutes=2)
    assert epochs == int(126 / seconds)
    assert total == epochs * _STEPS
    assert factor == 0


@pytest.mark.parametrize("seed", range(5))
def test_uneven_speed_still_ends_in_time_with_a_low_learning_rate(monkeypatch, seed):
    durations = np.random.default_rng(seed).uniform(8, 12, 100)
    epochs, _, factor = _run(monkeypatch, durations, minutes=5)
    assert durations[:epochs].sum() <= 315 + 12
    assert durations[: epochs + 1].sum() >= 300 - 12
    assert factor < 0.08


def test_without_minutes_the_number_of_epochs_stands(monkeypatch):
    epochs, total, factor = _run(monkeypatch, itertools.repeat(100.0), minutes=None, planned=4)
    assert (epochs, total, factor) == (4, 40, 0)


def test_seconds_and_plan_survive_a_resume(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    task = SimpleNamespace(plan=SimpleNamespace(minutes=1, steps_per_epoch=_STEPS), total_steps=70)
    clock = Clock(task, 7)
    now[0] = 25.0
    state = clock.state_dict()
    now[0] = 9000.0
    task.total_steps = 160
    resumed = Clock(task, 16)
    resumed.load_state_dict(state)
    now[0] += 5
    assert resumed.elapsed() == 30
    assert (resumed.epochs, task.total_steps) == (7, 70)
