"""A training that is stopped within an epoch: saved at once, and resumed at the very step."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from amsunet.data.crops import Crops
from amsunet.training.callbacks import TimeBudget
from amsunet.training.checkpoint import save_checkpoint
from amsunet.training.distributed import current_group


class MidEpoch(pl.Callback):
    """Tells the crops where in which epoch training is, and saves a training that is to stop before it is validated.

    Stands last in the list of callbacks, for the state of a step holds what the others do after it. While an epoch is
    validated there is no state that could be gone on from, so the one before its last step is kept in memory: that
    step is done again. State: the steps of the epoch that were done.

    Args:
        run: The run folder.
        crops: The crops that batches are made of.
        batch_size: Crops of a step, of all processes.
        time_budget: Knows whether training is to stop.
    """

    def __init__(self, run: Path, crops: Crops, batch_size: int, time_budget: TimeBudget) -> None:
        self._run = run
        self._crops = crops
        self._batch_size = batch_size
        self._time_budget = time_budget
        self._steps = 0
        self._before_last: io.BytesIO | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._crops.epoch, self._crops.first = trainer.current_epoch, self._steps * self._batch_size
        self._steps = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._crops.epoch, self._crops.first = trainer.current_epoch, 0  # not called for an epoch that was cut

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        steps = batch_idx + 1
        is_before_last = steps == int(trainer.num_training_batches) - 1
        if not (self._time_budget.cut or is_before_last):
            return
        self._steps = steps
        if self._time_budget.cut:
            current_group().save(self._run, trainer)
        else:
            state = trainer._checkpoint_connector.dump_checkpoint()  # which all processes take part in
            if current_group().is_first:
                self._before_last = io.BytesIO()
                torch.save(state, self._before_last)
        self._steps = 0

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._time_budget.signal is not None and not self._time_budget.cut and self._before_last is not None:
            state, self._before_last = self._before_last.getvalue(), None
            save_checkpoint(self._run, lambda path: path.write_bytes(state))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._before_last = None

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._steps = state_dict["steps"]
