"""Many images to many mask files: reading, networks and writing at the same time, with failures kept apart."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from amsunet.atomic_io import check_writable, remove_abandoned
from amsunet.data.image_file import memory_errors
from amsunet.data.image_header import MAXIMUM_PIXELS, NO_MEMORY
from amsunet.data.images import Array, read_image
from amsunet.data.slides import LARGE_PIXELS, SlideError
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.outcome import FAILURES, REVIEW_LIST, Outcome
from amsunet.inference.prediction_plan import ImageTask, Planner
from amsunet.inference.prediction_record import RECORD, FileStamp, PredictionRecord, checksum, stamp
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.prepared_image import Prepared
from amsunet.inference.segmentation import NO_NUMBERS, PendingSegmentation, describe_no_numbers
from amsunet.inference.slide import SlideTask
from amsunet.inference.uncertainty import ReviewItem
from amsunet.progress import report
from amsunet.regular_file import refuse_irregular
from amsunet.wording import setting

logger = logging.getLogger(__name__)

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


def predict(
    model: str | Path | ModelRef | Predictor,
    images: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overlay: bool = False,
    probability: bool = False,
    overwrite: bool = False,
    level: int = 0,
    resume: bool = False,
) -> Outcome:
    """Segment images into a folder of masks, as the command ``amsunet predict`` does.

    Args:
        model: What ``load`` takes, or what it gave: ``load(model, RuntimeOptions(tta="flips"))`` for other settings.
        images: A file, folder, pattern, list (.txt, one path a line) or ``sample:NAME``, or several of them.
        out: The folder for the masks, each of its image's name, in the convention of the training masks.
        overlay: Also write ``overlays/NAME.png``, the image with outlines.
        probability: Also write ``probabilities/NAME.png``, 16 bits for 0 ... 1; a file a class if more than two.
        overwrite: Replace masks that are there already, but never an image they are made from.
        level: Of slides that are pyramids, the level whose pixels are those of an image.
        resume: Go on with what was predicted into ``out``: masks that the same network made of the same image stay, and
            what has changed is made anew.

    Returns:
        What was written, what failed and why, and which masks should be reviewed.

    Raises:
        InputError: If the network or the images cannot be found, or a result would replace another file.

    Example:
        >>> import amsunet
        >>> outcome = amsunet.predict("zoo:nuclei", "sample:nuclei", out="masks", overlay=True)
        >>> outcome.written, outcome.failures
        (4, {})
    """
    several = [images] if isinstance(images, str | Path) else images
    jobs = find_inputs([str(one) for one in several], Path(out))
    predictor = model if isinstance(model, Predictor) else load(model)
    return predict_files(
        predictor,
        jobs,
        Path(out),
        overlay=overlay,
        probability=probability,
        overwrite=overwrite,
        level=level,
        resume=resume,
    )


def predict_files(
    predictor: Predictor,
    inputs: Sequence[InputImage],
    out: Path,
    *,
    overlay: bool = False,
    probability: bool = False,
    overwrite: bool = False,
    level: int = 0,
    resume: bool = False,
) -> Outcome:
    """Segment images and write their masks as PNG under ``out``, those of slides as tiled TIFF; a file that cannot be
    read is noted and passed over.

    Args:
        predictor: What segments them.
        inputs: The images, as ``find_inputs`` finds them.
        out: The folder for the masks.
        overlay: Also write ``overlays/NAME.png``, the image with outlines.
        probability: Also write ``probabilities/NAME.png``, 16 bits for 0 ... 1; a file a class if more than two.
        overwrite: Let masks take the place of files that are there already, but never of an image they are made from.
        level: Of slides that are pyramids, the level whose pixels are those of an image.
        resume: Go on with what was predicted into ``out``: masks that the same network made of the same image stay, and
            what has changed is made anew.

    Returns:
        How many masks were written, what failed and what is to be checked.

    Raises:
        InputError: If a result cannot be written, or would take the place of another file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder for the masks")
    for path in (out / name for name in (REVIEW_LIST, FAILURES, RECORD)):
        if path.is_dir():
            raise InputError(f"{path} is a folder, where a file is to be written: choose another {setting('out')}")
        if path.exists():
            refuse_irregular(path)
        check_writable(path)
    record = PredictionRecord(out)
    planner = Planner(predictor, record, overlay, probability, overwrite, level, resume)
    plan = planner.plan(inputs)
    _note_large(plan.images)
    for folder in {out, *plan.folders()}:
        remove_abandoned(folder)
    results = Results(record, predictor.checksum())
    start = time.perf_counter()
    try:
        for one, prediction in plan.made:
            results.pass_over(one, prediction)
        _predict_images(predictor, plan.images, results, total=len(plan.images) + len(plan.slides))
        _predict_slides(plan.slides, results)
    except (KeyboardInterrupt, SystemExit):
        logger.info(f"stopped; with {setting(resume=True)} the same command goes on with what is left")
        raise
    finally:  # masks that are written are listed, even if what follows them is stopped
        results.close(time.perf_counter() - start)
    return results.outcome


def _note_large(tasks: Sequence[ImageTask]) -> None:
    for task in tasks:
        if LARGE_PIXELS < task.pixels < MAXIMUM_PIXELS:
            logger.info(
                f"{task.image} is predicted whole, which takes more than 2 GB of memory; a TIFF in tiles, packed with "
                'Deflate or with what "amsunet[slides]" reads, is predicted in parts'
            )


def _predict_slides(tasks: Sequence[SlideTask], results: Results) -> None:
    for task in tasks:
        file = stamp(task.path)
        results.record.begin([task.name])
        try:
            with memory_errors(task.path):
                item = task.run()
            results.keep(task, item, file)
        except InputError as error:
            if not isinstance(error, SlideError) and error.code != NO_MEMORY:
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
                results.record.begin([read.task.name for read in batch])
                for read, pending in zip(batch, computed, strict=True):
                    writing.append((read.task, pool.submit(_write, results, read, pending)))
                outcome.sizes.update(read.prepared.size for read in batch)
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
            image = read_image(task.image)
            prepared = predictor.prepare(image, task.name)
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
            task.outputs.write(segmentation, read.image)
    except InputError as error:
        if error.code == NO_NUMBERS:
            return InputError(describe_no_numbers(task.image), code=NO_NUMBERS)
        if error.code == NO_MEMORY:
            return error
        raise
    reason = "; ".join(segmentation.review_reasons)
    item = ReviewItem(
        str(task.image), segmentation.uncertainty, reason, segmentation.out_of_distribution, segmentation.polarity
    )
    results.keep(task, item, read.stamp, read.checksum)
    return item
