"""Many images to many mask files: read ahead, in batches, with failures kept apart."""

from __future__ import annotations

import glob
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amsunet.data.embedded import PREFIX, locate
from amsunet.data.images import Array, is_image, read_image, write_image
from amsunet.errors import InputError
from amsunet.files import write_text
from amsunet.inference.predictor import Predictor
from amsunet.inference.result import Segmentation

_BATCH_PIXELS = 8 * 256 * 256
_READ_AHEAD = 4


@dataclass
class Outcome:
    """What came of a prediction over many files."""

    written: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """What was wrong, by path."""
    seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        return self.written / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Job:
    """One image to be predicted and the name its mask gets, relative and without suffix."""

    image: Path
    name: str


def find_inputs(inputs: Sequence[str], out: Path | None = None) -> list[Job]:
    """Find the images that paths, folders, patterns and lists (.txt, one path a line) name.

    Images below ``out``, where the masks go, are passed over.

    Raises: InputError if an input names nothing, or two images would get the same mask name.
    """
    jobs: list[Job] = []
    for text in inputs:
        path = locate(text)
        if text.startswith(PREFIX):
            path = path / "test" / "images"
        if path.is_dir():
            found = [
                Job(image, str(image.relative_to(path).with_suffix("")))
                for image in sorted(path.rglob("*"))
                if image.is_file() and is_image(image)
            ]
        elif path.suffix.lower() == ".txt" and path.is_file():
            try:
                lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            except UnicodeDecodeError:
                raise InputError(f"{path} is not a list of paths: save it as UTF-8 text, one path a line") from None
            found = [Job(path.parent / line, Path(line).stem) for line in lines]
        elif path.exists():
            found = [Job(path, path.stem)]
        else:
            found = [Job(Path(name), Path(name).stem) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
            found = [job for job in found if is_image(job.image)]
        if not found:
            raise InputError(f"{text} names no image: check the path (folders, patterns and .txt lists are fine too)")
        jobs += found
    if out is not None:
        below = out.resolve()
        jobs = [job for job in jobs if not job.image.resolve().is_relative_to(below)] or jobs
    names: dict[str, Path] = {}
    for job in jobs:
        if job.name in names and names[job.name] != job.image:
            raise InputError(
                f"{job.image} and {names[job.name]} would get the same mask name: predict them into different folders"
            )
        names[job.name] = job.image
    return list({job.image: job for job in jobs}.values())


def predict_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    *,
    overlay: bool = False,
    probability: bool = False,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Segment images and write their masks as PNG under ``out``; a file that cannot be read is noted and passed over.

    Args:
        overlay: also write ``overlays/NAME.png``, the image with outlines.
        probability: also write ``probabilities/NAME.png``, 16 bits for 0 ... 1; a file a class if more than two.
        overwrite: let masks take the place of files that are there already, but never of an image they are made from.
        progress: called with the number of images done.

    Raises: InputError if a result cannot be written, or would take the place of another file.
    """
    for job in jobs:
        if job.image.resolve() == (out / f"{job.name}.png").resolve():
            raise InputError(f"the mask of {job.image} would take its place: choose another --out")
        if not overwrite and (out / f"{job.name}.png").exists():
            raise InputError(f"{out / f'{job.name}.png'} is there already: choose another --out, or say --overwrite")
    outcome = Outcome()
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        writing: deque[Future[None]] = deque()
        for batch in _batches(predictor, _read_ahead(pool, jobs), outcome):
            segmentations = predictor.predict_batch([image for _, image in batch], [job.name for job, _ in batch])
            for (_, image), segmentation in zip(batch, segmentations, strict=True):
                shown = image if overlay else None
                writing.append(pool.submit(_write, out, segmentation, shown, probability=probability))
            while len(writing) > _READ_AHEAD:
                writing.popleft().result()
            outcome.written += len(batch)
            if progress:
                progress(outcome.written + len(outcome.failures))
        for future in writing:
            future.result()
    outcome.seconds = time.perf_counter() - start
    (out / "failures.txt").unlink(missing_ok=True)
    if outcome.failures:
        lines = "".join(f"{path}\t{message}\n" for path, message in outcome.failures.items())
        write_text(out / "failures.txt", lines)
    return outcome


def _read_ahead(pool: ThreadPoolExecutor, jobs: Sequence[Job]) -> Iterator[tuple[Job, Array | InputError]]:
    """Read files in the background, a few ahead of their use, in order."""
    waiting: deque[tuple[Job, Future[Array | InputError]]] = deque()
    for job in jobs:
        waiting.append((job, pool.submit(_read, job.image)))
        # A large image is not kept waiting beside another one.
        while len(waiting) > _READ_AHEAD or (waiting and waiting[0][1].done() and _is_large(waiting[0][1].result())):
            first, future = waiting.popleft()
            yield first, future.result()
    for first, future in waiting:
        yield first, future.result()


def _read(path: Path) -> Array | InputError:
    try:
        return read_image(path)
    except InputError as error:
        return error


def _is_large(image: Array | InputError) -> bool:
    return not isinstance(image, InputError) and image.shape[0] * image.shape[1] > 4 * _BATCH_PIXELS


def _batches(
    predictor: Predictor, images: Iterator[tuple[Job, Array | InputError]], outcome: Outcome
) -> Iterator[list[tuple[Job, Array]]]:
    """Put images of one working size that follow each other together, as many as a batch holds."""
    batch: list[tuple[Job, Array]] = []
    size = (0, 0)
    for job, image in images:
        if isinstance(image, InputError):
            outcome.failures[str(job.image)] = str(image)
            continue
        here = predictor.working_size(image)
        if batch and (here != size or (len(batch) + 1) * here[0] * here[1] > _BATCH_PIXELS):
            yield batch
            batch = []
        size = here
        batch.append((job, image))
    if batch:
        yield batch


def _write(out: Path, segmentation: Segmentation, image: Array | None, *, probability: bool) -> None:
    name, convention = segmentation.name, segmentation.convention
    if convention.kind == "folders":
        for label, class_name in enumerate(convention.class_names[1:], start=1):
            write_image(out / class_name / f"{name}.png", (segmentation.mask == label).astype(np.uint8) * 255)
    else:
        write_image(out / f"{name}.png", segmentation.as_stored())
    if image is not None:
        write_image(out / "overlays" / f"{name}.png", np.asarray(segmentation.overlay(image)))
    if probability:
        kept = range(1, 2) if len(convention.class_names) == 2 else range(len(convention.class_names))
        for label in kept:
            suffix = "" if len(kept) == 1 else f"_{convention.class_names[label].replace(' ', '_')}"
            levels = (segmentation.probability[label] * 65535).round().astype(np.uint16)
            write_image(out / "probabilities" / f"{name}{suffix}.png", levels)
