"""Dice of one image, by which weights, thresholds and exported files are chosen."""

from __future__ import annotations

import torch
from monai.metrics import compute_dice
from torch import Tensor

from amsunet.data.masks import IGNORE_INDEX
from amsunet.inference.forward import to_labels


def dice_by_class(probabilities: Tensor, labels: Tensor, threshold: float, smallest: float = 0) -> Tensor:
    """Dice of each class but the background, (num_classes - 1,), of one image: 1 where both are empty, NaN in an image
    without a pixel that counts.

    Args:
        probabilities: (1, K, h, w).
        labels: (1, h, w), ``IGNORE_INDEX`` left out.
        threshold, smallest: as for ``to_labels``.
    """
    found = torch.from_numpy(to_labels(probabilities[0].cpu().numpy(), threshold, smallest))
    true = labels.cpu()
    counted = true != IGNORE_INDEX
    if not counted.any():
        return torch.full((probabilities.shape[1] - 1,), torch.nan)
    dice: Tensor = compute_dice(
        (found * counted)[:, None],
        (true * counted)[:, None],
        include_background=False,
        ignore_empty=False,
        num_classes=probabilities.shape[1],
    )
    return dice[0]


def classes_in(labels: Tensor, num_classes: int) -> Tensor:
    """Whether each class but the background, (num_classes - 1,), is in labels: one that is in no image has no Dice."""
    numbers = torch.arange(1, num_classes, device=labels.device)
    return torch.isin(numbers, labels.long()).cpu()
