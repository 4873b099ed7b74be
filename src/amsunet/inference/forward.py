"""Prepared images through a network to logits, whole or tile by tile, and on to labels; NumPy alone."""

from __future__ import annotations

import numpy as np
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.table import BAND
from amsunet.inference.objects import without_small
from amsunet.inference.runtime import Runtime

WHOLE_IMAGE_PIXELS = 1024 * 1024
"""Images up to this working size go through the network whole."""
TILE = 512
OVERLAP = 0.25
_SMALLEST_SIDE = 32


def compute_logits(runtime: Runtime, images: Array, *, flips: bool = False) -> Array:
    """Run a network.

    Args:
        images: (N, C, h, w) of uint8, windowed and resized.
        flips: average the logits over the image and its three mirror images.

    Returns: logits (N, num_classes, h, w), float32.
    """
    height, width = images.shape[-2:]
    padded = _pad(images, _SMALLEST_SIDE)
    whole = padded.shape[-2] * padded.shape[-1] <= WHOLE_IMAGE_PIXELS
    logits = (_mirrored if whole else _by_tiles)(runtime, padded, flips=flips)
    return logits[..., :height, :width]


def _mirrored(runtime: Runtime, images: Array, *, flips: bool) -> Array:
    if not flips:
        return runtime(images)
    axes: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))
    total = sum(np.flip(runtime(np.flip(images, axis)), axis) for axis in axes)
    return np.asarray(total / np.float32(len(axes)))


def _by_tiles(runtime: Runtime, images: Array, *, flips: bool) -> Array:
    """Run overlapping tiles and blend them by a Gaussian.

    MONAI's own sliding window keeps the whole image and its output as float several times over; this one keeps
    the image as uint8 and the sum of the logits once.
    """
    # A side shorter than the tile must not be filled up: the channel gates average over all they see.
    height, width = images.shape[-2:]
    tile = [min(TILE, side) for side in (height, width)]
    rows, columns = (_places(side, length) for side, length in zip((height, width), tile, strict=True))
    down, across = (_gaussian(length) for length in tile)
    total = np.empty(0, np.float32)
    for row in rows:
        for column in columns:
            logits = _mirrored(runtime, images[..., row, column], flips=flips)
            if not total.size:
                total = np.zeros((*logits.shape[:2], height, width), np.float32)
            total[..., row, column] += logits * (down[:, None] * across)
    # The tiles stand in a grid, so the sum of their weights is that of the rows times that of the columns.
    total /= _sum_of_weights(rows, down, height)[:, None]
    total /= _sum_of_weights(columns, across, width)
    return total


def _places(side: int, tile: int) -> list[slice]:
    """Where tiles lie along a side: every ``1 - OVERLAP`` of a tile, the last at the end."""
    step = max(1, int(tile * (1 - OVERLAP)))
    starts = (min(start, side - tile) for start in range(0, side - tile + step, step))
    return [slice(start, start + tile) for start in starts]


def _gaussian(side: int) -> Array:
    """Weights of a tile along one side, (side,), largest in the middle and never zero."""
    place = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 8)
    return np.maximum(np.exp(-(place**2) / 2), np.float32(0.03))


def _sum_of_weights(places: list[slice], weights: Array, side: int) -> Array:
    total = np.zeros(side, np.float32)
    for place in places:
        total[place] += weights
    return total


def _pad(images: Array, smallest: int) -> Array:
    """Repeat the border of small images below and to the right, up to the smallest size a network takes."""
    missing = [max(0, smallest - side) for side in images.shape[-2:]]
    return np.pad(images, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), "edge") if any(missing) else images


def to_probabilities(logits: Array, height: int, width: int) -> Array:
    """Logits (K, h, w) to probabilities (K, height, width): the one place where this is done.

    The logits are used up: at the size of the image the probabilities take their place in memory.
    """
    if logits.shape[1:] != (height, width):
        logits = _resized(logits, height, width)
    for start in range(0, height, BAND):  # a whole large image at once would need its memory again
        band = logits[:, start : start + BAND]
        band -= band.max(axis=0)
        np.exp(band, out=band)
        band /= band.sum(axis=0)
    return logits


def _resized(logits: Array, height: int, width: int) -> Array:
    out = np.empty((len(logits), height, width), np.float32)
    for plane, target in zip(logits, out, strict=True):
        picture = Image.fromarray(plane)
        for start in range(0, height, BAND):
            stop = min(start + BAND, height)
            box = (0, start * picture.height / height, picture.width, stop * picture.height / height)
            target[start:stop] = np.asarray(picture.resize((width, stop - start), Image.Resampling.BILINEAR, box))
    return out


def to_labels(probabilities: Array, threshold: float, smallest: float = 0) -> Array:
    """Probabilities (K, H, W) to labels (H, W) of uint8: with two classes foreground above the threshold, without
    objects and holes of fewer pixels than ``smallest``; with more the likeliest class.
    """
    if len(probabilities) == 2:
        mask = probabilities[1] > threshold
        return np.asarray(without_small(mask, smallest) if smallest else mask, np.uint8)
    labels = np.empty(probabilities.shape[1:], np.uint8)
    for start in range(0, len(labels), BAND):  # NumPy makes eight bytes of every pixel on the way
        labels[start : start + BAND] = probabilities[:, start : start + BAND].argmax(axis=0)
    return labels
