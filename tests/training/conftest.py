"""Ctrl-C at a given step, and what two runs are compared by."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from amsunet.training import callbacks


@pytest.fixture
def interrupt(monkeypatch) -> Callable[[int, int], None]:
    """Have Ctrl-C pressed in a step (epoch, batch), both from 0."""

    def at(epoch: int, batch: int) -> None:
        watch = callbacks.TimeBudget.on_train_batch_end

        def on_train_batch_end(self, trainer, module, outputs, given, index) -> None:
            if (trainer.current_epoch, index) == (epoch, batch):
                signal.raise_signal(signal.SIGINT)
            watch(self, trainer, module, outputs, given, index)

        monkeypatch.setattr(callbacks.TimeBudget, "on_train_batch_end", on_train_batch_end)

    return at


@pytest.fixture(scope="session")
def record() -> Callable[[Path], tuple[dict[str, bytes], list[dict[str, str]]]]:
    """What of a run must be the same each time: the weights, bit for bit, and the figures but for the time."""

    def read(run: Path) -> tuple[dict[str, bytes], list[dict[str, str]]]:
        weights = {name: value.numpy().tobytes() for name, value in load_file(run / "model.safetensors").items()}
        with (run / "metrics.csv").open(newline="") as file:
            rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
        return weights, rows

    return read
