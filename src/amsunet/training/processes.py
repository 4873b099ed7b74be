"""The processes of one training: which of them this one is, and a launcher for those of one machine.

``torchrun`` and SLURM's ``srun`` start a command several times and say in its environment which one each is. ``launch``
does the same on one machine. Torch's own launcher would do, but for how it ends: it gives its processes 30 seconds
after SIGTERM, interrupts them twice for one Ctrl-C, and turns every exit code into 1.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from amsunet.errors import InputError
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_SLURM = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_NODELIST", "SLURM_JOB_ID")
"""Of a step, which ``srun`` starts; the script around it, which runs once, has no step."""
_GRACE = 30.0
"""Seconds for the others to end by themselves, once one has failed."""


@dataclass(frozen=True)
class Place:
    """One of the processes of a training."""

    rank: int
    size: int
    """Of all processes together."""
    local_rank: int
    """Among those of its machine."""
    local_size: int | None
    """So many are on its machine; None where the launcher does not say."""
    address: str
    """Of the machine of the first one."""
    port: int


def find_place(environment: Mapping[str, str] = os.environ) -> Place | None:
    """Find what a launcher says this process is.

    Args:
        environment: Its variables.

    Returns:
        The place; None where the process is the only one.

    Raises:
        InputError: For variables that hold no numbers.
    """
    try:
        if all(name in environment for name in _TORCHRUN):
            rank, size, local, port = (int(environment[name]) for name in _TORCHRUN if name != "MASTER_ADDR")
            local_size = int(environment["LOCAL_WORLD_SIZE"]) if "LOCAL_WORLD_SIZE" in environment else None
            place = Place(rank, size, local, local_size, environment["MASTER_ADDR"], port)
        elif all(name in environment for name in _SLURM):
            rank, size, local = (int(environment[name]) for name in _SLURM[:3])
            address = environment.get("MASTER_ADDR") or _first_host(environment["SLURM_STEP_NODELIST"])
            port = int(environment.get("MASTER_PORT") or 20000 + int(environment["SLURM_JOB_ID"]) % 10000)
            place = Place(rank, size, local, None, address, port)
        else:
            return None
    except ValueError as error:
        raise InputError(
            f"the environment says in no numbers which process of a training this is ({error}): start it through "
            "torchrun or srun, or remove RANK and WORLD_SIZE from the environment"
        ) from None
    return place if place.size > 1 else None


def _first_host(hosts: str) -> str:
    """The first of a list in SLURM's form, as ``node[07-09,12],other``."""
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", re.split(r",(?![^\[]*\])", hosts)[0])


def check_counts(place: Place | None, devices: int | None, nodes: int | None) -> None:
    """Raise InputError unless the launcher started as many processes as the user says there are."""
    if place is None:
        if nodes is not None and nodes > 1:
            raise InputError(
                f"{setting(nodes=nodes)} needs torchrun or srun, which start the command on each machine: "
                "docs/scale.md shows how"
            )
        return
    here = devices if devices is not None else place.local_size
    expected = None if here is None else here * nodes if nodes is not None else None
    wrong_here = devices is not None and place.local_size not in (None, devices)
    if wrong_here or (expected is not None and expected != place.size):
        on = "" if place.local_size is None else f", {place.local_size} on this machine"
        raise InputError(
            f"the launcher started {place.size} processes{on}: give {setting('devices')} and {setting('nodes')} the "
            "same numbers, or leave them out"
        )


def launch(count: int, words: Sequence[str]) -> int:
    """Run ``amsunet`` so many times on this machine as the processes of one training, and wait for all of them.

    Ctrl-C and SIGTERM are handed on. Where one fails, the others, who notice, have 30 seconds to end by themselves.

    Args:
        count: Processes.
        words: What stands behind ``amsunet``.

    Returns:
        The exit code: that of the first process, or of another one that failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    defaults = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
    if sys.platform == "linux":
        defaults["GLOO_SOCKET_IFNAME"] = "lo"  # a machine need not know its own name
    processes: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for rank in range(count):
            variables = {name: str(value) for name, value in {**common, "RANK": rank, "LOCAL_RANK": rank}.items()}
            # In a session of its own: the terminal's Ctrl-C would reach it twice.
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "amsunet", *words],
                    env={**defaults, **os.environ, **variables},
                    start_new_session=True,
                )
            )
        return _wait(processes)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; end those that go on long after one has failed."""
    deadline, signals = float("inf"), [signal.SIGTERM, signal.SIGKILL]
    while None in (codes := [process.poll() for process in processes]):
        failed = [rank for rank, code in enumerate(codes) if code]
        if failed and deadline == float("inf"):
            deadline = time.monotonic() + _GRACE
        if time.monotonic() > deadline and signals:
            number = signals.pop(0)
            if number == signal.SIGTERM:
                logger.warning(
                    f"process {failed[0] + 1} of {len(processes)} of this training ended, and the others did not "
                    "notice: they are ended; resume the run to go on"
                )
            for process in processes:
                if process.poll() is None:
                    process.send_signal(number)
            deadline = time.monotonic() + _GRACE
        time.sleep(0.1)
    code = next((code for code in codes if code), 0)
    return 128 - code if code < 0 else code
