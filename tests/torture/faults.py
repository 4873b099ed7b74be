"""Faults that a process puts on itself before it runs a command: kills, errors of the disk, limits, a wrong clock.

Files are watched through Python's audit events, so a fault comes before a change takes place. What is written before a
rename is one with it, for it lies in a file of another name.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Fault = dict[str, Any]
_CHANGES = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0}
"""Audit events by the argument that names what is changed."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def put_on(fault: Fault, told: Path) -> None:
    """Put a fault on this process.

    Args:
        fault: Its ``kind``, one of ``KINDS``, and what that takes; empty for none.
        told: The file that is told where it came, a line for each time.
    """
    more = {name: value for name, value in fault.items() if name not in ("kind", "process")}
    if fault:
        KINDS[fault["kind"]](told, **more)


def _watch(below: str, told: Path, do: Callable[[int, str, Path], None], *, reading: bool, openings: bool) -> None:
    """Call ``do`` before each event below a folder, with its number, its name and the path.

    Args:
        below: The folder.
        told: Is told of each event.
        do: What happens then.
        reading: Watch files that are opened to be read, and nothing else.
        openings: Watch files that are opened to be written, beside what changes names.
    """
    handle = os.open(told, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    numbers, folder, busy, process = itertools.count(), Path(below), [False], os.getpid()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        free = not busy[0] and os.getpid() == process  # forks of this one have no fault
        path = _path_of(event, arguments, reading=reading, openings=openings) if free else None
        if path is None or not path.is_relative_to(folder) or "tensorboard" in path.parts:
            return
        busy[0] = True
        try:
            if event in ("os.remove", "os.rmdir", "os.mkdir") and path.exists() == (event == "os.mkdir"):
                return  # it changes nothing
            os.write(handle, f"{event} {path.relative_to(folder)}\n".encode("utf-8", "backslashreplace"))
            do(next(numbers), event, path)
        finally:
            busy[0] = False

    sys.addaudithook(hook)


def _path_of(event: str, arguments: tuple[Any, ...], *, reading: bool, openings: bool) -> Path | None:
    """The path of an event that is watched."""
    if event in _CHANGES and not reading:
        given = arguments[_CHANGES[event]]
    elif event == "open" and (reading or openings) and bool(arguments[2] & _WRITING) != reading:
        given = arguments[0]
    else:
        return None
    return None if isinstance(given, int) or given is None else Path.cwd() / os.fsdecode(given)


def _killed(told: Path, *, at: int | None, below: str) -> None:
    """SIGKILL before the change of this number below a folder; with None changes are told alone."""

    def kill(number: int, *_: object) -> None:
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(below, told, kill, reading=False, openings=False)


def _killed_after(told: Path, *, seconds: float) -> None:
    """A signal that nothing catches, after so much processor time: how busy the machine is does not matter."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _failing_disk(told: Path, *, error: str, at: int | None, below: str, lasting: bool = True) -> None:
    """An error of the disk at the change or opening of this number, and at all that follow."""

    def fail(number: int, event: str, path: Path) -> None:
        gives = event in ("os.remove", "os.rmdir") and error == "ENOSPC"  # a full disk lets files go
        if at is not None and not gives and (number == at or (lasting and number > at)):
            code = getattr(errno, error)
            raise OSError(code, os.strerror(code), str(path))

    _watch(below, told, fail, reading=False, openings=True)


def _vanishing(told: Path, *, at: int | None, below: str, whole: bool = False) -> None:
    """A file that is gone when it is opened to be read, or the whole folder of it."""

    def vanish(number: int, _: str, path: Path) -> None:
        if number == at:
            if whole:
                Path(below).rename(f"{below}.gone")
            else:
                path.unlink(missing_ok=True)

    _watch(below, told, vanish, reading=True, openings=False)


def _small_files(told: Path, *, bytes_: int) -> None:
    """No file can grow larger, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, resource.RLIM_INFINITY))


def _little_memory(told: Path, *, megabytes: int) -> None:
    """Addresses for so much more than the process has."""
    have = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (have + (megabytes << 20), resource.RLIM_INFINITY))


def _wrong_clock(told: Path, *, seed: int) -> None:
    """The time of day jumps, ten years at a time, to and fro."""
    real, draw = time.time, random.Random(seed)
    time.time = lambda: max(0.0, real() + draw.uniform(-1, 1) * 3e8)


KINDS: dict[str, Callable[..., None]] = {
    "kill": _killed,
    "kill after": _killed_after,
    "disk": _failing_disk,
    "vanish": _vanishing,
    "small files": _small_files,
    "memory": _little_memory,
    "clock": _wrong_clock,
}
