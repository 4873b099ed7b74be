"""The trials of a study, each in a process of its own, as many at a time as there is room for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from amsunet.errors import reason_of_end
from amsunet.evaluation.score_table import number
from amsunet.evaluation.study import Study, Trial
from amsunet.evaluation.trial_process import TrialProcess, log_of
from amsunet.evaluation.trial_scores import score_of
from amsunet.wording import setting

logger = logging.getLogger(__name__)


class Running(Protocol):
    """A trial that was started."""

    returncode: int | None
    """Once ``poll`` or ``wait`` gave one."""
    reason: str
    """Why it failed, where its log does not say so."""

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""

    def wait(self) -> int:
        """Its exit code, once it has ended."""

    def stop(self) -> None:
        """Press its Ctrl-C."""


Start = Callable[[Path, Trial, int], Running]
"""Starts a trial: takes the folder of the study, the trial, and its threads."""


def run_trials(
    out: Path, study: Study, waiting: list[Trial], jobs: int, start_trial: Start | None = None
) -> dict[str, str]:
    """Run the trials that are not done.

    Args:
        out: The study's folder.
        study: What they are of.
        waiting: The trials.
        jobs: How many at a time.
        start_trial: Starts one; a process on this machine when left out.

    Returns:
        What was wrong, by the name of the trial.
    """
    trials, total, done, start = len(study.trials()), len(waiting), 0, time.monotonic()
    minutes = study.minutes
    time_needed = f": about {total * minutes / jobs:.0f} minutes and the evaluation" if minutes and total else ""
    logger.info(
        f"{trials} trainings, {trials - total} done already, {jobs} at a time, each of {study.equal}{time_needed}"
    )
    running: list[tuple[Trial, Running]] = []
    failures: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                trial = waiting.pop(0)
                running.append((trial, (start_trial or _start)(out, trial, study.threads)))
            time.sleep(0.2)
            ended = [(trial, process) for trial, process in running if process.poll() is not None]
            running = [(trial, process) for trial, process in running if process.returncode is None]
            for trial, process in ended:
                done += 1
                elapsed = time.monotonic() - start
                left = f"{done} of {total}, about {elapsed / done * (total - done) / 60:.0f} minutes left"
                if process.returncode == 0:
                    logger.info(f"{trial.name}: Dice {number(score_of(out, trial))}   {left}")
                else:
                    failures[trial.name] = _reason(out, trial, process)
                    logger.info(f"{trial.name}: failed, {failures[trial.name]}   {left}")
    except KeyboardInterrupt:
        logger.info("stopping; the same command goes on from here")
        raise
    finally:
        for _, process in running:
            process.stop()
        for _, process in running:
            process.wait()
    return failures


def _start(out: Path, trial: Trial, threads: int) -> TrialProcess:
    """What starts a trial on this machine."""
    return TrialProcess.start(out, trial.name, threads)


def _reason(out: Path, trial: Trial, process: Running) -> str:
    if process.reason:
        return process.reason
    assert process.returncode is not None
    log = log_of(out, trial.name).read_text(encoding="utf-8", errors="replace")
    return reason_of_end(process.returncode, log, f"fewer {setting('jobs')} or a smaller {setting('batch_size')}")
