"""Augmentation of whole batches, on the device that trains."""

from __future__ import annotations

import logging
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

Strength = Literal["none", "paper", "light", "medium", "strong"]


class Augmentation:
    """Flips, quarter turns, affine maps, inversion, colour, gamma, blur and noise.

    All is drawn from (seed, epoch, batch) alone. Call: images (N, C, H, W) in 0 ... 1 and labels (N, H, W) of int64
    to the same, augmented alike. What an affine map brings in from outside is mirrored.
    """

    def __init__(self, strength: Strength, *, coloured: bool, quarter_turns: bool, inversion: bool) -> None:
        self._steps = None if strength == "none" else _build(strength, coloured, quarter_turns, inversion)

    def __call__(self, images: Tensor, labels: Tensor, seed: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        if self._steps is None:
            return images, labels
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
            # Nearest-neighbour sampling keeps every label a label, 255 included.
            images, masks = self._steps(images, labels[:, None].to(images.dtype))
        return images.clamp(0, 1), masks[:, 0].round().long()


def _build(strength: Strength, coloured: bool, quarter_turns: bool, inversion: bool) -> Any:
    import kornia.augmentation as K  # noqa: PLC0415 - seconds to import, needed in training alone
    from kornia.constants import Resample  # noqa: PLC0415

    logging.getLogger("kornia").setLevel(logging.ERROR)
    steps: list[Any] = [K.RandomHorizontalFlip(p=0.5), K.RandomVerticalFlip(p=0.5)]
    if strength == "paper":
        steps.append(K.RandomAffine(0.0, scale=(0.7, 1.3), p=1.0, padding_mode="reflection"))
    else:
        steps += _stronger({"light": 0.5, "medium": 1.0, "strong": 1.6}[strength], coloured, quarter_turns, inversion)
    return K.AugmentationSequential(
        *steps, data_keys=["input", "mask"], extra_args={"mask": {"resample": Resample.NEAREST, "align_corners": False}}
    )


def _stronger(amount: float, coloured: bool, quarter_turns: bool, inversion: bool) -> list[Any]:
    import kornia.augmentation as K  # noqa: PLC0415
    from kornia.constants import Resample  # noqa: PLC0415

    jitter, zoom = 0.15 * amount, 1 + 0.25 * amount
    turns = [K.RandomRotation90((0, 3), p=0.75, resample=Resample.NEAREST)] if quarter_turns else []
    return [
        *turns,
        *([K.RandomInvert(p=0.25 * amount)] if inversion else []),
        K.RandomAffine(15 * amount, scale=(1 / zoom, zoom), p=0.4 * amount, padding_mode="reflection"),
        K.ColorJiggle(jitter, jitter, jitter if coloured else 0, 0.03 * amount if coloured else 0, p=0.7)
        if coloured
        else K.RandomBrightness((1 - jitter, 1 + jitter), p=0.7),
        K.RandomGamma((1 - 0.3 * amount, 1 + 0.4 * amount), p=0.3 * amount),
        K.RandomGaussianBlur((5, 5), (0.3, 1.2), p=0.1 * amount),
        K.RandomGaussianNoise(0.0, 0.02 * amount, p=0.15 * amount),
    ]
