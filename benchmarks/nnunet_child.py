"""nnU-Net trained for some minutes on a CPU, by its own code and in its own environment: see ``beside_nnunet.py``.

    python benchmarks/nnunet_child.py ID PLANS MEMORY MINUTES FOLDER_OF_IMAGES FOLDER_OF_MASKS

Needs nnunetv2 alone. It plans (for a GPU of MEMORY gigabytes, 0 for what it plans itself), preprocesses, trains fold 0
with epochs and iterations fitted to the minutes, and predicts the images as nnU-Net does by default, mirrored views
included. The last line is JSON: what it planned, how much it trained, and how long each part took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

EPOCHS = 10
"""The learning rate falls, and the network is validated, so often; nnU-Net's own 1,000 of 250 iterations take days."""
VALIDATION_ITERATIONS = 2
CONFIGURATION = "2d"


def prepare(dataset: int, plans: str, memory: float) -> None:
    """Fingerprint, plan and preprocess a data set that lies under nnUNet_raw."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (  # noqa: PLC0415 - after its folders are set
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    extract_fingerprints([dataset], num_processes=1)
    plan_experiments([dataset], gpu_memory_target_in_gb=memory or None, overwrite_plans_name=plans)
    preprocess([dataset], plans, configurations=(CONFIGURATION,), num_processes=(1,))


def trainer_of(dataset: int, plans: str) -> Any:
    """A fresh trainer of fold 0, on the CPU."""
    import torch  # noqa: PLC0415
    from nnunetv2.run.run_training import get_trainer_from_args  # noqa: PLC0415

    trainer = get_trainer_from_args(str(dataset), CONFIGURATION, 0, plans_identifier=plans, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_val_iterations_per_epoch = EPOCHS, VALIDATION_ITERATIONS
    return trainer


def seconds_per_step(dataset: int, plans: str) -> float:
    """Of a training step with its batch, after one to warm up; its weights are thrown away."""
    trainer = trainer_of(dataset, plans)
    trainer.on_train_start()
    trainer.on_epoch_start()
    trainer.on_train_epoch_start()
    trainer.train_step(next(trainer.dataloader_train))
    begun, steps = time.monotonic(), 2
    for _ in range(steps):
        trainer.train_step(next(trainer.dataloader_train))
    seconds = (time.monotonic() - begun) / steps
    for loader in (trainer.dataloader_train, trainer.dataloader_val):
        finish = getattr(loader, "_finish", None)  # of one that prepares batches in processes of its own
        if finish is not None:
            finish()
    return seconds


def train(dataset: int, plans: str, minutes: float) -> tuple[Any, dict[str, Any]]:
    """Train for about as many minutes, the validation of each epoch included."""
    step = seconds_per_step(dataset, plans)
    trainer = trainer_of(dataset, plans)
    looking = VALIDATION_ITERATIONS * step / 3  # of a step the forward pass is a third
    trainer.num_iterations_per_epoch = max(1, int((60 * minutes / EPOCHS - looking) / step))
    begun = time.monotonic()
    trainer.run_training()
    return trainer, {
        "seconds_per_step": step,
        "epochs": EPOCHS,
        "iterations_per_epoch": trainer.num_iterations_per_epoch,
        "training_minutes": (time.monotonic() - begun) / 60,
    }


def predict(trainer: Any, images: Path, masks: Path) -> float:
    """Predict a folder with the final weights; returns seconds an image."""
    import torch  # noqa: PLC0415
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: PLC0415

    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(trainer.output_folder_base, (0,))
    files = sorted(images.glob("*_0000.png"))
    masks.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    outputs = [str(masks / file.name.removesuffix("_0000.png")) for file in files]
    predictor.predict_from_files_sequential([[str(file)] for file in files], outputs)
    return (time.monotonic() - begun) / max(1, len(files))


def main() -> None:
    dataset, plans, memory, minutes, images, masks = sys.argv[1:]
    prepare(int(dataset), plans, float(memory))
    trainer, told = train(int(dataset), plans, float(minutes))
    configuration = trainer.configuration_manager
    told |= {
        "patch_size": list(configuration.patch_size),
        "batch_size": configuration.batch_size,
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "prediction_seconds": predict(trainer, Path(images), Path(masks)),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "versions": {name: version(name) for name in ("nnunetv2", "torch")},
    }
    print(json.dumps(told))


if __name__ == "__main__":  # its loaders may start processes by importing this file
    main()
