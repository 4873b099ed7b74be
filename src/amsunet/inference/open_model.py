"""What a prediction is made by: one network, or one for each fold, each in the runtime that was asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amsunet.errors import InputError, first_line
from amsunet.inference import SMALLEST_SIDE
from amsunet.inference.model_metadata import ModelDescription, description_of, parse_description, weights_of
from amsunet.inference.runtime import (
    ALL_SUFFIXES,
    SUFFIXES,
    Runtime,
    exported_files,
    is_exported,
    open_runtime,
)
from amsunet.optional import require
from amsunet.wording import command, setting

if TYPE_CHECKING:
    from amsunet.device import Device
    from amsunet.inference.ensemble import Folds

logger = logging.getLogger(__name__)

Member = tuple[Runtime, ModelDescription]


def device_is_fixed() -> InputError:
    """What is raised for an exported network that is to run otherwise than it was made for."""
    return InputError(
        f"an exported network has its device and precision: leave {setting('device')} and {setting('precision')} out"
    )


def open_members(
    run: Path,
    runtime: str | None,
    *,
    device: Device | None,
    precision: str | None,
    model_file: str | None,
    compiled: bool,
) -> tuple[list[Member], Folds | None]:
    """Open an exported file, or the network, or the networks, of a run; torch is loaded only where it is to run.

    Args:
        runtime: ``torch``, ``onnx`` or ``openvino``; torch for a run where none is named.
        precision: the only one that exported networks may have; any when left out.

    Returns: networks with their descriptions, and the folds they were trained on, None of a single one.
    Raises: InputError if one cannot be opened, or what was asked for does not go together.
    """
    if runtime not in (None, "torch", *SUFFIXES):
        raise InputError(f"runtime {runtime!r} is unknown: choose torch, {' or '.join(SUFFIXES)}")
    of_file = is_exported(run)
    if not of_file and run.suffix in (*ALL_SUFFIXES.values(), ".bin") and not run.is_dir():
        raise InputError(f"{run} is for other programs: name {' or '.join(SUFFIXES.values())}, or the run folder")
    if not of_file and runtime not in SUFFIXES:
        return _open_run(run, device=device, model_file=model_file, compiled=compiled)
    if compiled or model_file is not None:
        raise InputError(
            f"{setting('compiled' if compiled else 'model_file')} is for torch: leave it out with exported networks"
        )
    if device is not None and (of_file or device.type != "cpu"):
        raise device_is_fixed()
    if not of_file:
        return [_open_exports(run, str(runtime), precision)], None
    if runtime == "torch" or run.suffix != SUFFIXES.get(str(runtime), run.suffix):
        raise InputError(f"{run} is not for {runtime}: leave {setting('runtime')} out, or name what it was made from")
    return [_open_file(run)], None


def _open_run(
    run: Path,
    *,
    device: Device | None,
    model_file: str | None,
    compiled: bool,
) -> tuple[list[Member], Folds | None]:
    require("torch", "amsunet, or name an exported file, which needs no torch")
    from amsunet.device import choose_device  # noqa: PLC0415
    from amsunet.inference.torch_runtime import open_run  # noqa: PLC0415 - not there in a small installation

    networks, folds = open_run(run, device or choose_device(), model_file=model_file, compiled=compiled)
    return list(networks), folds


def _open_exports(run: Path, to: str, precision: str | None) -> Member:
    """The exported network of a run; of several the most exact one that can be used."""
    files = exported_files(run, to, precision)
    if not files:
        line = command("export", run, to=to, **({} if precision is None else {"precision": precision}))
        raise InputError(f"{run} holds no exported network for {to}: {line} makes one")
    known = description_of(weights_of(run))
    problems: list[InputError] = []
    for path in files:
        try:
            runtime, description = _open_file(path)
            if known is not None and description != known:
                raise InputError(f"{path} is not of the weights that the run has now: export it again")
        except InputError as problem:
            problems.append(problem)
            continue
        for skipped in problems:
            logger.info(f"left out: {skipped}")
        return runtime, description
    raise problems[0]


def _open_file(path: Path) -> Member:
    """Open an exported file, and try it on a small image: what it says of itself may have been changed."""
    runtime = open_runtime(path)
    description = parse_description(runtime.description, path)
    channels, classes = description.preprocessing.in_channels, description.convention.num_classes
    side = SMALLEST_SIDE
    try:
        shape = runtime(np.zeros((1, channels, side, side), np.uint8)).shape
        problem = f"gives {shape}" if shape != (1, classes, side, side) else ""
    except MemoryError:
        raise
    except Exception as error:  # each runtime has its own for a wrong shape or name
        problem = first_line(error)
    if problem:
        raise InputError(
            f"{path} does not take images of {channels} channels to {classes} classes, as it says of itself "
            f"({problem}): export it again"
        )
    return runtime, description
