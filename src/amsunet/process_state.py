"""State of the whole process that is changed for a while: every change is taken back.

amsunet is a guest in the process of whoever imports it. Some of what it needs belongs to the whole process: the level
of another library's logger, a limit of Pillow's, the state of torch's random numbers.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Borrowed(Generic[Value]):
    """A setting that has another value while anybody needs it, in however many threads.

    Args:
        read: Reads its value.
        change: Sets it.
        meanwhile: What it is to be.
    """

    def __init__(self, read: Callable[[], Value], change: Callable[[Value], object], meanwhile: Value) -> None:
        self._read, self._change, self._meanwhile = read, change, meanwhile
        self._lock = threading.Lock()
        self._users = 0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:  # the first one in changes it, the last one out changes it back
            if not self._users:
                self._before = self._read()
                self._change(self._meanwhile)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._change(self._before)


_QUIET: dict[str, Borrowed[int]] = {}


@contextmanager
def quiet(*names: str, level: int = logging.ERROR) -> Iterator[None]:
    """Meanwhile let loggers of other libraries log this level or worse and nothing else."""
    with ExitStack() as stack:
        for name in names:
            logger = logging.getLogger(name)
            known = _QUIET.setdefault(name, Borrowed(lambda logger=logger: logger.level, logger.setLevel, level))  # type: ignore[misc]
            stack.enter_context(known())
        yield


@contextmanager
def without_warnings(of: str) -> Iterator[None]:
    """Meanwhile ignore Python's warnings from modules whose names match."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=of)
        yield


@contextmanager
def quiet_threads(of: str) -> Iterator[None]:
    """Meanwhile print nothing of errors that end threads of a library: for one that raises them again for its caller.

    Args:
        of: The package whose threads they are.
    """
    before = threading.excepthook

    def report(ended: threading.ExceptHookArgs) -> None:
        if type(ended.thread).__module__.partition(".")[0] != of:
            before(ended)

    threading.excepthook = report
    try:
        yield
    finally:
        threading.excepthook = before


TERMINATED = 143
"""The exit code of a process that SIGTERM ended: 128 and the signal's number."""


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Meanwhile let SIGTERM raise ``SystemExit(TERMINATED)``, so that what is open is closed as after Ctrl-C."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the second one ends it at once
        raise SystemExit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread: whoever runs us handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Give torch's random numbers back as they were: those of the processor, and of the GPU if it is at work.

    Also a decorator.
    """
    import torch  # noqa: PLC0415 - not there in a small installation

    with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_initialized() else []):  # type: ignore[no-untyped-call]
        yield


@contextmanager
def determinism_kept() -> Iterator[None]:
    """Give torch's switches for bit-exact work back as they were, which Lightning's Trainer turns and leaves.

    Also a decorator.
    """
    import torch  # noqa: PLC0415 - not there in a small installation

    name = "CUBLAS_WORKSPACE_CONFIG"
    cudnn = torch.backends.cudnn
    wanted = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, deterministic, workspace = cudnn.benchmark, cudnn.deterministic, os.environ.get(name)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(wanted[0], warn_only=wanted[1])
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
        if workspace is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = workspace


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Meanwhile let torch compute with so many threads.

    Args:
        count: Of a CPU.
    """
    import torch  # noqa: PLC0415 - not there in a small installation

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
