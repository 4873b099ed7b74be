"""Training from a data set to a run folder."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from amsunet.atomic_io import as_input_error
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.duplicates import pack_thumbnail
from amsunet.data.options import DataOptions
from amsunet.device import Device, choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.model_file import authorized_model
from amsunet.inference.model_ref import ModelRef
from amsunet.models import absolute_model, code_checksum
from amsunet.process_state import determinism_kept, random_state_kept
from amsunet.safe_text import refuse_undecodable
from amsunet.training.command_time import CommandTime
from amsunet.training.distributed import current_group
from amsunet.training.finetune import with_models_found
from amsunet.training.plan_schema import Plan, Settings, checked_settings
from amsunet.training.precision import faster_precision, with_precision
from amsunet.training.prepare import Preparation, fit_preprocessing, prepare
from amsunet.training.run_folder import (
    RunConfig,
    RunData,
    absolute_source,
    describe_changed_masks,
    holds_run,
    images_seen,
    read_run,
    run_lock,
    threads_of,
    write_data,
    write_run,
)
from amsunet.training.train_result import TrainResult
from amsunet.wording import command, setting

logger = logging.getLogger(__name__)


@random_state_kept()
@determinism_kept()
def train(
    data: str | Path,
    settings: Mapping[str, Any] | Settings | None = None,
    *,
    out: str | Path | None = None,
    folds: int | None = None,
    data_options: DataOptions | None = None,
    device: str | Device = "auto",
    command_time: CommandTime | None = None,
) -> TrainResult:
    """Train a network and write a run folder.

    Args:
        data: A folder, a CSV manifest, or ``sample:NAME``.
        settings: ``Settings(minutes=5, batch_size=8)``, or by name, as ``{"minutes": 5, "batch_size": 8}``; what is
            left out is derived from the data. The minutes are those of this call: reading, measuring, and what is
            learnt of the network in the end are paid from them too.
        out: The run folder, which must not hold a run yet; the next free one under ``runs/`` when left out.
        folds: Train so many networks, each validated on a part of the training images that it is not trained on; the
            run folder is then an ensemble, whose probabilities are averaged.
        data_options: How the data set is read and split, where that is not to be found out.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; or what ``choose_device`` gives, for another precision than the
            fastest.
        command_time: The command that the minutes are of; this call when left out.

    Returns:
        What came of it, with the run folder.

    Raises:
        InputError: For data or settings that cannot be used, and when the loss diverges.

    Example:
        >>> import amsunet
        >>> training = amsunet.train("sample:nuclei", {"minutes": 2}, out="runs/example")
        >>> training.run.name, 0 <= training.validation_dice <= 1
        ('example', True)
    """
    command_time = command_time or CommandTime()
    given, data_options = checked_settings(settings), data_options or DataOptions()
    models = (given.get(name) for name in ("model", "pretrained", "teacher"))
    for name in filter(None, (out, *models, data_options.group)):
        refuse_undecodable(Path(name))
    if out is not None:
        _refuse_taken(Path(out))
    device = choose_device(device)
    logger.info(f"on {device}")
    group = current_group()
    group.check(device)
    if "model" in given:
        given["model"] = absolute_model(given["model"])
    given = with_models_found(given)
    prepared = prepare(data, given, device=device.type, data_options=data_options, folds=folds)
    for level, line in prepared.lines():
        logger.log(level, line)
    # With Lightning, which takes seconds: what the data are, or what is wrong with them, is logged before.
    from amsunet.training.fit import fit  # noqa: PLC0415
    from amsunet.training.folds import fit_folds  # noqa: PLC0415

    dataset, deterministic = prepared.dataset, given.get("deterministic", False)
    if deterministic:
        # cuBLAS reads it at the process's first matrix product, and the Trainer that sets it comes after the measuring.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    plan, device, started, closing = _fit_to_machine(prepared, device, command_time, repeatable=deterministic)
    plan = plan.model_copy(update={"reasons": plan.reasons | group.reasons(plan)})
    logger.info("plan:\n%s", plan)
    preprocessing = fit_preprocessing(plan, dataset, prepared.of("train"), prepared.fingerprint)
    config = RunConfig(
        plan=plan,
        preprocessing=preprocessing,
        convention=dataset.convention,
        device=device.type,
        precision=device.precision,
        deterministic=deterministic,
        code=code_checksum(plan.model),
        processes=group.size,
    )
    data_record = _record_data(data, data_options, prepared, plan)
    run = Path(out) if out is not None else _next_run(data)
    with run_lock(run):
        _refuse_taken(run)  # another command may have begun there in the meantime
        write_run(run, config, data_record, environment(device), prepared.folds)
        if prepared.folds is not None:
            return fit_folds(run, config, data_record, dataset, device, started=started, closing=closing)
        training = fit(
            run,
            config,
            prepared.of("train"),
            prepared.of("val"),
            device,
            resume=False,
            dataset=dataset,
            started=started,
            closing=closing,
        )
        return replace(training, dataset=dataset)


def _fit_to_machine(
    prepared: Preparation, device: Device, command_time: CommandTime, *, repeatable: bool
) -> tuple[Plan, Device, float, float]:
    """Measure here in what precision a training is faster, and fit the plan to its minutes, where it has any.

    Returns:
        The plan, the device with the precision, and for ``TimeBudget`` when it began and what its end takes.
    """
    from amsunet.training.budget import fit_prepared  # noqa: PLC0415 - with Lightning

    plan, hinted, started, closing = prepared.plan, device.precision, command_time.started, 0.0
    device, why = faster_precision(plan, prepared.dataset.convention.num_classes, device, repeatable=repeatable)
    if device.precision != hinted:
        logger.info(f"in {device.precision}: {why}")
    if plan.minutes is not None:
        fitted = fit_prepared(prepared, device, command_time)
        plan, started, closing = fitted.plan, fitted.started, fitted.closing_seconds
        for warning in fitted.warnings:
            logger.warning(warning)
        logger.info(str(fitted))
    return with_precision(plan, device, why), device, started, closing


def _record_data(data: str | Path, options: DataOptions, prepared: Preparation, plan: Plan) -> RunData:
    """What a run keeps of its data: where they lie, how they are read, and which images were in which split."""
    dataset, splits = prepared.dataset, prepared.splits
    shown = (scan for scan in dataset.scans if splits[scan.sample.name] in ("train", "val"))
    return RunData(
        source=absolute_source(data),
        **options.reading(),
        fingerprint=prepared.fingerprint,
        splits=splits,
        checksums=dataset.checksums(),
        mask_checksums=dataset.mask_checksums(),
        thumbnails={scan.sample.name: pack_thumbnail(scan) for scan in shown},
        seen_in_pretraining=_seen_in_pretraining(plan, prepared),
    )


@random_state_kept()
@determinism_kept()
def resume(
    run: str | Path,
    data: str | Path | None = None,
    *,
    device: str | None = None,
    model_file: str | None = None,
) -> TrainResult:
    """Go on with a training: from the step at which it was stopped, or from the last whole epoch if it was killed.

    Of an ensemble, folds that are done and whole are not trained again.

    Args:
        run: A run folder, or that of an ensemble.
        data: Where the run's data lie now, if they have moved; the run remembers it.
        device: Where to train; where the run was trained when left out.
        model_file: ``FILE.py:FUNCTION``, if the run trains a network that is not amsunet's.

    Returns:
        What came of it, as of ``train``.

    Raises:
        InputError: If the run cannot be read or its data have changed.

    Example:
        >>> import amsunet
        >>> amsunet.resume("runs/nuclei").interrupted
        False
    """
    folder = Path(run)
    config, record = read_run(folder)
    is_ensemble = ModelRef.resolve(folder).kind == "ensemble"
    if not is_ensemble and "val" not in record.splits.values():
        raise InputError(f"{folder}/folds.json is missing, which holds what each network is trained on: copy it again")
    model = absolute_model(authorized_model(config.plan.model, config.code, model_file, where=folder))
    config = config.model_copy(update={"plan": config.plan.model_copy(update={"model": model})})
    if data is not None:
        record = record.model_copy(update={"source": absolute_source(data)})
    placed = choose_device(device or config.device, config.precision)
    logger.info(f"on {placed}")
    current_group().check(placed)
    _warn_of_another_machine(folder, config, placed)
    dataset = open_dataset(
        locate(record.source),
        record.data_options,
        convention=config.convention,
        of_run=True,
    )
    record.check(dataset)
    if changed := record.changed_masks(dataset):
        logger.warning(f"{describe_changed_masks(changed)}: what was learned so far is of the former ones")
    from amsunet.training.fit import fit  # noqa: PLC0415 - with Lightning
    from amsunet.training.folds import fit_folds  # noqa: PLC0415

    with run_lock(folder):
        if data is not None:
            write_data(folder, record)
            for fold in folder.glob("fold*/data.json"):
                write_data(fold.parent, read_run(fold.parent)[1].model_copy(update={"source": record.source}))
        if is_ensemble:
            return fit_folds(folder, config, record, dataset, placed)
        samples = {split: [s for s in dataset.samples if record.splits[s.name] == split] for split in ("train", "val")}
        training = fit(
            folder,
            config,
            samples["train"],
            samples["val"],
            placed,
            resume=True,
            dataset=dataset,
        )
        return replace(training, dataset=dataset)


def _warn_of_another_machine(run: Path, config: RunConfig, device: Device) -> None:
    """Warn where a training goes on with what changes its steps or the bytes of its weights."""
    if config.processes != (size := current_group().size):
        crops = config.plan.batch_size
        logger.warning(
            f"this training began in {_count(config.processes)} and goes on in {_count(size)}: a step now sees "
            f"{crops * size} crops in place of {crops * config.processes}"
        )
    if config.deterministic and (then := threads_of(run)) not in (None, device.threads):
        logger.warning(
            f"this training began with {then} threads and goes on with {device.threads}, which add up in another "
            f"order: its weights will not be the bytes of an unbroken one; OMP_NUM_THREADS={then} keeps them"
        )


def _count(processes: int) -> str:
    return f"{processes} process{'es' * (processes > 1)}"


def _seen_in_pretraining(plan: Plan, prepared: Preparation) -> tuple[str, ...]:
    """Checksums of what the weights that training starts from, and its teacher, were trained on; warns where test
    images are among them.
    """
    checksums = prepared.dataset.checksums()
    every: set[str] = set()
    for model in dict.fromkeys(filter(None, (plan.pretrained, plan.teacher))):
        seen = images_seen(model)
        if seen is None:
            logger.warning(f"which images {model} was trained on is not known; test images may be among them")
            continue
        known = sum(checksums[sample.name] in seen for sample in prepared.of("test"))
        if known:
            logger.warning(f"{model} was trained on {known} of the test images: their score will be too good")
        every |= seen
    return tuple(sorted(every))


def _next_run(data: str | Path) -> Path:
    """Take the next free folder under ``runs/``."""
    name = re.sub(r"\W+", "-", Path(data).stem.removeprefix("sample:")).strip("-").lower() or "run"
    with as_input_error(Path("runs")):
        Path("runs").mkdir(exist_ok=True)
        for number in itertools.count(1):
            run = Path("runs") / f"{name}-{number}"
            with suppress(FileExistsError):
                run.mkdir()
                return run
    raise AssertionError


def _refuse_taken(run: Path) -> None:
    if holds_run(run):
        raise InputError(
            f"{run} holds a run already: choose another {setting('out')}, or go on with {command('resume', run)}"
        )
