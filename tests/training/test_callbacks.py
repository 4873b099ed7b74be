"""The clock of a training with a time budget, on simulated time."""

from __future__ import annotations

import itertools
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from amsunet.training import callbacks, distributed
from amsunet.training.callbacks import Checkpointer, TimeBudget
from amsunet.training.lightning_module import SegmentationTask, learning_rate_factor

_STEPS = 10


def _run(monkeypatch, durations, minutes, planned=16):
    """Let epochs of the given seconds go by: epochs done, total steps, and the factor after the last step."""
    now = [1000.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    plan = SimpleNamespace(minutes=minutes, steps_per_epoch=_STEPS)
    task = SimpleNamespace(plan=plan, total_steps=planned * _STEPS)
    trainer = SimpleNamespace(current_epoch=0, should_stop=False)
    time_budget = TimeBudget(task, planned)
    for epoch, seconds in enumerate(durations):
        trainer.current_epoch = epoch
        factor = learning_rate_factor((epoch + 1) * _STEPS, warmup_steps=_STEPS, total_steps=task.total_steps)
        now[0] += seconds
        time_budget.on_train_epoch_end(trainer, task)
        if trainer.should_stop:
            break
    return epoch + 1, task.total_steps, factor


@pytest.mark.parametrize(("minutes", "line"), [(2, "epoch   1  loss 0.500"), (None, "epoch   1 of 16  loss 0.500")])
def test_epochs_by_minutes_have_no_total_that_would_change_after_each(caplog, minutes, line):
    task = SimpleNamespace(plan=SimpleNamespace(minutes=minutes, steps_per_epoch=_STEPS), total_steps=160)
    checkpointer = SimpleNamespace(rows=[{"train_loss": 0.5, "val_dice": 0.25}], best_epoch=0)
    progress = callbacks.Progress(task, TimeBudget(task, 16), checkpointer)
    with caplog.at_level(logging.INFO):
        progress.on_train_epoch_end(SimpleNamespace(current_epoch=0), task)
    assert caplog.messages[0].startswith(line) and caplog.messages[0].endswith("best so far")


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


def test_reading_and_what_follows_are_paid_by_the_minutes(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    task = SimpleNamespace(plan=SimpleNamespace(minutes=2, steps_per_epoch=_STEPS), total_steps=160)
    time_budget = TimeBudget(task, 16, started=970.0, closing=36.0)
    for epoch in itertools.count():
        now[0] += 5
        trainer = SimpleNamespace(current_epoch=epoch, should_stop=False)
        time_budget.on_train_epoch_end(trainer, task)
        if trainer.should_stop:
            break
    assert epoch + 1 == (126 - 30 - 36) / 5
    assert time_budget.seconds_per_epoch(epoch + 1) == 5


def test_without_minutes_the_number_of_epochs_stands(monkeypatch):
    epochs, total, factor = _run(monkeypatch, itertools.repeat(100.0), minutes=None, planned=4)
    assert (epochs, total, factor) == (4, 40, 0)


def test_seconds_and_plan_survive_a_resume(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    task = SimpleNamespace(plan=SimpleNamespace(minutes=1, steps_per_epoch=_STEPS), total_steps=70)
    time_budget = TimeBudget(task, 7, closing=12.0)
    now[0] = 25.0
    state = time_budget.state_dict()
    now[0] = 9000.0
    task.total_steps = 160
    resumed = TimeBudget(task, 16)
    resumed.load_state_dict(state)
    now[0] += 5
    assert resumed.elapsed() == 30
    assert resumed.closing == 12
    assert (resumed.epochs, task.total_steps) == (7, 70)


@pytest.fixture
def interrupted(monkeypatch, tmp_path):
    """Ctrl-C at a step of ten, or in the validation that follows the last: clock, keeper and trainer afterwards."""
    monkeypatch.setattr(callbacks, "save_model", lambda path, *_: path.touch())
    monkeypatch.setattr(distributed, "save_checkpoint", lambda run, write: write(run / "last.ckpt"))

    def press(step, *, validating=False):
        task = SegmentationTask.__new__(SegmentationTask)
        torch.nn.Module.__init__(task)
        task.network, task.total_steps, task.dice_of_images = torch.nn.Identity(), 40, [torch.tensor([0.5])]
        task.loss_of_images, task.classes_of_images = [torch.tensor(1.0)], [torch.tensor([True])]
        task._loss_sum, task._crops_seen = torch.tensor(1.0), 1
        task.plan = SimpleNamespace(minutes=None, steps_per_epoch=_STEPS, patience=9)
        trainer = SimpleNamespace(
            current_epoch=1,
            global_step=20,
            should_stop=False,
            loggers=[],
            callback_metrics={"train_loss": 1.0, "val_loss": 1.0},
            optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])],
            save_checkpoint=lambda path: path.touch(),
        )
        time_budget = TimeBudget(task, 4)
        description = SimpleNamespace(convention=SimpleNamespace(class_names=("background", "disc")))
        checkpointer = Checkpointer(tmp_path, description, time_budget)
        checkpointer.best_epoch, checkpointer.best_score = 0, 0.4
        for number in range(step + 1):
            trainer.is_last_batch = number == _STEPS - 1
            time_budget.interrupted = number == step and not validating
            time_budget.on_train_batch_end(trainer, task, None, None, number)
        time_budget.interrupted = True
        checkpointer.on_validation_epoch_end(trainer, task)
        time_budget.on_train_epoch_end(trainer, task)
        checkpointer.on_train_epoch_end(trainer, task)
        return trainer.should_stop, checkpointer.best_epoch, (tmp_path / "last.ckpt").exists()

    return press


