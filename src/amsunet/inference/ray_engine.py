"""Prediction by workers of Ray Data, on this machine or on a cluster.

Paths travel to the workers, and what came of the images travels back; images and masks do not. The process that started
them alone writes the record and the lists, so machines need no locks between them. A worker that dies is started again
and given its share of images once more; shares are small, and what is in the record is in no share. An image fails only
after it has ended a worker that did nothing else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsunet.atomic_io import printable
from amsunet.errors import InputError
from amsunet.inference.prediction_plan import Planner, PredictionPlan
from amsunet.inference.prediction_record import Prediction, stamp
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor
from amsunet.inference.ray_worker import Reply, Setup, Worker
from amsunet.optional import require
from amsunet.process_state import quiet, without_warnings
from amsunet.progress import report
from amsunet.ray_cluster import connected
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_LARGEST_SHARE = 32
"""Images that are done once more if a worker dies; large enough that handing them out costs nothing beside them."""
SHARE_PIXELS = 32 * 1024 * 1024
"""Of a share, and of an image that is a share by itself."""
_SHARES_A_WORKER = 4
"""At least, so that all workers end at about the same time."""
_NAMES_A_LINE = 1000


@dataclass(frozen=True)
class Work:
    """An image that is to be predicted."""

    place: str
    """Its path, or its address."""
    name: str
    """Of its mask."""
    pixels: int
    """How much work it is."""


@dataclass(frozen=True)
class RayEngine:
    """Has images predicted by workers of Ray, for ``predict`` and ``predict_files``.

    Args:
        address: Of a cluster, as ``head:6379``, or ``auto`` for the one that this machine is part of; without it,
            workers are started on this machine and end with the prediction.
        workers: How many; as many as there are processors, or GPUs, when left out.
        threads: Processors of each worker.
        record: The folder for the record and the lists, where masks go to a store.

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
    record: str | Path | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"{setting(name)} must be at least 1, not {value}")

    def __call__(self, planner: Planner, plan: PredictionPlan, results: Results) -> None:
        """Do what is planned.

        Raises:
            InputError: As ``run``.
        """
        images = [Work(str(one.image), one.name, one.pixels) for one in plan.images]
        slides = [Work(str(one.path), one.name, SHARE_PIXELS) for one in plan.large]
        self.run(Setup.of(planner), [*images, *slides], results, on_gpu=may_use_gpu(planner.predictor))

    def run(self, setup: Setup, works: Sequence[Work], results: Results, *, on_gpu: bool) -> None:
        """Have images predicted, and note what came of each.

        Args:
            setup: What workers need to know.
            works: The images.
            results: Where to note it.
            on_gpu: Whether workers use GPUs, where there are any.

        Raises:
            InputError: If no cluster answers, or a worker cannot do its work: a full disk, another network.
        """
        left = {printable(one.name): one for one in works}
        if not left:
            return
        require("ray.data")
        with connected(self.address, self.workers and self.workers * self.threads) as resources:
            gpus = resources.get("GPU", 0) if on_gpu else 0
            workers = self._count(resources, gpus)
            logger.info(f"{workers} worker{'s' * (workers > 1)} of Ray, {_describe(self, gpus)}")
            names = list(left)
            for start in range(0, len(names), _NAMES_A_LINE):
                results.begin(names[start : start + _NAMES_A_LINE])
            for one_pass in _passes(left, workers):
                for reply in self._replies(setup, one_pass, gpus / workers):
                    for prediction in reply.predictions:
                        if left.pop(prediction.name, None):
                            results.take(prediction)
                    results.outcome.sizes.update(reply.sizes)
                    report(len(names) - len(left), len(names), "image")
        for name, work in left.items():
            place, file = printable(work.place), stamp(Path(work.place))
            failure = (
                f"{place} ended each worker that opened it, most likely for want of memory: predict it with fewer "
                f"{setting('workers')}, or elsewhere"
            )
            results.take(Prediction(name=name, image=place, file=file, network=setup.network, failure=failure))

    def _count(self, resources: dict[str, float], gpus: float) -> int:
        processors = int(resources.get("CPU", 0))
        if self.threads > processors:
            raise InputError(f"{setting(threads=self.threads)} is more than the {processors} processors of the cluster")
        return self.workers or int(gpus) or processors // self.threads

    def _replies(self, setup: Setup, one_pass: _Pass, gpus: float) -> Iterator[Reply]:
        """Have shares done, and give what came of each as soon as it is known; nothing of one whose worker died."""
        data = require("ray.data")
        shares = one_pass.shares
        dataset = data.from_items([{"share": share} for share in shares], override_num_blocks=len(shares))
        dataset.context.enable_progress_bars = False
        dataset.context.print_on_execution_start = False
        dataset.context.max_errored_blocks = -1
        pool = data.ActorPoolStrategy(
            size=min(one_pass.workers, len(shares)), max_tasks_in_flight_per_actor=one_pass.in_flight
        )
        with without_warnings(of=__name__):  # that the last two are to go, after which a share is tried for ever
            done = dataset.map_batches(
                Worker,
                batch_size=1,
                batch_format="numpy",
                fn_constructor_args=(setup,),
                compute=pool,
                num_cpus=self.threads,
                num_gpus=min(1, gpus) if gpus else None,
                max_restarts=-1,
                max_task_retries=one_pass.retries,
            )
        with quiet("ray.data", level=logging.CRITICAL):
            for row in done.iter_rows():
                yield Reply.read(row["reply"])


