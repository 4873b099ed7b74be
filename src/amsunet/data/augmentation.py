"""Augment whole batches on the training device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skimage.color import hed_from_rgb, rgb_from_hed
from torch import Tensor

from amsunet.choices import Extra, Flips, Strength

_AMOUNTS = {"light": 0.5, "medium": 1.0, "strong": 1.6}
_SHARE = 0.4
"""Share of the images whose stain is changed, per unit of strength."""


class Augmentation:
    """Random flips, quarter turns, affine maps, inversion, colour, gamma, blur and noise.

    All is drawn from (seed, epoch, batch) alone. Pixels that an affine map brings in from outside are mirrored.

    Args:
        strength: How much images change; ``paper`` flips and scales only, as the paper does.
        coloured: Whether images have colour, which is then varied too; otherwise only brightness is.
        quarter_turns: Whether images may be turned by 90, 180 and 270 degrees.
        inversion: Whether images may be inverted.
        extra: Augmentation beside that of light, medium or strong: ``stain`` varies haematoxylin and eosin.
        flips: The axes along which images may be flipped.
        separate: Whether channels are no colours: brightness, gamma, blur and noise are then drawn for each by itself.
    """

    def __init__(
        self,
        strength: Strength,
        *,
        coloured: bool,
        quarter_turns: bool,
        inversion: bool,
        extra: tuple[Extra, ...] = (),
        flips: Flips = "both",
        separate: bool = False,
    ) -> None:
        self._steps: Any = None
        self._alone: Any = None
        if strength != "none":
            self._steps, self._alone = _build(strength, coloured, flips, quarter_turns, inversion, separate)
        self._amount = _AMOUNTS.get(strength, 0.0)
        self._extra = extra

    def __call__(self, images: Tensor, labels: Tensor, seed: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Augment a batch; images and labels get the same geometry.

        Args:
            images: (N, C, H, W) in 0 ... 1.
            labels: (N, H, W) of int64, or (N, planes, H, W).
            seed: The training's seed, the epoch and the batch.

        Returns:
            Images and labels of the same shapes and types.
        """
        if self._steps is None:
            return images, labels
        devices = [images.device] if images.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
            masks = (labels if labels.dim() == images.dim() else labels[:, None]).to(images.dtype)
            if "stain" in self._extra:
                images = _stain(images, self._amount)
            # Nearest-neighbour sampling makes no new labels; 255 stays 255.
            images, masks = self._steps(images, masks)
            if self._alone is not None:
                images = self._alone(images.flatten(0, 1)[:, None]).reshape(images.shape)
        return images.clamp(0, 1), masks.reshape(labels.shape).round().long()


def _build(
    strength: Strength, coloured: bool, flips: Flips, quarter_turns: bool, inversion: bool, separate: bool
) -> tuple[Any, Any]:
    """What images and masks go through together, and what every channel goes through alone, where it does."""
    import kornia.augmentation as K  # noqa: PLC0415 - seconds to import, needed in training alone
    from kornia.constants import Resample  # noqa: PLC0415

    steps: list[Any] = [K.RandomHorizontalFlip(p=0.5)] if flips in ("both", "horizontal") else []
    steps += [K.RandomVerticalFlip(p=0.5)] if flips in ("both", "vertical") else []
    alone: list[Any] = []
    if strength == "paper":
        steps.append(K.RandomAffine(0.0, scale=(0.7, 1.3), p=1.0, padding_mode="reflection"))
    else:
        amount = _AMOUNTS[strength]
        zoom = 1 + 0.25 * amount
        inverted = [K.RandomInvert(p=0.25 * amount)] if inversion else []
        steps += [K.RandomRotation90((0, 3), p=0.75, resample=Resample.NEAREST)] if quarter_turns else []
        steps += [] if separate else inverted
        steps.append(K.RandomAffine(15 * amount, scale=(1 / zoom, zoom), p=0.4 * amount, padding_mode="reflection"))
        if separate:
            alone = [*inverted, *_intensities(amount, coloured=False)]
        else:
            steps += _intensities(amount, coloured)
    with_masks = K.AugmentationSequential(
        *steps, data_keys=["input", "mask"], extra_args={"mask": {"resample": Resample.NEAREST, "align_corners": False}}
    )
    return with_masks, K.AugmentationSequential(*alone, data_keys=["input"]) if alone else None


def _intensities(amount: float, coloured: bool) -> list[Any]:
    import kornia.augmentation as K  # noqa: PLC0415

    jitter = 0.15 * amount
    return [
        K.ColorJiggle(jitter, jitter, jitter, 0.03 * amount, p=0.7)
        if coloured
        else K.RandomBrightness((1 - jitter, 1 + jitter), p=0.7),
        K.RandomGamma((1 - 0.3 * amount, 1 + 0.4 * amount), p=0.3 * amount),
        K.RandomGaussianBlur((5, 5), (0.3, 1.2), p=0.1 * amount),
        K.RandomGaussianNoise(0.0, 0.02 * amount, p=0.15 * amount),
    ]


def _stain(images: Tensor, amount: float) -> Tensor:
    """Vary the amounts of haematoxylin, eosin and the residual in colour images.

    Source: Tellez et al., IEEE TMI 2018, arXiv 1808.05896.
    """
    to_stains, to_colours = (
        torch.from_numpy(matrix).to(images) for matrix in (np.asarray(hed_from_rgb), np.asarray(rgb_from_hed))
    )
    chosen = (torch.rand(len(images)) < _SHARE * amount)[:, None, None, None]
    factor, offset = ((2 * torch.rand(2, len(images), 3, 1, 1) - 1) * chosen * 0.2 * amount).to(images)
    density = torch.einsum("nchw,cs->nshw", -images.clamp(min=1e-3).log(), to_stains)
    density = density * (1 + factor) + 0.25 * offset
    stained = torch.exp(-torch.einsum("nshw,sc->nchw", density, to_colours)).clamp(0, 1)
    return torch.where(chosen.to(images.device), stained, images)
