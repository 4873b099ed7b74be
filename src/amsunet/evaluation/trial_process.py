"""The process of a trial on this machine, and who has it at work on another machine. This module imports little: what
waits for a training takes no memory beside it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

from amsunet.wording import Place, spelled, spelled_for

LOST = 1
"""As the exit code of a trial whose machine is gone."""


def log_of(out: Path, trial: str) -> Path:
    """What a trial of a study said."""
    return out / "cells" / f"{trial}.log"


class TrialProcess(subprocess.Popen[bytes]):
    """The process of a trial on this machine."""

    reason = ""

    @classmethod
    def start(cls, out: Path, trial: str, threads: int) -> TrialProcess:
        """Start it; what it says goes to ``cells/NAME.log``."""
        log = log_of(out, trial)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            return cls(
                [sys.executable, "-P", "-m", "amsunet.evaluation.trial", str(out), trial, spelled()],
                stdin=subprocess.PIPE,  # the trial sees by its end that this process is gone
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C reaches it through its input, once
            )

    def stop(self) -> None:
        """Press its Ctrl-C, as the end of its input."""
        assert self.stdin is not None
        self.stdin.close()


class TrialHost:
    """On a machine of the cluster: starts the process of a trial, and is at its other end; an actor of Ray.

    Args:
        study: The file that makes the folder of a study one.
        trial: The name of the trial.
        threads: For it.
        place: What messages are worded for.
    """

    def __init__(self, study: Path, trial: str, threads: int, place: Place) -> None:
        self._study, self._trial, self._threads = study, trial, threads
        self._place = place
        self._process: TrialProcess | None = None
        self._is_stopped = False

    def run(self) -> tuple[int, str]:
        """Have the trial done.

        Returns:
            Its exit code, and why there is none of its own.
        """
        out = self._study.parent
        with spelled_for(self._place):
            if not self._study.exists():
                return LOST, f"{out} is not found on {platform.node()}: all machines must see the same folders"
            self._process = TrialProcess.start(out, self._trial, self._threads)
            if self._is_stopped:
                self._process.stop()
            return self._process.wait(), ""

    def stop(self) -> None:
        """Press its Ctrl-C; another thread waits for its end."""
        self._is_stopped = True
        if self._process is not None:
            self._process.stop()
