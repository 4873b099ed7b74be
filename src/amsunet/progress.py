"""How far long work has come: reported by whoever does it, shown by whoever wants to.

    from amsunet.progress import reported_to

    with reported_to(lambda done, total, unit, **figures: print(f"{done} of {total} {unit}s")):
        amsunet.train("sample:nuclei", {"minutes": 2})

It is no parameter, which would travel through ten functions, and no line of a log, which would fill it. It is a context
variable, so that two trainings in two threads do not mix up their bars.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Protocol, Self


class Show(Protocol):
    """What shows progress: a bar, a widget, a line now and then."""

    def __call__(self, done: int, total: int, unit: str, /, **figures: float) -> object:
        """Show it.

        Args:
            done: How many there are, counted from 1 on; when it reaches ``total`` the work is done.
            total: Of how many, which may change while the work goes on.
            unit: Of what, in the singular: ``image``, ``tile`` or ``step``.
            figures: What else is worth showing, as the loss of a step.
        """


_SHOWN: ContextVar[Show | None] = ContextVar("amsunet.progress", default=None)


@contextmanager
def reported_to(show: Show | None) -> Iterator[None]:
    """Meanwhile have progress shown, by nobody if ``show`` is None. What it raises ends the work."""
    before = _SHOWN.set(show)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def is_shown() -> bool:
    """Whether anybody wants it: what costs time to find out is left out otherwise."""
    return _SHOWN.get() is not None


def report(done: int, total: int, unit: str, **figures: float) -> None:
    """Tell how far the work has come; see ``Show``."""
    if (show := _SHOWN.get()) is not None:
        show(done, total, unit, **figures)


class Stopwatch:
    """Measures the seconds that a ``with`` block takes.

    Example:
        >>> with Stopwatch() as watch:
        ...     total = sum(range(10))
        >>> watch.seconds > 0
        True
    """

    seconds = 0.0

    def __enter__(self) -> Self:
        self._start = perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = perf_counter() - self._start
