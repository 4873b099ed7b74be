"""How fast networks are on this machine: networks times runtimes times precisions, each in a process of its own.

    python benchmarks/networks.py [--models A,B,...] [--runtimes ...] [--precisions ...] [--out benchmark]

Every network with every runtime and precision is set against plain torch, against U-Net, and against what the machine
can do at best. The parts beside this script: ``stopwatch.py`` measures one figure, ``traffic.py`` counts what passes
through memory, ``speeds.py`` holds all, ``speeds_plot.py`` draws it.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

import click
import torch
from child import measured
from speeds import RESULT, Row, Speeds, Work
from speeds_plot import draw_speeds
from stopwatch import Job

from amsunet.atomic_io import check_writable
from amsunet.cli import main
from amsunet.cli.process import process_prepared
from amsunet.deployment.exporters import PACKAGES, PRECISIONS, missing_package
from amsunet.device import Device, choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.model_file import build_network
from amsunet.inference.model_ref import ALL_SUFFIXES
from amsunet.models import absolute_model, is_custom, list_models
from amsunet.optional import describe_missing
from amsunet.process_state import random_state_kept
from amsunet.wording import setting

_OF_TORCH: dict[str, tuple[str, ...]] = {
    "eager": ("float32",),
    "channels_last": ("float32", "bfloat16"),
    "fused": ("float32", "bfloat16"),
    "compiled": ("float32", "bfloat16"),
}
"""Torch as it comes; with weights and images in the order convolutions are fastest in and freed memory kept; fused
besides, which is what predict runs; that compiled, as predict does it where it is asked to."""
_UNASKED = {
    "cpu": ("eager", "channels_last", "fused", "onnx", "openvino"),
    "cuda": ("eager", "channels_last", "fused", "compiled"),
}
_MODELS = ("amsunet", "amsunet_xs", "unet")
_SMALLEST_SIZE = 32
_STOPWATCH = Path(__file__).with_name("stopwatch.py")

Setting = tuple[str, str]
"""Runtime and precision."""


def runtimes_of(device: str) -> dict[str, tuple[str, ...]]:
    """Runtimes that a device has, with their precisions."""
    return _OF_TORCH if device == "cuda" else _OF_TORCH | PRECISIONS


logger = logging.getLogger("amsunet.benchmarks")


@random_state_kept()
def measure(
    models: Sequence[str] = (),
    *,
    out: str | Path,
    runtimes: Sequence[str] = (),
    precisions: Sequence[str] = (),
    sizes: Sequence[int] = (256,),
    batches: Sequence[int] = (1,),
    device: str = "auto",
    threads: int | None = None,
    seconds: float = 1.0,
) -> Speeds:
    """Time networks with fresh weights on random images of 3 channels, and write table and plot.

    Rows that ``out`` holds already are not measured again, so a benchmark that was stopped goes on.

    Args:
        models: names, ``FILE.py:FUNCTION``, or ``all``; AMSUnet, its smallest form and U-Net when left out.
        out: a folder for ``result.json``, ``rows.csv`` and ``speeds.png``.
        runtimes: those that are installed when left out, without ``compiled`` on a CPU, which takes minutes.
        precisions: float32, and bfloat16 where the device computes it, when left out.
        sizes: sides of the square images.
        threads: of a CPU; all cores when left out.
        seconds: each row is called for so long.

    Returns:
        The rows, those that failed among them.

    Raises:
        InputError: For a network, runtime or precision that does not exist or is not installed, and for a folder with
            the figures of other conditions.
    """
    machine = choose_device("cpu" if device == "auto" and not torch.cuda.is_available() else device)
    settings = _settings(machine.type, runtimes, precisions or list(dict.fromkeys(("float32", machine.precision))))
    asked = [name for word in models or _MODELS for name in (list_models() if word == "all" else [word])]
    networks = [absolute_model(name) for name in asked]
    if not math.isfinite(seconds):
        raise InputError(f"{setting('seconds')} {seconds} never end: say how many")
    if len(set(networks)) < len(networks):
        raise InputError("a network is named twice: name each once")
    for network in networks:
        build_network(network, {"in_channels": 3, "num_classes": 2})
    if min(sizes) < _SMALLEST_SIZE or min(batches) < 1:
        raise InputError(f"sizes start at {_SMALLEST_SIZE} and batches at 1, not {min(sizes)} and {min(batches)}")
    threads = threads or machine.threads
    check_writable(Path(out) / RESULT)
    speeds = _open(Path(out), _conditions(machine, threads, seconds))
    words = {
        "--models": asked, "--runtimes": dict.fromkeys(runtime for runtime, _ in settings),
        "--precisions": dict.fromkeys(precision for _, precision in settings), "--size": sizes, "--batch": batches,
        "--device": [machine.type], "--threads": [threads], "--seconds": [f"{seconds:g}"], "--out": [out],
    }  # fmt: skip
    command = "python benchmarks/networks.py " + " ".join(
        f"{name} {','.join(map(str, values))}" for name, values in words.items()
    )
    jobs = [
        Job("time", network, runtime, precision, size, batch, machine.type, threads, seconds)
        for size, batch, network, (runtime, precision) in product(
            dict.fromkeys(sizes), dict.fromkeys(batches), networks, settings
        )
    ]
    _measure_rows(Path(out), speeds, jobs, command)
    return speeds


def _settings(device: str, runtimes: Sequence[str], precisions: Sequence[str]) -> list[Setting]:
    """Runtimes with precisions, as asked and as there are."""
    there = runtimes_of(device)
    for name in runtimes:
        if name not in there:
            raise InputError(f"{device} has no runtime {name!r}; {_nearest(name, there)}")
        if name in PRECISIONS and (missing := missing_package(name)):
            raise InputError(describe_missing(missing))
    every = dict.fromkeys(precision for of_runtime in there.values() for precision in of_runtime)
    for name in precisions:
        if name not in every:
            raise InputError(f"{device} has no precision {name!r}; {_nearest(name, every)}")
    chosen = dict.fromkeys(runtimes) or [
        name for name in _UNASKED[device] if name in _OF_TORCH or not missing_package(name)
    ]
    settings = [(name, precision) for name in chosen for precision in there[name] if precision in precisions]
    for name in runtimes:
        if not any(name == runtime for runtime, _ in settings):
            raise InputError(f"{name} has no {' or '.join(precisions)}: choose of {', '.join(there[name])}")
    return settings


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(known)}"


def _conditions(machine: Device, threads: int, seconds: float) -> dict[str, Any]:
    """What all rows share."""
    known = environment(machine)
    del known["precision"]
    for package in dict.fromkeys(package for packages in PACKAGES.values() for package in packages):
        with suppress(PackageNotFoundError):  # not installed, or under another name, as builds for GPUs are
            known["packages"][package] = version(package)
    return {**known, "threads": threads, "seconds_per_row": seconds}


def _open(folder: Path, conditions: dict[str, Any]) -> Speeds:
    """Rows that the folder holds from before. Raises: InputError if their conditions were others."""
    path = folder / RESULT
    if not path.is_file():
        return Speeds(conditions)
    try:
        speeds = Speeds.read(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is no benchmark or is damaged: name another folder with {setting('out')}") from None
    if speeds.conditions != json.loads(json.dumps(conditions)):
        raise InputError(
            f"{path} holds figures of another machine, device, version or {setting('threads')} or "
            f"{setting('seconds')}: name another folder with {setting('out')}"
        )
    return speeds


def _measure_rows(folder: Path, speeds: Speeds, jobs: list[Job], command: str) -> None:
    # What a file of the user's builds may have changed since.
    waiting = [job for job in jobs if _key(job) not in speeds.rows or is_custom(job.network)]
    on = f"on {speeds.conditions['device_name']}, {speeds.conditions['threads']} threads"
    logger.info(f"{on}: {len(jobs)} rows, {len(jobs) - len(waiting)} measured already")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        for done, job in enumerate(waiting, start=1):
            name = f"{job.network} {job.runtime} {job.precision}, {job.size} x {job.size}, batch {job.batch}"
            try:
                _prepare(speeds, job)
                found = _run(job if job.runtime in _OF_TORCH else _with_file(job, Path(temporary)))
            except InputError as error:
                speeds.failures[name] = str(error)
                told = f"failed, {error}"
            else:
                row = Row(*_key(job), **found)
                speeds.rows[row.key] = row
                told = f"{1e3 * row.seconds:.1f} ms"
            left = (time.monotonic() - start) / done * (len(waiting) - done)
            logger.info(f"{done} of {len(waiting)}: {name}: {told}   about {int(left) // 60}:{int(left) % 60:02} left")
            speeds.write(folder, command)
    draw_speeds(speeds, folder / "speeds.png")


def _key(job: Job) -> tuple[str, str, str, int, int]:
    return job.network, job.runtime, job.precision, job.size, job.batch


def _prepare(speeds: Speeds, job: Job) -> None:
    """See that what the row will be set against is known."""
    # Products in a precision that the processor only emulates take minutes and are no peak.
    with_peak = ("float32", choose_device(job.device).precision)
    if job.precision not in speeds.peaks and job.precision in with_peak:
        speeds.peaks[job.precision] = _run(replace(job, task="peaks", seconds=1.0))
    if (job.network, job.size) not in speeds.work:
        speeds.work[job.network, job.size] = Work(**_run(replace(job, task="work")))


def _with_file(job: Job, folder: Path) -> Job:
    """The job with the file of its network, which is written once."""
    name = hashlib.sha256(job.network.encode()).hexdigest()[:16]
    path = folder / f"{name}-{job.precision}{ALL_SUFFIXES[job.runtime]}"
    if not path.is_file():
        _run(replace(job, task="write", file=str(path)))
    return replace(job, file=str(path))


def _run(job: Job) -> dict[str, Any]:
    """Have a job done by a process. Raises: InputError with what was wrong."""
    found: dict[str, Any] = measured(
        _STOPWATCH,
        json.dumps(asdict(job)),
        environment={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "OMP_NUM_THREADS": str(job.threads)},
        remedy=f"a smaller {setting('batches')} or {setting('sizes')}",
    )
    return found


def _words(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _whole_numbers(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers") from None


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--models",
    callback=_words,
    metavar="A,B,...",
    help="Names or FILE.py:FUNCTION, or all (default: amsunet,amsunet_xs,unet).",
)
@click.option(
    "--runtimes",
    callback=_words,
    metavar="A,B,...",
    help="Of eager, channels_last, fused, compiled, onnx, openvino, pt2, executorch (default: "
    "all that are installed but pt2, executorch and, on a CPU, compiled).",
)
@click.option(
    "--precisions",
    callback=_words,
    metavar="A,B,...",
    help="Of float32, bfloat16, float16, int8 (default: float32, and bfloat16 where the device computes it).",
)
@click.option("--size", "sizes", callback=_whole_numbers, default="256", show_default=True, metavar="SIDE,...")
@click.option("--batch", "batches", callback=_whole_numbers, default="1", show_default=True, metavar="IMAGES,...")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of a CPU (default: all cores).")
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="To measure each row for.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmark"),
    show_default=True,
    help="Folder of table and plot; a benchmark that was stopped goes on.",
)
def networks(**values: Any) -> None:
    """Time networks on this machine: every network with every runtime and precision, set against plain torch, against
    U-Net, and against what the machine can do at best.
    """
    click.get_current_context().with_resource(process_prepared())
    speeds = measure(**values)
    out = values["out"]
    click.echo(f"{speeds.table()}\ntable: {out / 'rows.csv'}\nplot: {out / 'speeds.png'}")
    if speeds.failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main(networks)
