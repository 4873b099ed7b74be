"""What the tests of ``make torture`` tried and what came of it, from all of them in one table and one file.

``REPEATS``, from 1 on, says how much is tried, ``SEED`` which of it; ``TORTURE_OUT`` names the file. Other tests that
try much tell it too: what they tried is written where they run with ``TORTURE_OUT``.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPEATS = max(1, int(os.environ.get("REPEATS", "3")))
SEED = int(os.environ.get("SEED", "0"))
_KEY = "tally"
_ENDS = ("passed", "failed", "error", "skipped")
_seen: list[dict[str, Any]] = []


def draws(*key: int | str) -> np.random.Generator:
    """Random numbers that belong to a name, a number and ``SEED``."""
    return np.random.default_rng([SEED, *(ord(one) for part in key for one in str(part))])


def spread(count: int, most: int, *key: int | str) -> list[int]:
    """Numbers below ``count``, at most so many: all of them, or some at even distances, where a name has them begin."""
    most, first = min(count, most), int(draws("spread", *key).integers(count))
    return sorted({(first + number * count // most) % count for number in range(most)})


@pytest.fixture
def tally(record_property) -> Callable[..., None]:
    """Note figures under a question and a subject; those of several tests are added up, and of ``largest_*`` the
    largest is kept.
    """

    def note(question: str, subject: str, **figures: float) -> None:
        record_property(_KEY, {"question": question, "subject": subject, "figures": figures})

    return note


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":  # with what fixtures noted, and once
        _seen.extend(value for key, value in report.user_properties if key == _KEY)


def summed(notes: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Figures by question and subject."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for note in notes:
        of = found.setdefault(note["question"], {}).setdefault(note["subject"], {})
        for name, value in note["figures"].items():
            join = max if name.startswith("largest") else sum
            of[name] = join((of.get(name, 0), value))
    return {question: dict(sorted(subjects.items())) for question, subjects in sorted(found.items())}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _seen:
        return
    found = summed(_seen)
    terminalreporter.section("torture")
    for question, subjects in found.items():
        for subject, figures in subjects.items():
            terminalreporter.write_line(f"{question}, {subject}: {', '.join(f'{v:g} {n}' for n, v in figures.items())}")
    if out := os.environ.get("TORTURE_OUT"):
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        header = _header(terminalreporter.config, {name: len(terminalreporter.stats.get(name, ())) for name in _ENDS})
        Path(out).write_text(json.dumps(header | found, indent=1) + "\n", encoding="utf-8")


def _header(config: pytest.Config, tests: dict[str, int]) -> dict[str, Any]:
    """What ran, and where."""
    import amsunet

    given = " ".join(word for word in config.invocation_params.args if not word.startswith(("-p", "--basetemp")))
    return {
        "command": f"REPEATS={REPEATS} SEED={SEED} python -m pytest {given}",
        "tests": tests,
        "seeds": f"SEED {SEED} with the name of what is tried and its number",
        "version": amsunet.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
    }
