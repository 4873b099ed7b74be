"""Training from a data set to a run folder."""

from __future__ import annotations

import itertools
import logging
import re
import warnings
from collections.abc import Callable
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
from amsunet.data.layout import Sample
from amsunet.data.masks import MaskOptions
from amsunet.data.preprocessing import to_tensor
from amsunet.errors import InputError
from amsunet.inference.forward import compute_logits
from amsunet.inference.model_file import FILE_NAME, ModelDescription, load_model, save_model
from amsunet.machine import Machine, choose_machine, environment, keep_freed_memory
from amsunet.models import create_model
from amsunet.training.callbacks import Clock, Keeper, MovingAverage, Progress
from amsunet.training.estimate import measure_cost
from amsunet.training.plan import AS_SAID, Plan
from amsunet.training.prepare import fit_preprocessing, prepare
from amsunet.training.run import RunConfig, RunData, absolute_source, read_run, write_run
from amsunet.training.task import DivergedError, SegmentationTask, WholeImages, dice_by_class

_VALIDATED_EACH_EPOCH = 24
_PASSES_FOR_AUGMENTATION = 20
"""Images that come up less often gain nothing from being changed much."""


@dataclass(frozen=True)
class Training:
    """What came of a training."""

    run: Path
    epochs: int
    best_epoch: int
    validation_dice: float
    """Mean over validation images and classes at working size, of the kept weights at their threshold."""
    interrupted: bool


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
    prepared = prepare(
        data,
        device=machine.device,
        mask_options=mask_options,
        group=group,
        skip_broken=skip_broken,
        test_fraction=test_fraction,
        recipe=recipe,
        overrides={"minutes": minutes, "epochs": epochs, **overrides},
    )
    say(prepared.describe())
    plan, dataset = prepared.plan, prepared.dataset
    if plan.steps_per_epoch is None:
        plan = _fill_budget(plan, dataset.convention.num_classes, machine, len(prepared.of("train")))
    say(f"plan:\n{plan}")
    preprocessing = fit_preprocessing(plan, dataset.convention, prepared.of("train"))
    config = RunConfig(
        plan=plan,
        preprocessing=preprocessing,
        convention=dataset.convention,
        device=machine.device,
        precision=machine.precision,
        deterministic=deterministic,
    )
    data_record = RunData(
        source=absolute_source(data),
        group=group,
        skip_broken=skip_broken,
        fingerprint=prepared.fingerprint,
        splits=prepared.splits,
        checksums={scan.sample.name: scan.checksum for scan in dataset.scans},
    )
    write_run(run, config, data_record, environment(machine))
    return _fit(run, config, prepared.of("train"), prepared.of("val"), machine, say, resume=False)


def resume(run: str | Path, *, device: str | None = None, say: Callable[[str], None] = print) -> Training:
    """Go on with a training that was stopped or killed, from the end of its last whole epoch.

    Raises: InputError if the run cannot be read or its data have changed.
    """
    folder = Path(run)
    config, data = read_run(folder)
    keep_freed_memory()
    machine = choose_machine(device or config.device, config.precision)
    say(f"on {machine}")
    dataset = open_dataset(
        locate(data.source), group=data.group, skip_broken=data.skip_broken, convention=config.convention
    )
    data.check(dataset)
    samples = {split: [s for s in dataset.samples if data.splits[s.name] == split] for split in ("train", "val")}
    return _fit(folder, config, samples["train"], samples["val"], machine, say, resume=True)


def _next_run(data: str | Path) -> Path:
    name = re.sub(r"\W+", "-", Path(data).stem.removeprefix("sample:")).strip("-").lower() or "run"
    return next(
        path for path in (Path("runs") / f"{name}-{number}" for number in itertools.count(1)) if not path.exists()
    )


def _epochs_in_budget(plan: Plan) -> int:
    """Epochs to cut a number of minutes into: enough to choose from, few enough that validation stays cheap."""
    return int(min(24, max(6, (plan.minutes or 0) / 2)))


def _fill_budget(plan: Plan, num_classes: int, machine: Machine, training_images: int) -> Plan:
    """Cut the minutes into epochs of a length that gives validation enough chances."""
    seconds = measure_cost(plan, num_classes, machine).seconds_per_step
    epochs = _epochs_in_budget(plan)
    # A fifth of the time goes to validation, augmentation and writing.
    steps = min(250, max(4, int(0.8 * (plan.minutes or 0) * 60 / epochs / seconds)))
    reasons = plan.reasons | {"steps_per_epoch": f"a step takes {seconds:.2f} s here"}
    settings: dict[str, Any] = {"steps_per_epoch": steps}
    passes = steps * epochs * plan.batch_size / training_images
    chosen = reasons.get("augmentation") == AS_SAID or plan.augmentation in ("none", "paper")
    if passes < _PASSES_FOR_AUGMENTATION and not chosen:
        settings["augmentation"] = "light"
        reasons["augmentation"] = f"each image comes up only {passes:.0f} times"
    return plan.model_copy(update={**settings, "reasons": reasons})


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
    arguments = {
        "in_channels": plan.in_channels,
        "num_classes": convention.num_classes,
        "base_channels": plan.base_channels,
    }
    network = create_model(plan.network, **arguments)
    description = ModelDescription(
        network=plan.network, arguments=arguments, preprocessing=preprocessing, convention=convention
    )
    epochs = plan.epochs or _epochs_in_budget(plan)
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
    checkpoint = run / "last.ckpt" if resume and (run / "last.ckpt").exists() else None
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
    dice = _choose_threshold(run / FILE_NAME, validation, machine)
    return Training(run, trainer.current_epoch, keeper.best_epoch, dice, clock.interrupted)


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


def _choose_threshold(path: Path, validation: list[Sample], machine: Machine) -> float:
    """Find the foreground threshold that is best on all validation images, save it, return the Dice there."""
    network, description = load_model(path)
    network = machine.place(network)
    images = PreparedImages(validation, description.convention, description.preprocessing)
    thresholds = [0.5] if description.convention.num_classes > 2 else [0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7]
    scores = torch.zeros(len(images), len(thresholds))
    for index in range(len(images)):
        image, labels = images[index]
        logits = compute_logits(network, to_tensor(image)[None], description.preprocessing, machine)
        probabilities, target = torch.softmax(logits, dim=1), torch.from_numpy(labels)[None]
        for column, threshold in enumerate(thresholds):
            scores[index, column] = dice_by_class(probabilities, target, threshold).mean()
    means = scores.mean(dim=0)
    best = int(means.argmax())
    save_model(path, network, description.model_copy(update={"threshold": thresholds[best]}))
    return float(means[best])


def _quieten() -> None:
    """Lightning's hints and advertisements do not help who uses this package."""
    for name in ("pytorch_lightning", "lightning.pytorch", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|torch\.optim|kornia|monai")
