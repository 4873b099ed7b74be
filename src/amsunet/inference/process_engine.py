"""The work of a prediction in this process: reading, networks and writing at a time, with failures kept apart."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from amsunet.data.image_file import memory_errors
from amsunet.data.image_header import NO_MEMORY
from amsunet.data.images import Array
from amsunet.data.slides import SlideError
from amsunet.errors import InputError
from amsunet.inference.image_scale import refuse_enlarged
from amsunet.inference.prediction_plan import ImageTask, Planner, PredictionPlan
from amsunet.inference.prediction_record import FileStamp, checksum, stamp
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor
from amsunet.inference.prepared_image import Prepared
from amsunet.inference.result_formats import NOT_WRITABLE
from amsunet.inference.segmentation import NO_NUMBERS, PendingSegmentation, describe_no_numbers
from amsunet.inference.slide import SlideTask
from amsunet.inference.uncertainty import ReviewItem
from amsunet.inference.volume import VolumeError, VolumeTask
from amsunet.progress import report

Engine = Callable[[Planner, PredictionPlan, Results], None]
"""Does what is planned: takes the planner, the plan, and where to note what came of it."""
_BATCH_PIXELS = 8 * 256 * 256
_LARGE_PIXELS = 4 * _BATCH_PIXELS
_IMAGES_AHEAD = 16
_PIXELS_AHEAD = 4096 * 4096
"""So much is read and prepared while a batch is in the network: two batches, but no large image beside another one."""


@dataclass(frozen=True)
class Read:
    """An image that was read, ready for the networks."""

    task: ImageTask
    prepared: Prepared
    image: Array | None
    """As read, where it is wanted again."""
    stamp: FileStamp | None
    """Of its file, before it was read."""
    checksum: str
    """Of its file; empty if that changed meanwhile."""


def predict_here(planner: Planner, plan: PredictionPlan, results: Results) -> None:
    """Do what is planned in this process: the engine that needs nothing else."""
    _predict_images(planner.predictor, plan.images, results, total=len(plan.images) + len(plan.large))
    _predict_large(plan.large, results)


def _predict_large(tasks: Sequence[SlideTask | VolumeTask], results: Results) -> None:
    for task in tasks:
        file = stamp(task.path)
        results.begin([task.name])
        try:
            with memory_errors(task.path):
                item = task.run()
            results.keep(task, item, file, checksum(task.path) if isinstance(task, VolumeTask) else "")
        except InputError as error:
            if not isinstance(error, SlideError | VolumeError) and error.code != NO_MEMORY:
                raise
            results.count(task, error)
        else:
            results.count(task, item)


def _predict_images(predictor: Predictor, tasks: Sequence[ImageTask], results: Results, *, total: int) -> None:
    """Predict images that memory holds whole; ``total`` counts slides too."""
    outcome = results.outcome
    writing: deque[tuple[ImageTask, Future[ReviewItem | InputError]]] = deque()

    def wait() -> None:
        task, future = writing[0]
        found = future.result()  # Ctrl-C may come here, and then it is asked for again
        writing.popleft()
        results.count(task, found)

    with ThreadPoolExecutor(2) as pool, closing(_read_ahead(pool, predictor, tasks)) as images:
        try:
            for batch in _batches(images, results):
                computed = _compute(predictor, batch)
                results.begin([read.task.name for read in batch])
                for read, pending in zip(batch, computed, strict=True):
                    writing.append((read.task, pool.submit(_write, results, read, pending)))
                by_size = [read.prepared for read in batch if not predictor.scales_by_spacing(read.prepared)]
                outcome.sizes.update(one.size for one in by_size)
                report(outcome.written + len(outcome.failures) + len(writing), total, "image")
                # What is left to do for this batch is done beside the next one, but not for a large image.
                at_once = math.prod(batch[0].prepared.size) <= _LARGE_PIXELS
                while len(writing) > at_once * len(batch):
                    wait()
        finally:  # what is computed is written, even after Ctrl-C
            while writing:
                wait()


def _read_ahead(
    pool: ThreadPoolExecutor, predictor: Predictor, tasks: Sequence[ImageTask]
) -> Generator[tuple[ImageTask, Read | InputError]]:
    """Read and prepare files in the background, some ahead of their use, in order."""
    waiting: deque[tuple[ImageTask, Future[Read | InputError]]] = deque()

    def take() -> tuple[ImageTask, Read | InputError]:
        task, future = waiting.popleft()
        return task, future.result()

    try:
        for task in tasks:
            while waiting and (
                len(waiting) >= _IMAGES_AHEAD or task.pixels + sum(one.pixels for one, _ in waiting) > _PIXELS_AHEAD
            ):
                yield take()
            waiting.append((task, pool.submit(_read, predictor, task)))
        while waiting:
            yield take()
    finally:  # of Ctrl-C: what nobody waits for is not read
        for _, future in waiting:
            future.cancel()


def _read(predictor: Predictor, task: ImageTask) -> Read | InputError:
    file = stamp(task.image)
    try:
        with memory_errors(task.image):
            image = predictor.read(task.image)
            spacing = predictor.spacing_of(task.image)
            refuse_enlarged(task.image, predictor.description.preprocessing, image.shape, spacing)
            prepared = predictor.prepare(image, task.name, spacing)
            foreign = predictor.with_origin(prepared.out_of_distribution, task.image)
            prepared = replace(prepared, out_of_distribution=foreign)
    except InputError as error:
        return error
    of_file = checksum(task.image) if file else ""
    of_file = of_file if stamp(task.image) == file else ""
    return Read(task, prepared, image if task.outputs.overlay else None, file, of_file)


def _batches(images: Iterator[tuple[ImageTask, Read | InputError]], results: Results) -> Iterator[list[Read]]:
    """Put images of one working size that follow each other together, as many as a batch holds."""
    batch: list[Read] = []
    size: tuple[int, ...] = ()
    for task, read in images:
        if isinstance(read, InputError):
            results.count(task, read)
            continue
        here = read.prepared.working_size
        if batch and (here != size or (len(batch) + 1) * math.prod(here) > _BATCH_PIXELS):
            yield batch
            batch = []
        size = here
        batch.append(read)
    if batch:
        yield batch


def _compute(predictor: Predictor, batch: Sequence[Read]) -> list[PendingSegmentation | InputError]:
    """Run the networks on a batch; without memory for all of it on one image at a time, or an error in its place."""
    try:
        with memory_errors(batch[0].task.image):
            return [*predictor.compute([read.prepared for read in batch])]
    except InputError as error:
        if error.code != NO_MEMORY:
            raise
        if len(batch) == 1:
            return [error]
    return [one for read in batch for one in _compute(predictor, [read])]


def _write(results: Results, read: Read, pending: PendingSegmentation | InputError) -> ReviewItem | InputError:
    """Write what belongs to one image, and return how sure its mask is; an error if the network gives no numbers, or
    memory does not suffice.
    """
    task = read.task
    if isinstance(pending, InputError):
        return pending
    try:
        with memory_errors(task.image):
            segmentation = pending.finish()
            task.outputs.write(segmentation, read.image, task.image)
    except InputError as error:
        if error.code == NO_NUMBERS:
            return InputError(describe_no_numbers(task.image), code=NO_NUMBERS)
        if error.code in (NO_MEMORY, NOT_WRITABLE):
            return error
        raise
    reason = "; ".join(segmentation.review_reasons)
    item = ReviewItem(
        str(task.image), segmentation.uncertainty, reason, segmentation.out_of_distribution, segmentation.polarity
    )
    results.keep(task, item, read.stamp, read.checksum)
    return item
