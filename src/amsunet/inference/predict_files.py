"""Many images to many mask files: planned, done by an engine, recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from amsunet.atomic_io import check_writable, remove_abandoned
from amsunet.choices import EngineName
from amsunet.data.image_header import MAXIMUM_PIXELS
from amsunet.data.slides import LARGE_PIXELS
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, refuse_url, with_channels_joined, with_stacks_expanded
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.outcome import FAILURES, REVIEW_LIST, Outcome
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_plan import ImageTask, Planner
from amsunet.inference.prediction_record import RECORD, PredictionRecord
from amsunet.inference.prediction_results import Results
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.process_engine import Engine, predict_here
from amsunet.inference.result_formats import join_forms
from amsunet.regular_file import refuse_irregular
from amsunet.wording import setting

logger = logging.getLogger(__name__)


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
    also: str | Sequence[str] = (),
    largest_component: bool = False,
    axes: str | None = None,
    engine: EngineName | Engine = "process",
) -> Outcome:
    """Segment images into a folder of masks, as the command ``amsunet predict`` does.

    Args:
        model: What ``load`` takes, or what it gave: ``load(model, RuntimeOptions(tta="flips"))`` for other settings.
        images: A file, folder, pattern, list (.txt, one path a line) or ``sample:NAME``, or several of them.
        out: The folder for the masks, each of its image's name, in the convention of the training masks. With ``ray``
            this and the images may be in object stores that fsspec reaches, as ``s3://bucket/folder``.
        overlay: Also write ``overlays/NAME.png``, the image with outlines.
        probability: Also write ``probabilities/NAME.png``, 16 bits for 0 ... 1; a file a class if more than two.
        overwrite: Replace masks that are there already, but never an image they are made from.
        level: Of slides that are pyramids, the level whose pixels are those of an image.
        resume: Go on with what was predicted into ``out``: masks that the same network made of the same image stay, and
            what has changed is made anew.
        also: Other forms of each result (``result_formats.FORMS``), for other programs, each in a folder of its name;
            ``coco``, ``objects`` and ``counts`` also as one file for all images.
        largest_component: Of volumes, keep the largest component of each class alone, found across slices.
        axes: Of TIFF files that hold several pages, as ``ZYX`` or ``ZCYX``: every slice and moment is an image, and
            its mask is called ``NAME_z003``.
        engine: What the work is done by: this process, or ``ray``, workers on this machine; a ``RayEngine`` for other
            numbers of them, for a cluster, or where masks go to a store.

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
    from amsunet.inference.predict_stored import find_images  # noqa: PLC0415 - which builds on this file

    several = [images] if isinstance(images, str | Path) else images
    predict_them = find_images([str(one) for one in several], str(out), choose_engine(engine))
    options = PredictionOptions(  # checked before a network is opened
        overlay=overlay,
        probability=probability,
        overwrite=overwrite,
        resume=resume,
        also=also,
        level=level,
        largest_component=largest_component,
        axes=axes,
    )
    return predict_them(model if isinstance(model, Predictor) else load(model), options=options)


def predict_files(
    predictor: Predictor,
    inputs: Sequence[InputImage],
    out: Path,
    options: PredictionOptions = PredictionOptions(),  # noqa: B008 - frozen
    *,
    engine: Engine = predict_here,
) -> Outcome:
    """Segment images and write their masks as PNG under ``out``, those of slides as tiled TIFF, those of volumes as
    NIfTI; a file that cannot be read is noted and passed over.

    Args:
        predictor: What segments them.
        inputs: The images, as ``find_inputs`` finds them.
        out: The folder for the masks.
        options: What is written, and what becomes of what is there.
        engine: Does the work that is planned.

    Returns:
        How many masks were written, what failed and what is to be checked.

    Raises:
        InputError: If a result cannot be written, or would take the place of another file.
    """
    check_folder(out)
    record = PredictionRecord(out)
    record.read()
    planner = Planner(predictor, record, options)
    inputs = with_channels_joined(inputs, predictor.description.preprocessing.channel_names)
    plan = planner.plan(inputs if options.axes is None else with_stacks_expanded(inputs, options.axes))
    _note_large(plan.images)
    for folder in {out, *plan.folders()}:
        remove_abandoned(folder)
    results = Results(record, predictor.checksum())
    with joined_at_end(record, options.forms), recorded(results):
        for one, prediction in plan.made:
            results.pass_over(one.image, prediction)
        engine(planner, plan, results)
    return results.outcome


def check_folder(out: Path) -> None:
    """Raise InputError if a folder cannot take the record and the lists."""
    refuse_url(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder for the masks")
    for path in (out / name for name in (REVIEW_LIST, FAILURES, RECORD)):
        if path.is_dir():
            raise InputError(f"{path} is a folder, where a file is to be written: choose another {setting('out')}")
        if path.exists():
            refuse_irregular(path)
        check_writable(path)


@contextmanager
def recorded(results: Results) -> Iterator[None]:
    """Put the lists in order at the end, also where the work within is stopped: masks that are written are listed."""
    start = time.perf_counter()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        logger.info(f"stopped; with {setting(resume=True)} the same command goes on with what is left")
        raise
    finally:
        results.close(time.perf_counter() - start)


@contextmanager
def joined_at_end(record: PredictionRecord, also: Sequence[str]) -> Iterator[None]:
    """At the end, also where the work within is stopped, join the forms that are one file for all images."""
    try:
        yield
    finally:
        join_forms(record, also)


def choose_engine(engine: EngineName | Engine) -> Engine:
    """The engine of a name; one that was made stays as it is.

    Raises:
        InputError: If there is none of this name.
    """
    if not isinstance(engine, str):
        return engine
    if engine not in get_args(EngineName):
        raise InputError(f"{setting('engine')} {engine!r} is unknown: choose {' or '.join(get_args(EngineName))}")
    if engine == "process":
        return predict_here
    from amsunet.inference.ray_engine import RayEngine  # noqa: PLC0415 - what few need

    return RayEngine()


def _note_large(tasks: Sequence[ImageTask]) -> None:
    for task in tasks:
        if LARGE_PIXELS < task.pixels < MAXIMUM_PIXELS:
            logger.info(
                f"{task.image} is predicted whole, which takes more than 2 GB of memory; a TIFF in tiles, packed with "
                "Deflate or with what the extra slides reads, is predicted in parts"
            )
