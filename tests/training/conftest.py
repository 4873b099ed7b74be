"""The published figures to compare with, and trainings that several tests look at."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from amsunet.training import callbacks
from amsunet.training.train import train

_GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
_TINY: dict[str, Any] = {
    "base_channels": 4,
    "crop": (64, 64),
    "batch_size": 4,
    "steps_per_epoch": 2,
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Read the golden arrays of one name."""

    def read(name: str) -> dict[str, np.ndarray]:
        path = _GOLDEN / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"the golden file {path.name} does not lie beside the repository")
        with np.load(path) as file:
            return dict(file)

    return read


@pytest.fixture(scope="session")
def tiny() -> dict[str, Any]:
    """Settings of a training of seconds, but for its budget."""
    return _TINY


@pytest.fixture(scope="session")
def repeatable(tiny) -> dict[str, Any]:
    """Settings of a tiny training whose weights are always the same."""
    return {**tiny, "epochs": 3, "deterministic": True}


@pytest.fixture(scope="session")
def whole(repeatable, tmp_path_factory) -> Any:
    """A training that came to its end, and the lines it said."""
    said: list[str] = []
    training = train("sample:nuclei", out=tmp_path_factory.mktemp("runs") / "whole", say=said.append, **repeatable)
    yield SimpleNamespace(training=training, run=training.run, said="\n".join(said))
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def interrupt(monkeypatch) -> Callable[[int, int], None]:
    """Have Ctrl-C pressed after a step (epoch, batch), both from 0."""

    def at(epoch: int, batch: int) -> None:
        progress = callbacks.Progress.on_train_batch_end

        def on_train_batch_end(self, trainer, module, outputs, given, index) -> None:
            progress(self, trainer, module, outputs, given, index)
            if (trainer.current_epoch, index) == (epoch, batch):
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(callbacks.Progress, "on_train_batch_end", on_train_batch_end)

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