@dataclass(frozen=True)
class _Pass:
    """Shares that are handed out together."""

    shares: list[str]
    workers: int
    in_flight: int | None = None
    """Shares that a worker holds; Ray's choice when left out."""
    retries: int = 1
    """Of a share whose worker died: by chance, where nothing else is known."""


def _passes(left: Mapping[str, Work], workers: int) -> Iterator[_Pass]:
    """Ever smaller passes over what is left, which whoever takes them removes from ``left`` as it is done.

    What a worker holds, and what is sent to it before its end is known, is lost with it. So the images of a lost share
    go by themselves, one in the hands of a worker, as long as that gets any done; the rest, one after the other, go to
    a worker that does nothing else and has the machine for itself.
    """
    yield _Pass(_shares([*left.values()], workers * _SHARES_A_WORKER), workers)
    before = 0
    while len(left) not in (0, 1, before):
        before = len(left)
        yield _Pass(_shares([*left.values()], alone=True), workers, in_flight=1, retries=0)  # some end each worker
    for work in [*left.values()]:
        yield _Pass(_shares([work], alone=True), workers=1, in_flight=1)


def _shares(works: Sequence[Work], count: int = 1, *, alone: bool = False) -> list[str]:
    """Part work into shares of neighbours, as JSON: a slide by itself, images so many that a share is soon done."""
    most = 1 if alone else max(1, min(_LARGEST_SHARE, len(works) // count))
    shares: list[list[tuple[str, str]]] = []
    pixels = 0
    for work in works:
        if not shares or len(shares[-1]) >= most or pixels + work.pixels > SHARE_PIXELS:
            shares.append([])
            pixels = 0
        pixels += work.pixels
        shares[-1].append((work.place, work.name))
    return [json.dumps(share) for share in shares]  # ASCII, whatever the names hold


def may_use_gpu(predictor: Predictor) -> bool:
    """Whether a predictor that workers open may compute on a GPU."""
    model, options, _ = predictor.opened
    return options.device != "cpu" and not options.exported and model.kind != "exported"


def _describe(engine: RayEngine, gpus: float) -> str:
    where = f"on the cluster at {engine.address}" if engine.address else "on this machine"
    threads = f"{engine.threads} thread{'s' * (engine.threads > 1)} each"
    return f"{where}, {threads}{', on GPUs' if gpus else ''}"
