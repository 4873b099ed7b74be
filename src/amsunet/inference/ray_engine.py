"""Prediction by workers of Ray Data, on this machine or on a cluster.

Paths travel to the workers, and what came of the images travels back; images and masks do not. The process that started
them alone writes the record and the lists, so machines need no locks between them. A worker that dies is started again
and given its share of images once more; shares are small, and what is in the record is in no share.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsunet.atomic_io import printable
from amsunet.errors import InputError, first_line
from amsunet.inference.prediction_plan import ImageTask, Planner, PredictionPlan
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor
from amsunet.inference.ray_worker import Reply, Setup, Worker
from amsunet.inference.slide import SlideTask
from amsunet.optional import require
from amsunet.process_state import quiet, without_warnings
from amsunet.progress import report
from amsunet.wording import setting

logger = logging.getLogger(__name__)

Task = ImageTask | SlideTask
_LARGEST_SHARE = 32
"""Images that are done once more if a worker dies; large enough that handing them out costs nothing beside them."""
_SHARE_PIXELS = 32 * 1024 * 1024
_SHARES_A_WORKER = 4
"""At least, so that all workers end at about the same time."""
_NAMES_A_LINE = 1000
_STORE_BYTES = 256 << 20
"""Of memory that Ray sets aside for what travels."""
_ENVIRONMENT = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what matters is raised too
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to Ray's maker
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # and no warning about how GPUs will be hidden in another version
}


@dataclass(frozen=True)
class RayEngine:
    """Has images predicted by workers of Ray, for ``predict`` and ``predict_files``.

    Args:
        address: Of a cluster, as ``head:6379``, or ``auto`` for the one that this machine is part of; without it,
            workers are started on this machine and end with the prediction.
        workers: How many; as many as there are processors, or GPUs, when left out.
        threads: Processors of each worker.

    Raises:
        InputError: For numbers below one.

    Example:
        >>> from amsunet.inference.ray_engine import RayEngine
        >>> RayEngine(workers=4, threads=2).workers
        4
    """

    address: str | None = None
    workers: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{setting(name)} must be at least 1, not {value}")

    def __call__(self, planner: Planner, plan: PredictionPlan, results: Results) -> None:
        """Do what is planned.

        Raises:
            InputError: If no cluster answers, or a worker cannot do its work: a full disk, another network.
        """
        everything: list[Task] = [*plan.images, *plan.slides]
        tasks = {printable(one.name): one for one in everything}
        if not tasks:
            return
        setup = Setup.of(planner)
        with _connected(self) as resources:
            gpus = resources.get("GPU", 0) if _may_use_gpu(planner.predictor) else 0
            workers = self._count(resources, gpus)
            logger.info(f"{workers} workers of Ray, {_describe(self, gpus)}")
            names = list(tasks)
            for start in range(0, len(names), _NAMES_A_LINE):
                results.begin(names[start : start + _NAMES_A_LINE])
            left = dict(tasks)
            for alone in (False, True):  # what was in a share whose worker died twice goes by itself
                shares = _shares(list(left.values()), 1 if alone else workers * _SHARES_A_WORKER, alone=alone)
                for reply in self._replies(setup, shares, workers, gpus):
                    for prediction in reply.predictions:
                        if left.pop(prediction.name, None):
                            results.take(prediction)
                    results.outcome.sizes.update(reply.sizes)
                    report(len(tasks) - len(left), len(tasks), "image")
                if not left:
                    return
        for task in left.values():
            results.count(
                task,
                InputError(
                    f"{_path_of(task)} ended each worker that opened it, most likely for want of memory: predict it "
                    f"with fewer {setting('workers')}, or elsewhere"
                ),
            )

    def _count(self, resources: dict[str, float], gpus: float) -> int:
        processors = int(resources.get("CPU", 0))
        if self.threads > processors:
            raise InputError(f"{setting(threads=self.threads)} is more than the {processors} processors of the cluster")
        return self.workers or int(gpus) or processors // self.threads

    def _replies(self, setup: Setup, shares: list[str], workers: int, gpus: float) -> Iterator[Reply]:
        """Have shares done, and give what came of each as soon as it is known; nothing of one whose worker died."""
        data = require("ray.data")
        dataset = data.from_items([{"share": share} for share in shares], override_num_blocks=len(shares))
        dataset.context.enable_progress_bars = False
        dataset.context.print_on_execution_start = False
        dataset.context.max_errored_blocks = -1
        with without_warnings(of=__name__):  # that the last two are to go, after which a share is tried for ever
            done = dataset.map_batches(
                Worker,
                batch_size=1,
                batch_format="numpy",
                fn_constructor_args=(setup,),
                compute=data.ActorPoolStrategy(size=min(workers, len(shares))),
                num_cpus=self.threads,
                num_gpus=min(1, gpus / workers) if gpus else None,
                max_restarts=-1,
                max_task_retries=1,
            )
        with quiet("ray.data", level=logging.CRITICAL):
            for row in done.iter_rows():
                yield Reply.read(row["reply"])


def _shares(tasks: Sequence[Task], count: int, *, alone: bool) -> list[str]:
    """Part tasks into shares of neighbours, as JSON: a slide by itself, images so many that a share is soon done."""
    most = 1 if alone else max(1, min(_LARGEST_SHARE, len(tasks) // count))
    shares: list[list[tuple[str, str]]] = []
    pixels = 0
    for task in tasks:
        here = _SHARE_PIXELS if isinstance(task, SlideTask) else task.pixels
        if not shares or len(shares[-1]) >= most or pixels + here > _SHARE_PIXELS:
            shares.append([])
            pixels = 0
        pixels += here
        shares[-1].append((str(_path_of(task)), task.name))
    return [json.dumps(share) for share in shares]  # ASCII, whatever the names hold


def _path_of(task: Task) -> Path:
    return task.path if isinstance(task, SlideTask) else task.image


def _may_use_gpu(predictor: Predictor) -> bool:
    model, options, _ = predictor.opened
    return options.device != "cpu" and not options.exported and model.kind != "exported"


def _describe(engine: RayEngine, gpus: float) -> str:
    where = f"on the cluster at {engine.address}" if engine.address else "on this machine"
    threads = f"{engine.threads} thread{'s' * (engine.threads > 1)} each"
    return f"{where}, {threads}{', on GPUs' if gpus else ''}"


@contextmanager
def _connected(engine: RayEngine) -> Iterator[dict[str, float]]:
    """Be part of a cluster, or have one on this machine meanwhile; a host that is part of one already stays so.

    Yields:
        What the cluster has, by name.
    """
    ray = require("ray")
    require("ray.data")
    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        _start(ray, engine)
        if signal.getsignal(signal.SIGTERM) is not on_terminate:  # Ray's own leaves the lists as they are
            signal.signal(signal.SIGTERM, on_terminate)
        yield ray.cluster_resources()
    finally:
        ray.shutdown()
        for name in added:
            os.environ.pop(name, None)


def _start(ray: Any, engine: RayEngine) -> None:
    """Join the cluster of an address, or start workers here.

    Raises:
        InputError: If none answers, or Ray does not start.
    """
    quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if engine.address:
        try:
            ray.init(engine.address, **quietly)
        except (ConnectionError, ValueError) as error:
            raise InputError(
                f"no Ray cluster answers at {engine.address} ({first_line(error)}): check {setting('address')}"
            ) from None
        return
    processors = engine.workers * engine.threads if engine.workers else None
    for last in (False, False, True):  # on a busy machine Ray gives up waiting for itself, and its files are read now
        try:
            ray.init("local", num_cpus=processors, include_dashboard=False, object_store_memory=_STORE_BYTES, **quietly)
            return
        except Exception as error:  # of no kind of its own
            ray.shutdown()
            if last:
                raise InputError(
                    f"Ray does not start here ({first_line(error)}): close other programs, or leave "
                    f"{setting(engine='ray')} out"
                ) from error


# What follows runs in the workers.
