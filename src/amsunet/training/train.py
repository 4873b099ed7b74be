"""Training from a data set to a run folder."""

from __future__ import annotations

import itertools
import logging
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from amsunet.data.crops import Crops, PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.embedded import locate
from amsunet.data.layout import Sample, Split
from amsunet.data.masks import MaskOptions
from amsunet.errors import InputError
from amsunet.inference.model_file import FILE_NAME, ModelDescription, build_network, named_model
from amsunet.machine import Machine, choose_machine, environment, keep_freed_memory
from amsunet.models import absolute_model, code_checksum
from amsunet.training.callbacks import Clock, Keeper, MovingAverage, Progress
from amsunet.training.estimate import measure_cost
from amsunet.training.plan import Plan, epochs_in_budget, fill_budget
from amsunet.training.prepare import Preparation, fit_preprocessing, prepare
from amsunet.training.run import RunConfig, RunData, absolute_source, read_run, write_data, write_run
from amsunet.training.task import DivergedError, SegmentationTask, WholeImages
from amsunet.training.threshold import choose_threshold
from amsunet.training.transfer import start_from

_VALIDATED_EACH_EPOCH = 24


@dataclass(frozen=True)
class Training:
    """What came of a training."""

    run: Path
    epochs: int
    best_epoch: int
    validation_dice: float
    """Mean over validation images and classes at working size, of the kept weights at their threshold."""
    interrupted: bool
    machine: Machine


def train(
    data: str | Path,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    epochs: int | None = None,
    recipe: Literal["default", "paper"] = "default",
    mask_options: MaskOptions | None = None,
    group: str | None = None,
    skip_broken: bool = False,
    test_fraction: float = 0.2,
    splits: Mapping[str, Split] | None = None,
    device: str = "auto",
    precision: str = "auto",
    deterministic: bool = False,
    say: Callable[[str], None] = print,
    **overrides: Any,
) -> Training:
    """Train a network and write a run folder.

    Args:
        data: a folder, a CSV manifest, or ``sample:NAME``.
        out: the run folder, which must not hold a run yet; the next free one under ``runs/`` when left out.
        minutes, epochs: the budget; one of them, or neither for the default.
        recipe: ``paper`` for the released recipe.
        splits: the split of every image by its name, in place of the data set's own and of what is cut.
        overrides: fields of ``Plan``.
        say: takes the lines that tell what is going on.

    Raises: InputError for data or settings that cannot be used, and when the loss diverges.
    """
    run = Path(out) if out is not None else _next_run(data)
    if (run / "config.json").exists():
        raise InputError(f"{run} holds a run already: choose another --out, or go on with --resume {run}")
    keep_freed_memory()
    machine = choose_machine(device, precision)
    say(f"on {machine}")
    if overrides.get("model"):
        overrides["model"] = absolute_model(overrides["model"])
    if overrides.get("start"):
        overrides["start"] = str(Path(overrides["start"]).expanduser().absolute())
    prepared = prepare(
        data,
        device=machine.device,
        mask_options=mask_options,
        group=group,
        skip_broken=skip_broken,
        test_fraction=test_fraction,
        splits=splits,
        recipe=recipe,
        overrides={"minutes": minutes, "epochs": epochs, **overrides},
    )
    say(prepared.describe())
    plan, dataset = prepared.plan, prepared.dataset
    if plan.steps_per_epoch is None:
        cost = measure_cost(plan, dataset.convention.num_classes, machine)
        plan = fill_budget(plan, cost.seconds_per_step, len(prepared.of("train")))
    say(f"plan:\n{plan}")
    preprocessing = fit_preprocessing(plan, dataset.convention, prepared.of("train"))
    config = RunConfig(
        plan=plan,
        preprocessing=preprocessing,
        convention=dataset.convention,
        device=machine.device,
        precision=machine.precision,
        deterministic=deterministic,
        code=code_checksum(plan.model),
    )
    data_record = RunData(
        source=absolute_source(data),
        group=group,
        skip_broken=skip_broken,
        fingerprint=prepared.fingerprint,
        splits=prepared.splits,
        checksums=dataset.checksums(),
        seen_before=_seen_by_the_start(plan, prepared, say),
    )
    write_run(run, config, data_record, environment(machine))
    return _fit(run, config, prepared.of("train"), prepared.of("val"), machine, say, resume=False)


def resume(
    run: str | Path,
    data: str | Path | None = None,
    *,
    device: str | None = None,
    own: str | None = None,
    say: Callable[[str], None] = print,
) -> Training:
    """Go on with a training that was stopped or killed, from the end of its last whole epoch.

    Args:
        data: where the run's data lie now, if they have moved; the run remembers it.
        own: ``FILE.py:FUNCTION``, if the run trains a network that is not amsunet's.

    Raises: InputError if the run cannot be read or its data have changed.
    """
    folder = Path(run)
    config, record = read_run(folder)
    model = absolute_model(named_model(config.plan.model, config.code, own, where=folder))
    config = config.model_copy(update={"plan": config.plan.model_copy(update={"model": model})})
    if data is not None:
        record = record.model_copy(update={"source": absolute_source(data)})
    keep_freed_memory()
    machine = choose_machine(device or config.device, config.precision)
    say(f"on {machine}")
    dataset = open_dataset(
        locate(record.source), group=record.group, skip_broken=record.skip_broken, convention=config.convention
    )
    record.check(dataset)
    if data is not None:
        write_data(folder, record)
    samples = {split: [s for s in dataset.samples if record.splits[s.name] == split] for split in ("train", "val")}
    return _fit(folder, config, samples["train"], samples["val"], machine, say, resume=True)