def test_part_of_an_epoch_does_not_count_as_one(interrupted):
    assert interrupted(4) == (True, 0, False)


@pytest.mark.parametrize("validating", [False, True])
def test_an_epoch_that_was_whole_when_stopped_is_kept(interrupted, validating):
    assert interrupted(_STEPS - 1, validating=validating) == (True, 1, True)


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([(1.0, 0.9), (1.0, 0.5), (1.0, 0.7)], 1),
        ([(0.0, 0.9), (0.0, 0.8), (0.3, 1.5), (0.2, 0.1)], 2),
        ([(math.nan, 0.9), (math.nan, 0.8)], 1),
    ],
    ids=["images without an object", "nothing found at first", "images without a pixel that counts"],
)
def test_the_loss_decides_where_dice_does_not(monkeypatch, tmp_path, epochs, best):
    monkeypatch.setattr(callbacks, "save_model", lambda *_: None)
    task = SegmentationTask.__new__(SegmentationTask)
    torch.nn.Module.__init__(task)
    task.network, task.plan = torch.nn.Identity(), SimpleNamespace(minutes=None, steps_per_epoch=1, patience=9)
    description = SimpleNamespace(convention=SimpleNamespace(class_names=("background", "disc")))
    checkpointer = Checkpointer(tmp_path, description, TimeBudget(SimpleNamespace(plan=task.plan, total_steps=9), 9))
    for epoch, (dice, loss) in enumerate(epochs):
        task.dice_of_images, task.loss_of_images = [torch.tensor([dice])], [torch.tensor(loss)]
        task.classes_of_images = [torch.tensor([0 < dice < 1])]
        group = SimpleNamespace(param_groups=[{"lr": 0.1}])
        checkpointer.on_validation_epoch_end(
            SimpleNamespace(current_epoch=epoch, global_step=1, optimizers=[group]), task
        )
    assert checkpointer.best_epoch == best
    old = {"best_score": 0.5, "best_epoch": 3, "rows": []}
    checkpointer.load_state_dict(old)
    assert checkpointer.best_loss == -math.inf, "of earlier versions: a tie does not take its place"


def test_a_class_that_is_in_no_validation_image_chooses_no_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(callbacks, "save_model", lambda *_: None)
    task = SegmentationTask.__new__(SegmentationTask)
    torch.nn.Module.__init__(task)
    task.network, task.plan = torch.nn.Identity(), SimpleNamespace(minutes=None, steps_per_epoch=1, patience=9)
    description = SimpleNamespace(convention=SimpleNamespace(class_names=("background", "liver", "spleen")))
    checkpointer = Checkpointer(tmp_path, description, TimeBudget(SimpleNamespace(plan=task.plan, total_steps=9), 9))
    task.classes_of_images = [torch.tensor([True, False]), torch.tensor([False, False])]
    for epoch, (liver, spleen) in enumerate([(0.4, 1.0), (0.6, 0.0)]):
        task.dice_of_images = [torch.tensor([liver, spleen]), torch.tensor([math.nan, math.nan])]
        task.loss_of_images = [torch.tensor(1.0)] * 2
        group = SimpleNamespace(param_groups=[{"lr": 0.1}])
        checkpointer.on_validation_epoch_end(
            SimpleNamespace(current_epoch=epoch, global_step=1, optimizers=[group]), task
        )
    assert checkpointer.best_epoch == 1 and checkpointer.best_score == pytest.approx(0.6)
    assert checkpointer.rows[0]["val_dice"] == pytest.approx(0.4) and math.isnan(
        checkpointer.rows[0]["val_dice spleen"]
    )
