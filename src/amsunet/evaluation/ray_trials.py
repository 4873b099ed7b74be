"""The trials of a study on the machines of a Ray cluster: each is an actor of its own, which has the process of a trial
at work on its machine and tells how that ended. Files do not travel: all machines see the folder of the study.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsunet.errors import InputError, first_line
from amsunet.evaluation.study import Study, Trial, study_file
from amsunet.evaluation.trial_process import LOST, TrialHost
from amsunet.evaluation.trial_queue import Start
from amsunet.optional import require
from amsunet.ray_cluster import connected
from amsunet.wording import setting, spelled

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayTrials:
    """Has the trials of ``compare`` run by Ray.

    Args:
        address: Of a cluster, as ``head:6379``, or ``auto`` for the one that this machine is part of; without it, they
            run on this machine.

    Example:
        >>> from amsunet.evaluation.ray_trials import RayTrials
        >>> RayTrials(address="auto").address
        'auto'
    """

    address: str | None = None

    @contextmanager
    def started(self, study: Study, jobs: int | None) -> Iterator[tuple[Start, int]]:
        """Be part of the cluster meanwhile.

        Args:
            study: What the trials are of.
            jobs: Trials at a time; as many as the cluster has processors, or GPUs, for when left out.

        Yields:
            What starts a trial, and how many there are to be at a time.

        Raises:
            InputError: If no cluster answers, or none of its machines can run a trial.
        """
        processors = (jobs or 1) * study.threads
        with connected(self.address, None if self.address else processors) as resources:
            ray = require("ray")
            gpus = 1 if study.device == "cuda" else 0
            largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
            if study.threads > largest:
                raise InputError(
                    f"a training of {study.threads} threads fits on no machine of the cluster: the largest has "
                    f"{largest:g} processors; set OMP_NUM_THREADS to fewer"
                )
            if gpus and not resources.get("GPU"):
                raise InputError(f"no machine of the cluster has a GPU: set {setting(device='cpu')}, or add one to it")
            room = resources.get("GPU", 0) if gpus else resources.get("CPU", 0) // study.threads
            actor = ray.remote(num_cpus=study.threads, num_gpus=gpus, max_restarts=0, max_concurrency=2)(TrialHost)
            logger.info(f"trainings are handed out to workers of Ray, {self._where}")
            yield lambda out, trial, threads: _RayTrial(actor, out, trial, threads), jobs or max(1, int(room))

    @property
    def _where(self) -> str:
        return f"on the cluster at {self.address}" if self.address else "on this machine"


class _RayTrial:
    """A trial elsewhere, as the queue knows processes."""

    def __init__(self, actor: Any, out: Path, trial: Trial, threads: int) -> None:
        self._ray = require("ray")
        self._host = actor.remote(study_file(out), trial.name, threads, spelled())
        self._end = self._host.run.remote()
        self.returncode: int | None = None
        self.reason = ""

    def poll(self) -> int | None:
        """The exit code, if there is one by now."""
        ready, _ = self._ray.wait([self._end], timeout=0)
        return self.wait() if ready else None

    def wait(self) -> int:
        """The exit code, once there is one."""
        if self.returncode is None:
            try:
                self.returncode, self.reason = self._ray.get(self._end)
            except self._ray.exceptions.RayError as error:
                self.returncode = LOST
                self.reason = f"the worker that it ran in was lost ({first_line(error)}): the same command goes on"
        return self.returncode

    def stop(self) -> None:
        """Let the trial save what it has reached, and end; ``wait`` waits for that."""
        self._host.stop.remote()