def _seen_by_the_start(plan: Plan, prepared: Preparation, say: Callable[[str], None]) -> tuple[str, ...]:
    """Checksums of what the weights of ``plan.start`` were trained on; warns where test images are among them."""
    if plan.start is None:
        return ()
    if not Path(plan.start).is_dir():
        say(f"warning: which images {plan.start} was trained on is not known; test images may be among them")
        return ()
    seen = read_run(Path(plan.start))[1].seen()
    checksums = prepared.dataset.checksums()
    known = sum(checksums[sample.name] in seen for sample in prepared.of("test"))
    if known:
        say(f"warning: {plan.start} was trained on {known} of the test images: their score will be too good")
    return tuple(sorted(seen))


def _next_run(data: str | Path) -> Path:
    name = re.sub(r"\W+", "-", Path(data).stem.removeprefix("sample:")).strip("-").lower() or "run"
    return next(
        path for path in (Path("runs") / f"{name}-{number}" for number in itertools.count(1)) if not path.exists()
    )


def _fit(
    run: Path,
    config: RunConfig,
    training: list[Sample],
    validation: list[Sample],
    machine: Machine,
    say: Callable[[str], None],
    *,
    resume: bool,
) -> Training:
    plan, convention, preprocessing = config.plan, config.convention, config.preprocessing
    assert plan.steps_per_epoch is not None
    _quieten()
    torch.manual_seed(plan.seed)
    arguments = plan.model_arguments(convention.num_classes)
    network = build_network(plan.model, arguments)
    description = ModelDescription(
        model=plan.model,
        arguments=arguments,
        code=config.code,
        preprocessing=preprocessing,
        convention=convention,
    )
    checkpoint = run / "last.ckpt" if resume and (run / "last.ckpt").exists() else None
    if plan.start is not None and checkpoint is None:
        say(start_from(network, Path(plan.start), model=plan.model, arguments=arguments))
    epochs = plan.epochs or epochs_in_budget(plan)
    task = SegmentationTask(network, plan, preprocessing, machine, total_steps=epochs * plan.steps_per_epoch)
    clock = Clock(task, epochs)
    keeper = Keeper(run, description, clock)
    callbacks: list[pl.Callback] = [clock, keeper, Progress(task, clock, keeper)]
    if plan.average_weights:
        callbacks.insert(2, MovingAverage())
    crops = Crops(
        PreparedImages(training, convention, preprocessing),
        size=plan.crop,
        length=plan.steps_per_epoch * plan.batch_size,
        seed=plan.seed,
        foreground_fraction=plan.foreground_fraction,
    )
    step = max(1, -(-len(validation) // _VALIDATED_EACH_EPOCH))
    judged = WholeImages(PreparedImages(validation[::step], convention, preprocessing))
    trainer = pl.Trainer(
        accelerator={"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[machine.device],
        devices=1,
        precision="bf16-mixed" if machine.precision == "bfloat16" else "32-true",
        max_epochs=-1,
        callbacks=[*callbacks, _NextEpoch(crops)],
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=config.deterministic,
    )
    if checkpoint is not None:
        _check_readable(checkpoint)
    elif resume:
        say("no epoch had ended: starting from the beginning")
    try:
        trainer.fit(
            task,
            DataLoader(crops, plan.batch_size, drop_last=True),
            DataLoader(judged),
            ckpt_path=checkpoint,
            weights_only=True,
        )
    except SystemExit:  # Lightning's answer to Ctrl-C before the first step, and to the second one
        raise KeyboardInterrupt from None
    except DivergedError:
        kept = (
            f"the weights of epoch {keeper.best_epoch + 1} are kept in {run}"
            if keeper.best_epoch >= 0
            else "nothing was kept"
        )
        raise InputError(
            f"training diverged in epoch {trainer.current_epoch + 1} (the loss is not a number); {kept}: "
            f"train anew with --learning-rate {plan.learning_rate / 4:g} or --precision float32"
        ) from None
    dice = choose_threshold(run / FILE_NAME, validation, machine, plan.model)
    return Training(run, trainer.current_epoch, keeper.best_epoch, dice, clock.interrupted, machine)


def _check_readable(checkpoint: Path) -> None:
    """Raise InputError for a checkpoint that is damaged or holds more than tensors and plain values."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        known = isinstance(content, dict) and {"state_dict", "loops", "callbacks"} <= content.keys()
    except (UnpicklingError, RuntimeError, EOFError, OSError):
        known = False
    if not known:
        raise InputError(
            f"{checkpoint} is damaged or was not written by amsunet (code in it is never executed): copy it again, "
            "or remove it to start from the beginning"
        )


class _NextEpoch(pl.Callback):
    """Tells the crops which epoch it is."""

    def __init__(self, crops: Crops) -> None:
        self._crops = crops

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._crops.epoch = trainer.current_epoch


def _quieten() -> None:
    """Lightning's hints and advertisements do not help who uses this package."""
    for name in ("pytorch_lightning", "lightning.pytorch", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|torch\.optim|kornia|monai")
