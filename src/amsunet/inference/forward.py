"""Prepared images through a network to logits, whole or tile by tile."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.data.utils import dense_patch_slices
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.data.preprocessing import Preprocessing
from amsunet.machine import Machine

WHOLE_IMAGE_PIXELS = 1024 * 1024
"""Images up to this working size go through the network whole."""
TILE = 512
OVERLAP = 0.25
_SMALLEST_SIDE = 32
_BAND = 512


def compute_logits(
    network: nn.Module,
    images: Tensor,
    preprocessing: Preprocessing,
    machine: Machine,
    *,
    flips: bool = False,
) -> Tensor:
    """Run the network in evaluation mode.

    Args:
        images: (N, C, h, w) of uint8 on the CPU, windowed and resized.
        flips: average the logits over the image and its three mirror images.

    Returns: logits (N, num_classes, h, w), float32, on the CPU.
    """

    def forward(patch: Tensor) -> Tensor:
        x = preprocessing.standardise(patch.to(machine.device).float() / 255)
        x = x.contiguous(memory_format=torch.channels_last)
        with machine.autocast():
            logits: Tensor = network(x)
        return logits.float()

    def mirrored(patch: Tensor) -> Tensor:
        if not flips:
            return forward(patch)
        axes: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))
        return torch.stack([forward(patch.flip(axis)).flip(axis) for axis in axes]).mean(dim=0)

    height, width = images.shape[-2:]
    padded = _pad(images, _SMALLEST_SIDE)
    with torch.inference_mode():
        if padded.shape[-2] * padded.shape[-1] <= WHOLE_IMAGE_PIXELS:
            logits = mirrored(padded).cpu()
        else:
            logits = _by_tiles(padded, mirrored)
    return logits[..., :height, :width]


def _by_tiles(images: Tensor, forward: Callable[[Tensor], Tensor]) -> Tensor:
    """Run overlapping tiles and blend them by a Gaussian.

    MONAI's own sliding window keeps the whole image and its output as float several times over; this one keeps
    the image as uint8 and the sum of the logits once.
    """
    # A side shorter than the tile must not be filled up: the channel gates average over all they see.
    sides = tuple(images.shape[-2:])
    tile = tuple(min(TILE, side) for side in sides)
    steps = tuple(max(1, int(side * (1 - OVERLAP))) for side in tile)
    along = [_gaussian(side) for side in tile]
    total, weights = torch.empty(0), [torch.zeros(side) for side in sides]
    places = dense_patch_slices(sides, tile, steps)
    for rows, columns in places:
        logits = forward(images[..., rows, columns]).cpu()
        if not total.numel():
            total = torch.zeros(*logits.shape[:2], *sides)
        total[..., rows, columns] += logits * (along[0][:, None] * along[1])
    # The tiles stand in a grid, so the sum of their weights is that of the rows times that of the columns.
    for rows in {rows.start: rows for rows, _ in places}.values():
        weights[0][rows] += along[0]
    for columns in {columns.start: columns for _, columns in places}.values():
        weights[1][columns] += along[1]
    return total.div_(weights[0][:, None]).div_(weights[1])


def _gaussian(side: int) -> Tensor:
    """Weights of a tile along one side, (side,), largest in the middle and never zero."""
    place = (torch.arange(side) - (side - 1) / 2) / (side / 8)
    return torch.exp(-(place**2) / 2).clamp(min=0.03)


def _pad(images: Tensor, smallest: int) -> Tensor:
    """Repeat the border of small images below and to the right, up to the smallest size a network takes."""
    missing = [max(0, smallest - side) for side in images.shape[-2:]]
    if not any(missing):
        return images
    return F.pad(images.float(), (0, missing[1], 0, missing[0]), mode="replicate").to(images.dtype)


def to_probabilities(logits: Tensor, height: int, width: int) -> Tensor:
    """Logits (N, K, h, w) to probabilities (N, K, height, width): the one place where this is done.

    The logits are used up: at the size of the image the probabilities take their place in memory.
    """
    if logits.shape[-2:] != (height, width):
        logits = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    with torch.inference_mode():
        for band in torch.split(logits, _BAND, dim=2):  # a whole large image at once would need its memory again
            band.copy_(torch.softmax(band, dim=1))
    return logits


def to_labels(probabilities: Tensor, threshold: float) -> Tensor:
    """Probabilities (N, K, H, W) to labels (N, H, W) of uint8: with two classes foreground above the threshold,
    with more the likeliest class.
    """
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] > threshold).to(torch.uint8)
    return probabilities.argmax(dim=1).to(torch.uint8)
