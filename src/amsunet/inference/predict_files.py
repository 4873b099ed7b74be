"""Many images to many mask files: reading, networks and writing at the same time, with failures kept apart."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amsunet.atomic_io import check_writable
from amsunet.data.image_file import count_pixels
from amsunet.data.image_header import MAXIMUM_PIXELS
from amsunet.data.images import Array, read_image
from amsunet.data.slides import LARGE_PIXELS, SlideError, is_slide
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.outcome import REVIEW_LIST, Outcome, write_lists
from amsunet.inference.outputs import Outputs
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.prepared_image import Prepared
from amsunet.inference.segmentation import PendingSegmentation
from amsunet.inference.slide import SlideTask
from amsunet.inference.uncertainty import ReviewItem
from amsunet.progress import report
from amsunet.wording import setting

logger = logging.getLogger(__name__)

_BATCH_PIXELS = 8 * 256 * 256
_LARGE_PIXELS = 4 * _BATCH_PIXELS
_IMAGES_AHEAD = 16
_PIXELS_AHEAD = 4096 * 4096
"""So much is read and prepared while a batch is in the network: two batches, but no large image beside another one."""


@dataclass(frozen=True)
class ImageTask:
    """An image that memory holds whole, and what is known of it before it is read."""

    image: Path
    name: str
    pixels: int
    outputs: Outputs


@dataclass(frozen=True)
class Read:
    """An image that was read, ready for the networks."""

    task: ImageTask
    prepared: Prepared
    image: Array | None
    """As read, where it is wanted again."""


def predict(
    model: str | Path | ModelRef | Predictor,
    images: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    overlay: bool = False,
    probability: bool = False,
    overwrite: bool = False,
    level: int = 0,
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
        predictor, jobs, Path(out), overlay=overlay, probability=probability, overwrite=overwrite, level=level
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

    Returns:
        How many masks were written, what failed and what is to be checked.

    Raises:
        InputError: If a result cannot be written, or would take the place of another file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder for the masks")
    check_writable(out / REVIEW_LIST)
    slides = [SlideTask(predictor, one.image, out, one.name, level=level, overwrite=overwrite)
              for one in inputs if is_slide(one.image)]  # fmt: skip
    if slides and (overlay or probability):
        raise InputError(
            f"{slides[0].path} is too large for {setting('overlay')} and {setting('probability')}: leave them out"
        )
    if level and not slides:
        raise InputError(f"{setting('level')} is for pyramids, and none of the images is one: leave it out")
    of_slides = {task.path for task in slides}
    name_outputs = partial(
        Outputs.of, out, convention=predictor.description.convention, overlay=overlay, probability=probability
    )
    images = [ImageTask(one.image, one.name, count_pixels(one.image), name_outputs(one.name))
              for one in inputs if one.image not in of_slides]  # fmt: skip
    _note_large(images)
    _refuse_to_replace(images, overwrite=overwrite)
    for task in slides:
        with suppress(SlideError):  # noted when its turn comes
            task.check()
    outcome = Outcome()
    start = time.perf_counter()
    try:
        _predict_images(predictor, images, outcome, total=len(inputs))
        _predict_slides(slides, outcome)
    finally:  # masks that are written are listed, even if what follows them is stopped
        outcome.seconds = time.perf_counter() - start
        write_lists(outcome, inputs, out)
    return outcome


def _note_large(tasks: Sequence[ImageTask]) -> None:
    for task in tasks:
        if LARGE_PIXELS < task.pixels < MAXIMUM_PIXELS:
            logger.info(
                f"{task.image} is predicted whole, which takes more than 2 GB of memory; a TIFF in tiles, packed with "
                'Deflate or with what "amsunet[slides]" reads, is predicted in parts'
            )


def _predict_slides(tasks: Sequence[SlideTask], outcome: Outcome) -> None:
    for task in tasks:
        try:
            item = task.run()
        except SlideError as error:
            outcome.failures[str(task.path)] = str(error)
            continue
        outcome.written += 1
        outcome.review += [item] if item else []


def _refuse_to_replace(tasks: Sequence[ImageTask], *, overwrite: bool) -> None:
    """Raise InputError if a result would take the place of another file, of an image that is to be segmented, or of a
    result for another image.
    """
    images = {task.image.resolve() for task in tasks}
    results: dict[Path, ImageTask] = {}
    for task in tasks:
        for target in task.outputs:
            if target.resolve() in images:
                raise InputError(
                    f"the mask of {task.image} would take the place of {target}: choose another {setting('out')}"
                )
            if not overwrite and target.exists():
                raise InputError(
                    f"{target} is there already: choose another {setting('out')}, or set {setting(overwrite=True)}"
                )
            if target in results:
                raise InputError(
                    f"what is made of {results[target].image} and of {task.image} would both be {target}: predict them "
                    "into different folders"
                )
            results[target] = task


def _predict_images(predictor: Predictor, tasks: Sequence[ImageTask], outcome: Outcome, *, total: int) -> None:
    """Predict images that memory holds whole; ``total`` counts slides too."""
    with ThreadPoolExecutor(2) as pool:
        writing: deque[Future[ReviewItem | None]] = deque()

        def wait() -> None:
            if item := writing.popleft().result():
                outcome.review.append(item)

        for batch in _batches(_read_ahead(pool, predictor, tasks), outcome):
            for read, pending in zip(batch, predictor.compute([read.prepared for read in batch]), strict=True):
                writing.append(pool.submit(_write, read.task, pending, read.image))
            # What is left to do for this batch is done beside the next one, but not for a large image.
            at_once = math.prod(batch[0].prepared.size) <= _LARGE_PIXELS
            while len(writing) > at_once * len(batch):
                wait()
            outcome.written += len(batch)
            outcome.sizes.update(read.prepared.size for read in batch)
            report(outcome.written + len(outcome.failures), total, "image")
        while writing:
            wait()


def _read_ahead(
    pool: ThreadPoolExecutor, predictor: Predictor, tasks: Sequence[ImageTask]
) -> Iterator[tuple[ImageTask, Read | InputError]]:
    """Read and prepare files in the background, some ahead of their use, in order."""
    waiting: deque[tuple[ImageTask, Future[Read | InputError]]] = deque()

    def take() -> tuple[ImageTask, Read | InputError]:
        task, future = waiting.popleft()
        return task, future.result()

    for task in tasks:
        while waiting and (
            len(waiting) >= _IMAGES_AHEAD or task.pixels + sum(one.pixels for one, _ in waiting) > _PIXELS_AHEAD
        ):
            yield take()
        waiting.append((task, pool.submit(_read, predictor, task)))
    while waiting:
        yield take()


def _read(predictor: Predictor, task: ImageTask) -> Read | InputError:
    try:
        image = read_image(task.image)
    except InputError as error:
        return error
    return Read(task, predictor.prepare(image, task.name), image if task.outputs.overlay else None)


def _batches(images: Iterator[tuple[ImageTask, Read | InputError]], outcome: Outcome) -> Iterator[list[Read]]:
    """Put images of one working size that follow each other together, as many as a batch holds."""
    batch: list[Read] = []
    size: tuple[int, ...] = ()
    for task, read in images:
        if isinstance(read, InputError):
            outcome.failures[str(task.image)] = str(read)
            continue
        here = read.prepared.working_size
        if batch and (here != size or (len(batch) + 1) * math.prod(here) > _BATCH_PIXELS):
            yield batch
            batch = []
        size = here
        batch.append(read)
    if batch:
        yield batch


def _write(task: ImageTask, pending: PendingSegmentation, image: Array | None) -> ReviewItem | None:
    """Write what belongs to one image, and return why its mask is to be checked, if it is."""
    segmentation = pending.finish()
    task.outputs.write(segmentation, image)
    if not segmentation.review_reasons:
        return None
    reason = "; ".join(segmentation.review_reasons)
    return ReviewItem(
        str(task.image), segmentation.uncertainty, reason, segmentation.out_of_distribution, segmentation.polarity
    )
