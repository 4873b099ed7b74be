"""The foreground threshold, chosen on validation images."""

from __future__ import annotations

from pathlib import Path

import torch

from amsunet.data.crops import PreparedImages
from amsunet.data.layout import Sample
from amsunet.data.preprocessing import channels_first
from amsunet.inference.dice import dice_by_class
from amsunet.inference.forward import compute_logits
from amsunet.inference.model_file import for_inference, load_model, save_model
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.machine import Machine


def choose_threshold(path: Path, validation: list[Sample], machine: Machine, own: str | None) -> dict[float, float]:
    """Find the foreground threshold that is best on all validation images and save it.

    Returns: mean Dice over images and classes by threshold.
    """
    network, description = load_model(path, own)
    placed = machine.place(for_inference(network, description.temperature))
    at_work = TorchRuntime(placed, description.preprocessing, machine)
    images = PreparedImages(validation, description.convention, description.preprocessing)
    thresholds = [0.5] if description.convention.num_classes > 2 else [0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7]
    scores = torch.zeros(len(images), len(thresholds))
    for index in range(len(images)):
        image, labels = images[index]
        logits = torch.from_numpy(compute_logits(at_work, channels_first(image)[None]))
        probabilities, target = torch.softmax(logits, dim=1), torch.from_numpy(labels)[None]
        for column, threshold in enumerate(thresholds):
            scores[index, column] = dice_by_class(probabilities, target, threshold).mean()
    dice_at = dict(zip(thresholds, scores.mean(dim=0).tolist(), strict=True))
    best = max(dice_at, key=dice_at.__getitem__)
    save_model(path, network, description.model_copy(update={"threshold": best}))
    return dice_at
