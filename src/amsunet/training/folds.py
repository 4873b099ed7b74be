"""A network for each fold of the training images, one after the other."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Split
from amsunet.device import Device, environment
from amsunet.inference.ensemble import Folds, FoldScore, fold_folder, read_folds, write_folds
from amsunet.inference.model_file import DamagedError, load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.training.checkpoint import has_checkpoint
from amsunet.training.fit import fit
from amsunet.training.prepare import fit_preprocessing
from amsunet.training.run_folder import RunConfig, RunData, run_lock, write_run
from amsunet.training.train_result import TrainResult

logger = logging.getLogger(__name__)


def fit_folds(
    run: Path,
    config: RunConfig,
    record: RunData,
    dataset: Dataset,
    device: Device,
    *,
    started: float | None = None,
    closing: float = 0.0,
) -> TrainResult:
    """Train the folds of a folder that are not done, each in a run folder of its own, and keep what they reached.

    A fold is trained on the images of the others and validated on its own, with the plan of all folds and a seed of
    its own. One that was cut goes on; one that was done and is now missing or damaged is trained anew.

    Args:
        run: The folder of the folds.
        config: That of each fold, but for its means and seed.
        record: What was seen, and where it lies.
        dataset: All images.
        device: What to train on.
        started: When the minutes of the first one began; those of the others begin where one has ended.
        closing: As for ``TimeBudget``, of each.

    Raises:
        InputError: As ``fit``.
    """
    folds = read_folds(run)
    epochs, start, trained = 0, time.monotonic(), 0
    for fold in range(folds.count):
        folder = fold_folder(run, fold)
        place = f"{folder.name} ({fold + 1} of {folds.count})"
        if fold in folds.scores:
            if _can_be_read(folder, config):
                logger.info(f"{place} is done: Dice {folds.scores[fold].dice:.4f}")
                continue
            logger.info(f"{place} is missing or damaged: trained anew")
            folds = folds.model_copy(update={"scores": {k: v for k, v in folds.scores.items() if k != fold}})
            write_folds(run, folds)
            shutil.rmtree(folder, ignore_errors=True)
        training = _fit_fold(folder, fold, folds, config, record, dataset, device, place, started, closing)
        started = time.monotonic()
        epochs += training.epochs
        if training.interrupted:
            return TrainResult(
                run, epochs, None, folds.dice_at(), True, device, folds, dataset, training.validation_images,
                training.terminated,
            )  # fmt: skip
        score = FoldScore(
            images=list(folds.fold_of.values()).count(fold), epochs=training.epochs, dice_at=training.dice_at
        )
        folds = folds.model_copy(update={"scores": folds.scores | {fold: score}})
        write_folds(run, folds)
        trained += 1
        minutes = (time.monotonic() - start) / 60 / trained * (folds.count - len(folds.scores))
        logger.info(
            f"{place}: Dice {score.dice:.4f} on {score.images} images; about {minutes:.0f} minutes left for all folds"
        )
    return TrainResult(run, epochs, None, folds.dice_at(), False, device, folds, dataset, config.plan.validation_images)


def _fit_fold(
    folder: Path,
    fold: int,
    folds: Folds,
    config: RunConfig,
    record: RunData,
    dataset: Dataset,
    device: Device,
    place: str,
    started: float | None,
    closing: float,
) -> TrainResult:
    """Train one fold, or go on with it."""
    of_fold: dict[str, Split] = {name: "val" if of == fold else "train" for name, of in folds.fold_of.items()}
    splits = record.splits | of_fold
    training, validation = ([s for s in dataset.samples if splits[s.name] == split] for split in ("train", "val"))
    plan = config.plan.model_copy(update={"seed": config.plan.seed + fold})
    preprocessing = fit_preprocessing(plan, dataset, training, record.fingerprint)
    begun = has_checkpoint(folder)
    if not begun:
        shutil.rmtree(folder, ignore_errors=True)  # of a fold that was killed before its first epoch had ended
    mine = config.model_copy(update={"plan": plan, "preprocessing": preprocessing})
    with run_lock(folder):
        write_run(folder, mine, record.model_copy(update={"splits": splits}), environment(device))
        doing = "goes on" if begun else "begins"
        logger.info(f"{place}: {doing}, {len(training)} images to train, {len(validation)} to validate")
        return fit(
            folder, mine, training, validation, device,
            resume=begun, dataset=dataset, started=started, closing=closing,
        )  # fmt: skip


def _can_be_read(folder: Path, config: RunConfig) -> bool:
    try:
        load_model(folder / FILE_NAME, config.plan.model)
    except DamagedError:
        return False
    return True
