"""Validation: the logits of images, computed once for all that is chosen by them, and the Dice of an image."""

from __future__ import annotations

import numpy as np
import torch
from monai.metrics import compute_dice
from torch import Tensor, nn

from amsunet.data.crops import PreparedImages
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.preprocessing import channels_first
from amsunet.device import Device
from amsunet.inference.forward import compute_logits, to_labels
from amsunet.inference.model_file import for_inference
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.memory import MemoryCache
from amsunet.progress import report

_CLEARLY = 2.0
"""Standard errors."""


class ValidationLogits:
    """The network's logits (K, h, w) with labels (h, w) of uint8, both at working size, by image.

    Kept in memory as far as there is room; what is not kept is computed at every access.
    """

    def __init__(
        self,
        network: nn.Module,
        description: ModelDescription,
        images: PreparedImages,
        device: Device,
    ) -> None:
        self._images = images
        self._at_work = TorchRuntime(
            device.place(for_inference(network)), description.preprocessing, device, graphs=True
        )
        self._logits: MemoryCache[int, Array] = MemoryCache(lambda logits: logits.nbytes)

        self.num_classes = description.convention.num_classes

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        report(index + 1, len(self), "image")
        image, labels = self._images[index]
        return self._logits.get(index, lambda: compute_logits(self._at_work, channels_first(image)[None])[0]), labels


def dice_by_class(probabilities: Tensor, labels: Tensor, threshold: float, smallest: float = 0) -> Tensor:
    """Dice of each class but the background, of one image.

    Args:
        probabilities: (1, K, h, w).
        labels: (1, h, w), ``IGNORE_INDEX`` left out.
        threshold: As for ``to_labels``.
        smallest: As for ``to_labels``.

    Returns:
        (K - 1,): 1 where both are empty, NaN in an image without a pixel that counts.
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


def clearly_best(scores: Array) -> int:
    """The column of the best mean, (images, choices), if it gains clearly on the first one, else the first one.

    Args:
        scores: The higher the better.
    """
    best = int(scores.mean(axis=0).argmax())
    gains = scores[:, best] - scores[:, 0]
    return best if gains.mean() > _CLEARLY * gains.std() / np.sqrt(len(gains)) else 0


def classes_in(labels: Tensor, num_classes: int) -> Tensor:
    """Whether each class but the background is in labels: one that is in no image has no Dice.

    Returns:
        (num_classes - 1,) of bool.
    """
    numbers = torch.arange(1, num_classes, device=labels.device)
    return torch.isin(numbers, labels.long()).cpu()
