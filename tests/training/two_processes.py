"""Trainings in two processes, in one, and in two of which something happens to one; run as a process of its own.

    python two_processes.py FOLDER

Each process of a training is a fork of this one, which has imported everything and computed nothing. Every training has
a folder under FOLDER, and in ``outcomes.json`` by name the exit codes of its processes and what each wrote to standard
error.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kornia  # noqa: F401 - a training imports it late: every fork would do so again
import numpy as np
import torch
from PIL import Image

from amsunet.device import choose_device
from amsunet.errors import InputError
from amsunet.training import callbacks, distributed, processes
from amsunet.training.fit import fit
from amsunet.training.lightning_module import SegmentationTask
from amsunet.training.train import resume, train

Happening = Callable[[int], None]
"""Done in each process by its rank before it begins."""
CPU = choose_device("cpu", "float32")
SETTINGS: dict[str, Any] = {
    "model": "unet", "base_channels": 4, "crop": (32, 32), "batch_size": 2, "steps_per_epoch": 3, "epochs": 2,
    "deterministic": True,
}  # fmt: skip
LAYER = {
    **SETTINGS, "model": "amsunet", "model_options": {"norm": "layer"}, "augmentation": "none", "quarter_turns": False,
}  # fmt: skip
"""Of a network that takes no statistics over a batch: a part of one is the same as the whole."""
TAUGHT = {**LAYER, "batch_size": 8, "epochs": 2, "steps_per_epoch": 12, "learning_rate": 0.02}
STILL = {**LAYER, "learning_rate": 1e-30, "epochs": 1, "steps_per_epoch": 1}
"""Weights do not move: those of any number of processes are the same, and so is what is validated."""
outcomes: dict[str, Any] = {}


def in_processes(
    name: str, work: Callable[[], object], happens: Happening = lambda rank: None, *, size: int = 2, slurm: bool = False
) -> None:
    """Do it in the first of so many processes, which the others follow."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [_fork(name, rank, lambda rank=rank: _take_part(_variables(rank, size, port, slurm), work, happens))
               for rank in range(size)]  # fmt: skip
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in started]
    outcomes[name] = {"codes": codes, "errors": [_errors(name, rank).read_text() for rank in range(size)]}


def _errors(name: str, rank: int) -> Path:
    return folder / f"{name}-{rank}.txt"


def _fork(name: str, rank: int, work: Callable[[], int]) -> int:
    if process := os.fork():
        return process
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(_errors(name, rank), os.O_WRONLY | os.O_CREAT), 2)
    code = 99
    try:
        code = work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        code = 2
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    os._exit(code)


def _variables(rank: int, size: int, port: int, slurm: bool) -> dict[str, str]:
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if slurm:
        step = {"SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": str(size)}
        step |= {"SLURM_NTASKS": str(size), "SLURM_JOB_NAME": "training"}
        return {**common, **step, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
    return {**common, "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}


def _take_part(variables: dict[str, str], work: Callable[[], object], happens: Happening) -> int:
    os.environ |= variables
    with distributed.joined(processes.find_place()) as group:
        happens(group.rank)
        if not group.is_first:
            return group.follow(fit)
        work()
    return 0


def at_step(rank: int, place: tuple[int, int], act: Callable[[], object]) -> Happening:
    """Do something at the end of a step (epoch, batch) in one process."""

    def happens(here: int) -> None:
        watch = callbacks.TimeBudget.on_train_batch_end

        def on_train_batch_end(self: Any, trainer: Any, module: Any, outputs: Any, given: Any, index: int) -> None:
            if (trainer.current_epoch, index) == place:
                act()
            watch(self, trainer, module, outputs, given, index)

        if here == rank:
            callbacks.TimeBudget.on_train_batch_end = on_train_batch_end

    return happens


def _no_number_in(rank: int) -> Happening:
    """The loss of one process is no number in its second step."""

    def happens(here: int) -> None:
        step = SegmentationTask.training_step

        def training_step(self: Any, batch: Any, index: int) -> Any:
            if index == 1:
                self.loss.forward = lambda logits, labels: logits.sum() * torch.nan
            return step(self, batch, index)

        if here == rank:
            SegmentationTask.training_step = training_step

    return happens


def _write(place: Path, count: int) -> Path:
    """A data set of grey images in which discs are brighter, so that something can be learnt in seconds."""
    for number in range(count):
        rng = np.random.default_rng(number)
        rows, columns = np.ogrid[:40, :48]
        mask = (rows - rng.integers(12, 28)) ** 2 + (columns - rng.integers(12, 36)) ** 2 < rng.integers(5, 10) ** 2
        image = (rng.integers(0, 190, mask.shape) + 65 * mask).astype(np.uint8)
        for kind, pixels in ("images", image), ("masks", np.uint8(255) * mask):
            (place / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / kind / f"{number:02}.png")
    return place


def _copy(name: str, to: str) -> Path:
    return Path(shutil.copytree(folder / name, folder / to))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    gc.collect()
    gc.freeze()  # else each fork walks all that was imported, and so copies it
    small, large = (_write(folder / f"set{count}", count) for count in (6, 20))

    def trained(data: Path, settings: dict[str, Any], name: str, **more: Any) -> Callable[[], object]:
        return lambda: train(data, settings, out=folder / name, device=CPU, **more)

    distributed._BEAT = 0.01
    doubled = {"batch_size": 4}
    in_processes("taught", trained(large, TAUGHT, "taught"), size=1)
    for name, settings in ("layer", LAYER), ("still", STILL | {"pretrained": str(folder / "taught")}):
        in_processes(f"{name}_two", trained(large, settings, f"{name}_two"))
        in_processes(f"{name}_one", trained(large, settings | doubled, f"{name}_one"), size=1)
    in_processes("whole", trained(small, SETTINGS, "whole"))
    in_processes("stopped", trained(small, SETTINGS, "stopped"),
                 at_step(1, (1, 0), lambda: signal.raise_signal(signal.SIGTERM)), slurm=True)  # fmt: skip
    run = _copy("stopped", "resumed")
    in_processes("resumed", lambda: resume(run))
    fewer = _copy("stopped", "fewer")
    in_processes("fewer", lambda: resume(fewer), size=1)
    for rank in 0, 1:
        name = f"killed{rank}"
        in_processes(name, trained(small, SETTINGS, name),
                     at_step(rank, (1, 1), lambda: os.kill(os.getpid(), signal.SIGKILL)))  # fmt: skip
    killed = _copy("killed1", "revived")
    in_processes("revived", lambda: resume(killed))
    in_processes("folds", trained(small, SETTINGS | {"epochs": 1}, "folds", folds=2))
    in_processes("diverged", trained(small, SETTINGS, "diverged"), _no_number_in(1))
    in_processes("refused", trained(small / "images", SETTINGS, "refused"))
    (folder / "outcomes.json").write_text(json.dumps(outcomes))
