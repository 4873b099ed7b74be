"""What a process of amsunet's own shows: the lines that are logged, and how far its work has come.

The command line is one, and each training of a study is. A library is quiet: it logs, and leaves it to its host who
sees that.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amsunet.progress import reported_to
from amsunet.safe_text import one_line, safe_lines

_BETWEEN_LINES = {"step": 30.0}
"""Seconds, where there is no terminal; an epoch has a line of its own."""
_BETWEEN_OTHERS = 15.0


class Console(logging.Handler):
    """Prints lines to standard output. On a terminal it draws bars, and where there is none a line now and then, so
    that a log or a pipe shows that it goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bars: dict[str, Any] = {}
        self._shown_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        # An f-string is one line, whatever names it holds; what has lines of its own is handed over as an argument.
        text = safe_lines(record.getMessage()) if record.args else one_line(record.getMessage())
        line = f"{'warning: ' if record.levelno >= logging.WARNING else ''}{text}"
        self._shown_at = dict.fromkeys(self._shown_at, time.monotonic())
        if not self._bars:
            print(line, file=sys.stdout, flush=True)
            return
        from tqdm import tqdm  # noqa: PLC0415

        tqdm.write(line, file=sys.stdout)  # above the bars
        sys.stdout.flush()

    def show(self, done: int, total: int, unit: str, /, **figures: float) -> None:
        """Show progress; see ``progress.Show``."""
        if sys.stderr.isatty():
            self._draw(done, total, unit, figures)
            return
        now = time.monotonic()
        if done <= 1:
            self._shown_at[unit] = now  # something else begins
        if now - self._shown_at.setdefault(unit, now) >= _BETWEEN_LINES.get(unit, _BETWEEN_OTHERS) and done != total:
            self._shown_at[unit] = now
            print(f"{done} of {total} {unit}s", file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, unit: str, figures: dict[str, float]) -> None:
        bar = self._bars.get(unit)
        if bar is None:
            if done >= total:
                return
            from tqdm import tqdm  # noqa: PLC0415

            # What was done before, in a training that is resumed, took no time now; the bar of a training stays.
            before = done if done > 1 else 0
            bar = self._bars[unit] = tqdm(total=total, unit=unit, initial=before, leave=unit == "step")
        bar.total = total
        if figures:
            bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()}, refresh=False)
        bar.update(done - bar.n)
        if done >= total:
            self._bars.pop(unit).close()

    def close(self) -> None:
        """Take away bars of work that did not come to its end."""
        while self._bars:
            self._bars.popitem()[1].close()
        super().close()


def echo(text: str, *, err: bool = False, lines: bool = False) -> None:
    """Print text that may hold names from elsewhere, so that they cannot steer a terminal.

    Args:
        text: One line; line breaks in it are of a name, and are written as such.
        err: Print to standard error.
        lines: The text has lines of its own, as a table.
    """
    print(safe_lines(text) if lines else one_line(text), file=sys.stderr if err else sys.stdout, flush=True)


@contextmanager
def shown() -> Iterator[None]:
    """Meanwhile print what ``amsunet`` logs and show its progress."""
    logger, console = logging.getLogger("amsunet"), Console()
    before = logger.level
    logger.addHandler(console)
    logger.setLevel(logging.INFO)
    try:
        with reported_to(console.show):
            yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(console)
        console.close()
