"""``amsunet train``: train a network, or go on with a run."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.cli.data import data_options
from amsunet.cli.evaluate import evaluate_and_report
from amsunet.cli.options import (
    device_options,
    optional_data_argument,
    refuse_settings,
    take_device,
)
from amsunet.cli.process import importing
from amsunet.cli.settings import TRAINING, setting_options
from amsunet.console import echo
from amsunet.inference.runtime_options import RuntimeOptions

if TYPE_CHECKING:
    from amsunet.training.command_time import Scene
    from amsunet.training.train_result import TrainResult

_TERMINATED = 143
"""As the shell has it of a command that SIGTERM ended."""


@click.command()
@optional_data_argument
@data_options()
@setting_options(TRAINING)
@device_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default: the next one under runs/).")
@click.option("--folds", type=click.IntRange(2), help="Train so many networks, each for the time given: an ensemble.")
@click.option(
    "--devices",
    type=click.IntRange(1),
    metavar="N",
    help="Train in so many processes on this machine, each on a GPU of its own or on its share of the cores; each sees "
    "a batch in every step.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1),
    metavar="M",
    help="Machines that torchrun or srun has started the command on, which they are checked against.",
)
@click.option(
    "--resume",
    "resumed",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a stopped run; name DATA too if they have moved.",
)
@click.pass_context
def train(
    context: click.Context,
    /,
    data: str | None,
    resumed: Path | None,
    settings: dict[str, Any],
    **values: Any,
) -> None:
    """Train a network on a data set, or go on with --resume RUN; Ctrl-C saves what was reached."""
    started = time.monotonic()  # before what takes seconds to import
    with importing():
        from amsunet.training.processes import check_counts, find_place, launch  # noqa: PLC0415

    place, devices = find_place(), values.pop("devices")
    check_counts(place, devices, values.pop("nodes"))
    if place is None and (devices or 1) > 1:
        context.exit(launch(devices, sys.argv[1:]))
    with importing():
        from amsunet.training.distributed import joined  # noqa: PLC0415

    with joined(place) as group:
        if not group.is_first:
            from amsunet.training.fit import fit  # noqa: PLC0415 - with Lightning, which takes seconds

            context.exit(group.follow(fit))
        _train(context, data, resumed, settings, values, started)


def _train(
    context: click.Context,
    data: str | None,
    resumed: Path | None,
    settings: dict[str, Any],
    values: dict[str, Any],
    started: float,
) -> None:
    with importing():
        from amsunet.training.command_time import CommandTime  # noqa: PLC0415
        from amsunet.training.train import resume as resume_training  # noqa: PLC0415
        from amsunet.training.train import train as start_training  # noqa: PLC0415

    if resumed is not None:
        refuse_settings(
            context,
            {"data", "resumed", "device", "devices", "nodes", "model"},
            "A run is resumed with its own settings",
        )
        device = values["device"]
        training = resume_training(
            resumed, data, device=None if device == "auto" else device, model_file=settings.get("model")
        )
    elif data is None:
        raise click.UsageError("Name the DATA to train on, or a run with --resume RUN.")
    else:
        training = start_training(
            data,
            settings,
            device=take_device(values),
            command_time=CommandTime(started, _rehearse_evaluation),
            **values,
        )
    if training.interrupted:
        echo(f"stopped early: amsunet train --resume {shlex.quote(str(training.run))} goes on from this step")
    if not training.interrupted or training.folds is None:
        _evaluate(training, settings.get("model"))
    if training.terminated:
        context.exit(_TERMINATED)


def _rehearse_evaluation(scenes: Sequence[Scene], thickness: float) -> tuple[float, float]:
    """What evaluates takes a second to import, and is not needed before."""
    with importing():
        from amsunet.evaluation.rehearsal import rehearse_evaluation  # noqa: PLC0415

    return rehearse_evaluation(scenes, thickness)


def _evaluate(training: TrainResult, model_file: str | None) -> None:
    """Score what was reached, on validation images."""
    evaluate_and_report(
        training.run,
        training.dataset,
        split="val",
        options=RuntimeOptions.on(training.device),
        model_file=model_file,
        most=training.validation_images,
    )
    echo(f"run: {training.run}")
    echo(f"next: amsunet evaluate {shlex.quote(str(training.run))}")
