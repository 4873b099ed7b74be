"""What happens around the training loop: keeping the best weights, early stopping, the time budget, EMA, Ctrl-C,
progress.
"""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from amsunet.atomic_io import write_csv
from amsunet.inference.model_file import save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.progress import is_shown, report
from amsunet.training.distributed import current_group
from amsunet.training.lightning_module import DivergedError, SegmentationTask
from amsunet.training.run_folder import METRICS_NAME

logger = logging.getLogger(__name__)

_MAY_TAKE = 1.05
"""Of the minutes given: better a twentieth too long than most of an epoch unused."""


class EMA(WeightAveraging):
    """Lightning's weight averaging with a decay that starts low, so that short trainings profit too."""

    def __init__(self) -> None:
        super().__init__(multi_avg_fn=_update_ema)


def _update_ema(averages: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
    decay = min(0.999, (1 + float(updates)) / (10 + float(updates)))
    get_ema_multi_avg_fn(decay)(averages, current, updates)  # type: ignore[no-untyped-call]


class TimeBudget(pl.Callback):
    """Ends training on time, lays the learning rate's end there, and lets Ctrl-C or SIGTERM end it early.

    With a number of minutes the number of epochs is set anew after each epoch from the time that epochs have
    taken. Several processes go by the clock of the first one, and stop at one step where any of them gets a signal.
    State: the seconds spent, over all resumed parts, and the epochs planned.

    Args:
        started: When the minutes began, by ``time.monotonic``: with reading, before there was a clock.
        closing: Seconds of the minutes to keep back for what comes after the last epoch.
    """

    def __init__(
        self, task: SegmentationTask, epochs: int, *, started: float | None = None, closing: float = 0.0
    ) -> None:
        self.epochs = epochs
        self.seconds = 0.0
        self.closing = closing
        self.signal: int | None = None
        """That this process was sent."""
        self.interrupted = False
        self.terminated = False
        """Whether it was SIGTERM that interrupted it: whoever sends it waits for seconds and then kills."""
        self.cut = False
        """Whether the last epoch is only part of one."""
        self._task = task
        self._started = time.monotonic() if started is None else started
        self._before_epochs = self.elapsed()
        self._old_handlers: dict[int, Any] = {}
        self._handlers_of_host = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def elapsed(self) -> float:
        """Seconds of the minutes so far."""
        return self.seconds + time.monotonic() - self._started

    def seconds_per_epoch(self, done: int) -> float:
        """In the mean over those that are done."""
        return (self.elapsed() - self._before_epochs) / done

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.seconds:
            self._before_epochs = self.elapsed()
        for number in self._handlers_of_host:
            try:
                self._old_handlers[number] = signal.signal(number, self._interrupt)
            except ValueError:  # not in the main thread: whoever runs us handles signals
                break
        # A run that had ended is resumed to the same end.
        trainer.should_stop = trainer.current_epoch >= self.epochs

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._agree()
        if self.interrupted:
            self.cut = not trainer.is_last_batch
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._agree()
        done = trainer.current_epoch + 1
        minutes = self._task.plan.minutes
        if minutes is not None:
            left = minutes * 60 * _MAY_TAKE - self.closing - self.elapsed()
            self.epochs = current_group().broadcast(done + max(0, int(left / self.seconds_per_epoch(done))))
            self._task.total_steps = self.epochs * (self._task.plan.steps_per_epoch or 1)
        if done >= self.epochs or self.interrupted:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {
            "seconds": self.elapsed(),
            "before_epochs": self._before_epochs,
            "closing": self.closing,
            "epochs": self.epochs,
            "total_steps": self._task.total_steps,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._started = time.monotonic()
        self.seconds = state_dict["seconds"]
        self._before_epochs = state_dict.get("before_epochs", 0.0)
        self.closing = state_dict.get("closing", 0.0)
        self.epochs = state_dict["epochs"]
        self._task.total_steps = state_dict["total_steps"]

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        if current_group().size == 1:
            self.interrupted, self.terminated = True, number == signal.SIGTERM
        # A second one ends at once. What stood there before is Lightning's, which waits for the end of the epoch.
        for each, handler in self._handlers_of_host.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        if not current_group().is_first:
            return
        # The answer to a key that was pressed, for whoever sits there, and no line of a log.
        again = "a second SIGTERM ends" if number == signal.SIGTERM else "press again to end"
        print(f"\nstopping after this step: saves, then validates ({again} at once)", file=sys.stderr)

    def _agree(self) -> None:
        """Find out whether one of several processes was asked to stop, or has diverged; all ask at the same moments."""
        group = current_group()
        if group.size == 1:
            return
        asked = self.signal is not None, self.signal == signal.SIGTERM, self._task.diverged
        self.interrupted, self.terminated, diverged = group.any(*asked)
        if diverged:
            raise DivergedError

    def _restore(self) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._old_handlers = {}


class Checkpointer(pl.Callback):
    """Keeps what a training has reached: the best weights, a row of figures for each epoch, the state to resume from.
    Early stopping ends it after ``patience`` epochs without a better score.

    Stands before the weight averaging in the list of callbacks, which puts the unaveraged weights back at the
    end of validation.
    """

    def __init__(self, run: Path, description: ModelDescription, time_budget: TimeBudget) -> None:
        self.best_score = -1.0
        self.best_loss = math.inf
        self.best_epoch = -1
        self.rows: list[dict[str, Any]] = []
        self._run = run
        self._description = description
        self._time_budget = time_budget

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_early(trainer, pl_module, trainer.current_epoch - 1)  # of a training that is resumed

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationTask)
        pl_module.gather_validation()
        by_class = torch.stack(pl_module.dice_of_images).nanmean(dim=0)
        there = torch.stack(pl_module.classes_of_images).any(dim=0)
        # A class that is in none of these images would count 1 where nothing is marked: the loss sees to it.
        score = float(by_class[there].mean()) if there.any() else 0.0
        by_class = torch.where(there, by_class, torch.nan)
        loss = float(torch.stack(pl_module.loss_of_images).mean())
        # Part of an epoch does not count as one, or a resumed training would differ from an unbroken one.
        counts = not self._time_budget.cut or self.best_epoch < 0
        # The loss decides where Dice does not, as while nothing is found, or on images without an object.
        if (score, -loss) > (self.best_score, -self.best_loss) and counts:
            self.best_score, self.best_loss, self.best_epoch = score, loss, trainer.current_epoch
            if current_group().is_first:
                save_model(self._run / FILE_NAME, pl_module.network, self._description)
        names = self._description.convention.class_names[1:]
        row: dict[str, Any] = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "seconds": round(self._time_budget.elapsed(), 1),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "val_dice": score,
        }
        if len(names) > 1:
            row |= {f"val_dice {name}": float(value) for name, value in zip(names, by_class, strict=True)}
        self.rows.append(row)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SegmentationTask)
        self.rows[-1] |= {
            "train_loss": pl_module.train_loss(),
            "val_loss": pl_module.validation_loss(),
        }
        for logger in trainer.loggers:
            logger.log_metrics(
                {k: v for k, v in self.rows[-1].items() if k not in ("epoch", "step")}, trainer.global_step
            )
        if self._time_budget.cut:
            return
        if current_group().is_first:
            write_csv(self._run / METRICS_NAME, self.rows)
        self._stop_early(trainer, pl_module, trainer.current_epoch)
        current_group().save(self._run, trainer)

    def _stop_early(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        if epoch - self.best_epoch >= pl_module.plan.patience:  # type: ignore[union-attr, operator]
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        best = {"best_score": self.best_score, "best_loss": self.best_loss, "best_epoch": self.best_epoch}
        return {**best, "rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best_score, self.best_epoch = state_dict["best_score"], state_dict["best_epoch"]
        self.best_loss = state_dict.get("best_loss", -math.inf)  # earlier versions: a tie does not take its place
        self.rows = list(state_dict["rows"])


class Progress(pl.Callback):
    """Reports every step of the whole training, and logs one line for each epoch."""

    def __init__(self, task: SegmentationTask, time_budget: TimeBudget, checkpointer: Checkpointer) -> None:
        self._task, self._time_budget, self._checkpointer = task, time_budget, checkpointer
        self._done = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._done = trainer.global_step
        report(self._done, self._task.total_steps, "step")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._done += 1
        if is_shown():  # a GPU is waited for where its loss is read
            # The last step is not the end: it is shown when training has ended.
            total = max(self._done + 1, self._task.total_steps)
            report(self._done, total, "step", loss=float(outputs["loss"]))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        row, elapsed = self._checkpointer.rows[-1], self._time_budget.elapsed()
        done = trainer.current_epoch + 1
        left = (
            self._time_budget.seconds_per_epoch(done) * max(0, self._time_budget.epochs - done)
            + self._time_budget.closing
        )
        best = "  best so far" if self._checkpointer.best_epoch == trainer.current_epoch else ""
        # By minutes their number is only an estimate, which changes after each.
        of_all = f" of {self._time_budget.epochs}" if self._task.plan.minutes is None else ""
        logger.info(
            f"epoch {done:>3}{of_all}  loss {row['train_loss']:.3f}  validation Dice "
            f"{row['val_dice']:.4f}  {_clock_time(elapsed)} gone, {_clock_time(left)} left{best}"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._end()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._end()

    def _end(self) -> None:
        report(self._done, self._done, "step")


def _clock_time(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
