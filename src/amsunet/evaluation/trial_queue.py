"""The trials of a study, each in a process of its own, as many at a time as there is room for."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

from amsunet.errors import reason_of_end
from amsunet.evaluation.score_table import number
from amsunet.evaluation.study import Study, Trial
from amsunet.evaluation.trial_scores import score_of
from amsunet.wording import setting, spelled

logger = logging.getLogger(__name__)


def run_trials(out: Path, study: Study, waiting: list[Trial], jobs: int) -> dict[str, str]:
    """Run the trials that are not done. Returns what was wrong, by the name of the trial."""
    trials, total, done, start = len(study.trials()), len(waiting), 0, time.monotonic()
    minutes = study.plan.get("minutes")
    time_needed = f": about {total * minutes / jobs:.0f} minutes and the evaluation" if minutes and total else ""
    logger.info(
        f"{trials} trainings, {trials - total} done already, {jobs} at a time, each of {study.equal}{time_needed}"
    )
    running: list[tuple[Trial, subprocess.Popen[bytes]]] = []
    failures: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                trial = waiting.pop(0)
                running.append((trial, _start(out, trial, study.threads)))
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
                    failures[trial.name] = _reason(out, trial, process.returncode)
                    logger.info(f"{trial.name}: failed, {failures[trial.name]}   {left}")
    except KeyboardInterrupt:
        logger.info("stopping; the same command goes on from here")
        raise
    finally:
        for _, process in running:
            assert process.stdin is not None
            process.stdin.close()
        for _, process in running:
            process.wait()
    return failures


def _start(out: Path, trial: Trial, threads: int) -> subprocess.Popen[bytes]:
    log = out / "cells" / f"{trial.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "amsunet.evaluation.trial", str(out), trial.name, spelled()],
            stdin=subprocess.PIPE,  # the trial sees by its end that this process is gone
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C reaches it through its input, once
        )


def _reason(out: Path, trial: Trial, code: int) -> str:
    log = (out / "cells" / f"{trial.name}.log").read_text(encoding="utf-8", errors="replace")
    return reason_of_end(code, log, f"fewer {setting('jobs')} or a smaller {setting('batch_size')}")
