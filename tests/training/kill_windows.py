"""A training killed before some of the changes that it makes on disk, and gone on with; run as a process of its own.

    python kill_windows.py DATA FOLDER SETTINGS COUNT SEED

The seed chooses before which; ``make torture`` goes on to all of them, and to other commands.

Each training is a fork of this process, which has imported everything and computed nothing. It prints a line of JSON
for each kill: where it came, how training went on, and whether it ended with the same bytes as an unbroken one.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kornia  # noqa: F401 - a training imports it late, as the next: every fork would do so again

from amsunet.device import choose_device
from amsunet.training import fit, folds  # noqa: F401
from amsunet.training.train import resume, train

_CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0}
"""Audit events by the argument that names what is changed. What is written before a rename is one with it: it lies in
a file of another name."""


def in_fork(work: Callable[[], object]) -> int:
    """Do it in a fork of this process; what it printed goes nowhere, the exit status comes back."""
    if process := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def watch_changes(run: Path, told: Path, kill_at: int = -1) -> None:
    """Note every change below a folder in a file, a line for each; before the one of this number, kill this process."""
    seen = itertools.count()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHANGES:
            return
        place = Path(os.fspath(arguments[_CHANGES[event]]))
        changes = event == "os.rename" or place.exists() == (event != "os.mkdir")
        if not changes or not place.is_relative_to(run) or "tensorboard" in place.parts:
            return
        os.write(handle, f"{event} {place.relative_to(run)}\n".encode())
        if next(seen) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    handle = os.open(told, os.O_CREAT | os.O_WRONLY)
    sys.addaudithook(watch)


def reached(run: Path) -> dict[str, Any]:
    """What must be the same: the bytes of the weights, and the figures but for the time."""
    files = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("model.safetensors")}
    for path in run.rglob("metrics.csv"):
        with path.open(newline="") as lines:
            rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(lines)]
        files[str(path.relative_to(run))] = rows
    return files


def main(data: str, folder: Path, settings: dict[str, Any], count: int, seed: int) -> None:
    cpu = choose_device("cpu", "float32")

    def begin(run: Path) -> None:
        train(data, settings, out=run, device=cpu)

    assert in_fork(lambda: (watch_changes(folder / "whole", folder / "whole.txt"), begin(folder / "whole"))) == 0
    wanted = reached(folder / "whole")
    changes = range(len((folder / "whole.txt").read_text().splitlines()))
    for number in sorted(random.Random(seed).sample(changes, count)):
        run, told = folder / str(number), folder / f"{number}.txt"
        code = in_fork(lambda n=number, r=run, t=told: (watch_changes(r, t, n), begin(r)))
        ways = {"the same command": lambda r=run: begin(r), "resume": lambda r=run: resume(r)}
        way = next((name for name, go_on in ways.items() if in_fork(go_on) == 0), "none")
        left = [path.name for path in run.rglob("*.partial*")]
        kill = {"code": code, "at": told.read_text().splitlines()[-1], "way": way, "left": left}
        print(json.dumps({**kill, "same": reached(run) == wanted}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), *map(int, sys.argv[4:]))
