"""A run folder filled: its network trained on the samples given."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from amsunet.data.containers import modality_of
from amsunet.data.crops import Crops, PreparedImages, evenly
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.inference.model_file import build_network
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.process_state import determinism_kept, quiet, quiet_threads, random_state_kept, without_warnings
from amsunet.training.budget import epochs_in_budget
from amsunet.training.callbacks import EMA, Checkpointer, Progress, TimeBudget
from amsunet.training.checkpoint import find_checkpoint
from amsunet.training.data_parallel import part_of_batches, trainer_options
from amsunet.training.distillation import TaughtImages, open_teacher
from amsunet.training.distributed import EndedElsewhereError, current_group, loss_described
from amsunet.training.finetune import load_pretrained
from amsunet.training.lightning_module import DivergedError, SegmentationTask, WholeImages
from amsunet.training.mid_epoch import MidEpoch
from amsunet.training.plan_schema import Plan
from amsunet.training.postprocessing import fit_postprocessing
from amsunet.training.run_folder import RunConfig
from amsunet.training.train_result import TrainResult
from amsunet.wording import setting

logger = logging.getLogger(__name__)


@contextmanager
def _as_guest() -> Iterator[None]:
    """Train by a seed and without a word of other libraries, and leave no trace of either in the process.

    Lightning's hints and advertisements do not help who uses this package.
    """
    with (
        random_state_kept(),
        determinism_kept(),
        quiet("pytorch_lightning", "lightning.pytorch", "pytorch_lightning.utilities.rank_zero", "kornia"),
        without_warnings(r"pytorch_lightning|torch\.(optim|autograd)|kornia|monai"),
    ):
        yield


@_as_guest()
def fit(
    run: Path,
    config: RunConfig,
    training: list[Sample],
    validation: list[Sample],
    device: Device,
    *,
    resume: bool,
    dataset: Dataset | None = None,
    started: float | None = None,
    closing: float = 0.0,
) -> TrainResult:
    """Train the network of a run folder on its samples, or go on from its last checkpoint, and choose the threshold.

    Args:
        run: Its folder.
        config: What is written in it.
        training: Samples to train on.
        validation: Samples to validate on.
        device: What to train on.
        resume: Go on from the last checkpoint.
        dataset: As for ``PreparedImages``.
        started: As for ``TimeBudget``.
        closing: As for ``TimeBudget``.

    Raises:
        InputError: For a damaged checkpoint, when the loss diverges, and when one of several processes is lost.
    """
    group = current_group()
    group.announce(
        {
            "run": run.absolute(),
            "config": config,
            "training": training,
            "validation": validation,
            "device": device,
            "resume": resume,
            "dataset": dataset,
        }
    )
    plan, convention, preprocessing = config.plan, config.convention, config.preprocessing
    assert plan.steps_per_epoch is not None
    torch.manual_seed(plan.seed)
    arguments = plan.model_arguments(convention.num_classes)
    network = build_network(plan.model, arguments)
    epochs = plan.epochs or epochs_in_budget(plan)
    module = SegmentationTask(network, plan, preprocessing, device, total_steps=epochs * plan.steps_per_epoch)
    checkpoint = group.first(lambda: find_checkpoint(run, module.state_dict())) if resume else None
    if checkpoint is None:
        if resume:
            logger.info("no epoch had ended: starting from the beginning")
        if plan.pretrained is not None:
            logger.info(load_pretrained(network, plan.pretrained, plan, arguments))
    time_budget = TimeBudget(module, epochs, started=started, closing=closing)
    checkpointer = Checkpointer(run, _describe(config, arguments, training), time_budget)
    callbacks: list[pl.Callback] = [time_budget, checkpointer, Progress(module, time_budget, checkpointer)]
    if plan.ema:
        callbacks.insert(2, EMA())
    training_images = _open_training_images(config, training, dataset, device)
    chosen = evenly(validation, plan.validation_images or len(validation))
    validation_images = PreparedImages(chosen, convention, preprocessing, dataset)
    crops = Crops(
        training_images,
        size=plan.crop,
        length=plan.steps_per_epoch * plan.batch_size * group.size,
        seed=plan.seed,
        foreground_fraction=plan.foreground_fraction,
    )
    callbacks.append(MidEpoch(run, crops, plan.batch_size * group.size, time_budget))
    trainer = _make_trainer(run, config, device, callbacks)
    with _ends_explained(run, plan, trainer, checkpointer):
        trainer.fit(
            module,
            DataLoader(part_of_batches(group, crops, plan.batch_size), plan.batch_size, drop_last=True),
            DataLoader(WholeImages(validation_images, plan.validated_each_epoch)),
            ckpt_path=checkpoint,
            weights_only=True,
        )
    group.trained()
    dice_at: dict[float, float] = {}
    if group.is_first:
        dice_at = fit_postprocessing(run / FILE_NAME, training_images, validation_images, device, plan.model).dice_at
    return TrainResult(
        run,
        trainer.current_epoch,
        checkpointer.best_epoch,
        dice_at,
        time_budget.interrupted,
        device,
        validation_images=plan.validation_images,
        terminated=time_budget.terminated,
    )


def _open_training_images(
    config: RunConfig, training: list[Sample], dataset: Dataset | None, device: Device
) -> PreparedImages:
    """The images to train on, with the labels of the files or, where the plan has a teacher, what it makes of them."""
    given = training, config.convention, config.preprocessing, dataset
    if config.plan.teacher is None:
        return PreparedImages(*given)
    return TaughtImages(*given, open_teacher(config.plan, config.convention, dataset, device))


@contextmanager
def _ends_explained(run: Path, plan: Plan, trainer: pl.Trainer, checkpointer: Checkpointer) -> Iterator[None]:
    """Meanwhile tell ends of a training that are not its last step in this package's words."""
    try:
        with loss_described(run), quiet_threads("tensorboard"):  # where its disk is full it raises in this thread too
            yield
    except SystemExit:  # Lightning's answer to Ctrl-C before the first step, and to the second one
        raise KeyboardInterrupt from None
    except DivergedError:
        if not current_group().is_first:
            raise EndedElsewhereError from None
        kept = checkpointer.best_epoch + 1
        raise InputError(
            f"training diverged in epoch {trainer.current_epoch + 1} (the loss is not a number); "
            f"{f'the weights of epoch {kept} are kept in {run}' if kept else 'nothing was kept'}: "
            f"train anew with {setting(learning_rate=plan.learning_rate / 4)} or {setting(precision='float32')}"
        ) from None


def _describe(config: RunConfig, arguments: dict[str, Any], training: Sequence[Sample]) -> ModelDescription:
    plan = config.plan
    return ModelDescription(
        model=plan.model,
        arguments=arguments,
        code=config.code,
        preprocessing=config.preprocessing,
        convention=config.convention,
        modalities=tuple(sorted({*filter(None, (modality_of(sample.image) for sample in training))})),
        flips=plan.augmentation_flips,
    )


def _make_trainer(run: Path, config: RunConfig, device: Device, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop without what ``callbacks`` do: checkpoints, progress and the end."""
    return pl.Trainer(
        accelerator={"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[device.type],
        **trainer_options(current_group(), device),
        precision="bf16-mixed" if device.precision == "bfloat16" else "32-true",
        max_epochs=-1,
        callbacks=callbacks,
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=config.deterministic,
    )
