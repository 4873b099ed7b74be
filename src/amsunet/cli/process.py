"""What the command line sets for its process, and the library leaves to its host."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from amsunet.console import shown
from amsunet.memory import keep_freed_memory, require_addresses
from amsunet.process_state import without_warnings
from amsunet.wording import spelled_for

_ENVIRONMENT = {
    # Before torch is loaded: threads that wait for each other sleep in place of spinning. Alone on the machine that
    # costs a twentieth of a training step; beside two other busy programs on two cores it takes 3 seconds in place of
    # 28.
    "OMP_WAIT_POLICY": "PASSIVE",
}


@contextmanager
def process_prepared() -> Iterator[None]:
    """Set the process up for one command; what can be taken back is taken back after it."""
    with ExitStack() as settings:
        for name, value in _ENVIRONMENT.items():
            if name not in os.environ:
                os.environ[name] = value
                settings.callback(os.environ.pop, name, None)
        require_addresses()
        keep_freed_memory()
        settings.enter_context(spelled_for("shell"))
        settings.enter_context(shown())
        settings.enter_context(without_warnings("PIL"))  # of damaged tags beside pixels that are read
        yield


@contextmanager
def importing() -> Iterator[None]:
    """Look for no garbage while much is imported, which takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def end_quickly() -> None:
    """Look for no garbage when this process ends, either: in all that a training imports that takes a second."""
    atexit.register(gc.freeze)
