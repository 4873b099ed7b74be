"""Prepared images through a network to logits, whole or tile by tile, and on to labels; NumPy alone."""

from __future__ import annotations

import itertools

import numpy as np
from PIL import Image

from amsunet.choices import Flips
from amsunet.data.components import without_small
from amsunet.data.images import Array
from amsunet.data.lookup import BAND
from amsunet.inference import SMALLEST_SIDE
from amsunet.inference.runtime import Runtime
from amsunet.inference.runtime_options import TTA
from amsunet.inference.sliding_window import Axis, Tiling

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part, in pixels."""


def compute_logits(
    runtime: Runtime,
    images: Array,
    *,
    tta: TTA = "none",
    allowed: Flips = "both",
    tiling: Tiling = Tiling(),  # noqa: B008 - frozen
) -> Array:
    """Run a network.

    Args:
        runtime: What runs the network.
        images: (N, C, h, w) of uint8, normalised and resized.
        tta: Test-time augmentation: average the logits over views of the image (see ``RuntimeOptions``).
        allowed: The mirror images that show all classes as they are; the others, and quarter turns, are left out.
        tiling: Of images too large to go through whole.

    Returns:
        Logits (N, num_classes, h, w), float32.
    """
    height, width = images.shape[-2:]
    padded = pad_small(images)
    if tiling.cuts(*padded.shape[-2:]):
        logits = _by_tiles(runtime, padded, tiling, _views(tta, allowed))
    else:
        logits = _averaged(runtime, padded, _views(tta, allowed))
    return logits[..., :height, :width]


def _views(tta: TTA, allowed: Flips) -> list[tuple[int, bool]]:
    """Quarter turns, and whether mirrored left to right before. Upside down is mirrored, then turned by half."""
    flips = tta in ("flips", "d4")
    if allowed != "both":
        mirrored: dict[Flips, list[tuple[int, bool]]] = {"horizontal": [(0, True)], "vertical": [(2, True)]}
        return [(0, False), *(mirrored.get(allowed, []) if flips else [])]
    quarters = range(4) if tta in ("rotations", "d4") else (0, 2) if flips else (0,)
    return list(itertools.product(quarters, (False, True) if flips else (False,)))


def _averaged(runtime: Runtime, images: Array, views: list[tuple[int, bool]]) -> Array:
    if len(views) == 1:
        return runtime(images)
    total: Array = np.zeros((), np.float32)
    for quarters, mirrored in views:
        seen = np.rot90(images[..., ::-1] if mirrored else images, quarters, (2, 3))
        logits = np.rot90(runtime(seen), -quarters, (2, 3))
        total = total + (logits[..., ::-1] if mirrored else logits)
    return total / np.float32(len(views))


def _by_tiles(runtime: Runtime, images: Array, tiling: Tiling, views: list[tuple[int, bool]]) -> Array:
    """Run overlapping tiles and blend them by a Gaussian.

    MONAI's own sliding window keeps the whole image and its output as float several times over; this one keeps
    the image as uint8 and the sum of the logits once.
    """
    rows, columns = (Axis(side, tiling) for side in images.shape[-2:])
    total = np.empty(0, np.float32)
    for row, column in itertools.product(range(len(rows)), range(len(columns))):
        place = ..., rows.place(row), columns.place(column)
        logits = _averaged(runtime, images[place], views)
        if not total.size:
            total = np.zeros((*logits.shape[:2], *images.shape[-2:]), np.float32)
        total[place] += logits * (rows.weights(row)[:, None] * columns.weights(column))
    # The tiles stand in a grid, so the sum of their weights is that of the rows times that of the columns.
    total /= rows.sums[:, None]
    total /= columns.sums
    return total


def pad_small(images: Array) -> Array:
    """Repeat the border of small images below and to the right, up to the smallest size a network takes."""
    missing = [max(0, SMALLEST_SIDE - side) for side in images.shape[-2:]]
    return np.pad(images, ((0, 0), (0, 0), (0, missing[0]), (0, missing[1])), "edge") if any(missing) else images


def are_numbers(logits: Array) -> bool:
    """Whether none is NaN or infinite; no array of their size is made for it."""
    return bool(np.isfinite(logits.min()) and np.isfinite(logits.max()))


def to_probabilities(logits: Array, height: int, width: int, box: Box | None = None) -> Array:
    """Logits (K, h, w), or a box of them, to probabilities (K, height, width): the one place where this is done.

    Where logits are no numbers, as of a network that overflows on an image that it never saw the like of, all classes
    are equally likely. The logits are used up: at the size of the image the probabilities take their place in memory.
    """
    if logits.shape[1:] != (height, width) or box is not None:
        logits = _resized(logits, height, width, box or (0, 0, logits.shape[2], logits.shape[1]))
    for start in range(0, height, BAND):  # a whole large image at once would need its memory again
        band = logits[:, start : start + BAND]
        with np.errstate(invalid="ignore"):
            band -= band.max(axis=0)
        np.exp(band, out=band)
        total = band.sum(axis=0)
        band /= total
        if not np.isfinite(total).all():
            band[:, ~np.isfinite(total)] = 1 / len(band)
    return logits


def _resized(logits: Array, height: int, width: int, box: Box) -> Array:
    left, top, right, bottom = box
    down = (bottom - top) / height
    out = np.empty((len(logits), height, width), np.float32)
    for plane, target in zip(logits, out, strict=True):
        picture = Image.fromarray(plane)
        for start in range(0, height, BAND):
            stop = min(start + BAND, height)
            band = (left, top + start * down, right, min(top + stop * down, picture.height))
            target[start:stop] = np.asarray(picture.resize((width, stop - start), Image.Resampling.BILINEAR, band))
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
