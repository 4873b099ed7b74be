"""What a prediction is made by: one network, or one for each fold, each in the runtime that was asked for."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amsunet.errors import InputError, first_line
from amsunet.inference import SMALLEST_SIDE
from amsunet.inference.ensemble import Folds, fold_folder, read_folds
from amsunet.inference.model_metadata import (
    ModelDescription,
    parse_description,
    read_description,
)
from amsunet.inference.model_ref import FILE_NAME, SUFFIXES, ModelRef
from amsunet.inference.runtime import Runtime, open_runtime
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.memory import is_out_of_memory
from amsunet.optional import is_installed
from amsunet.wording import command, setting

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """One network of a prediction."""

    runtime: Runtime
    description: ModelDescription
    checksum: str
    """Of its weights, and of the precision it computes in: another one makes other masks."""


def open_members(model: ModelRef, options: RuntimeOptions, model_file: str | None) -> tuple[list[Member], Folds | None]:
    """Open an exported file, or the network, or the networks, of a model; torch is loaded only where it is to run.

    Returns:
        Networks with their descriptions, and the folds they were trained on, None of a single one.

    Raises:
        InputError: If one cannot be opened, or the options do not go with it.
    """
    if model.card is not None and options.runtime is None and not is_installed("torch"):
        logger.info(f"note: torch is not installed, so {model} runs in ONNX Runtime")
        model = ModelRef(model.text, "exported", model.card.onnx)
    of_file = model.kind == "exported"
    if not of_file and not options.exported:
        return _open_networks(model, options, model_file)
    options.refuse_compile()
    if model_file is not None:
        raise InputError(f"{setting('model_file')} is for torch: leave it out with exported networks")
    if not of_file:
        precision = None if options.precision == "auto" else options.precision
        return [_open_exports(model, str(options.runtime), precision)], None
    if options.device not in ("auto", "cpu"):
        raise InputError(f"exported networks run on the CPU: leave {setting('device')} out")
    if options.precision != "auto":
        raise InputError(f"an exported network has its precision: leave {setting('precision')} out")
    if options.runtime is not None and model.path.suffix != SUFFIXES.get(options.runtime):
        raise InputError(
            f"{model} is not for {options.runtime}: leave {setting('runtime')} out, or name what it was made from"
        )
    return [_open_file(model.path)], None


def _open_networks(
    model: ModelRef, options: RuntimeOptions, model_file: str | None
) -> tuple[list[Member], Folds | None]:
    device = options.choose_device()
    from amsunet.inference.model_file import for_inference, weights_checksum  # noqa: PLC0415 - not in a small installation
    from amsunet.inference.torch_runtime import TorchRuntime  # noqa: PLC0415

    networks, folds = load_networks(model, model_file)
    members: list[Member] = []
    for network, description in networks:
        checksum = f"{weights_checksum(network)} {device.precision}"
        placed = device.place(for_inference(network, description.temperature))
        runtime = TorchRuntime(placed, description.preprocessing, device, compiled=options.compile, graphs=True)
        members.append(Member(runtime, description, checksum))
    return members, folds


def load_networks(
    model: ModelRef, model_file: str | None = None
) -> tuple[list[tuple[nn.Module, ModelDescription]], Folds | None]:
    """Read the network of a model, or all networks of an ensemble, into torch.

    Args:
        model: What to read.
        model_file: As for ``load_model``.

    Returns:
        Networks with their descriptions, and the folds they were trained on, None of a single one.

    Raises:
        InputError: If one cannot be read: an ensemble is never made of fewer.
    """
    from amsunet.inference.model_file import load_model  # noqa: PLC0415 - loads torch

    if model.kind != "ensemble":
        return [load_model(model.weights, model_file)], None
    run, folds = model.path, read_folds(model.path)
    networks = [_load_fold(run, folds, fold, model_file) for fold in range(folds.count)]
    (_, first), *others = networks
    for fold, (_, other) in enumerate(others, start=1):
        if (other.convention, other.preprocessing.scaling) != (first.convention, first.preprocessing.scaling):
            raise InputError(
                f"{fold_folder(run, fold)} was trained on other masks or at another scale than "
                f"{fold_folder(run, 0)}: copy the run folder again or train again"
            )
    return networks, folds


def _load_fold(run: Path, folds: Folds, fold: int, model_file: str | None) -> tuple[nn.Module, ModelDescription]:
    from amsunet.inference.model_file import DamagedError, load_model  # noqa: PLC0415 - loads torch

    folder = fold_folder(run, fold)
    if fold not in folds.scores:
        raise InputError(f"{folder} is not trained to its end: {command('resume', run)} goes on")
    try:
        return load_model(folder / FILE_NAME, model_file)
    except DamagedError:
        raise InputError(
            f"{folder} is missing or damaged, and the ensemble needs all {folds.count} folds: "
            f"{command('resume', run)} trains this one anew"
        ) from None


def _open_exports(model: ModelRef, to: str, precision: str | None) -> Member:
    """The exported network of a model; of several the most exact one that can be used."""
    files = model.exports(to, precision)
    if not files:
        line = command("export", str(model), to=to, **({} if precision is None else {"precision": precision}))
        raise InputError(f"{model} holds no exported network for {to}: {line} makes one")
    known = None if model.kind == "ensemble" else read_description(model.weights)
    problems: list[InputError] = []
    for path in files:
        try:
            member = _open_file(path)
            if known is not None and member.description != known:
                raise InputError(f"{path} is not of the weights that the run has now: export it again")
        except InputError as problem:
            problems.append(problem)
            continue
        for skipped in problems:
            logger.info(f"left out: {skipped}")
        return member
    raise problems[0]


def _open_file(path: Path) -> Member:
    """Open an exported file, and try it on a small image: its description may have been changed."""
    runtime = open_runtime(path)
    description = parse_description(runtime.description, path)
    channels, classes = description.preprocessing.in_channels, description.convention.num_classes
    side = SMALLEST_SIDE
    try:
        shape = runtime(np.zeros((1, channels, side, side), np.uint8)).shape
        problem = f"gives {shape}" if shape != (1, classes, side, side) else ""
    except Exception as error:  # each runtime has its own for a wrong shape or name
        if is_out_of_memory(error):
            raise
        problem = first_line(error)
    if problem:
        raise InputError(
            f"{path} does not take images of {channels} channels to {classes} classes, as its description has it "
            f"({problem}): export it again"
        )
    return Member(runtime, description, _files_checksum(path))


def _files_checksum(path: Path) -> str:
    """Of an exported file with the weights that lie beside it."""
    digest = hashlib.sha256()
    for file in (path, path.with_suffix(".bin"), path.with_name(f"{path.name}.data")):
        if file.is_file():
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
