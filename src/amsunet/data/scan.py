"""One look at every file of a data set: what is fine, what is not, and the figures of what is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amsunet.data.images import Array, read_image, read_mask
from amsunet.data.layout import Sample
from amsunet.data.masks import MaskSummary, summarise_mask
from amsunet.errors import InputError

THUMBNAIL = 16


@dataclass(frozen=True)
class Scan:
    """What one readable sample holds."""

    sample: Sample
    height: int
    width: int
    channels: int
    coloured: bool
    """Whether the channels differ anywhere."""
    bits: int
    mean: tuple[float, ...]
    """Of each channel, as a share of the type's range, inside the region of interest."""
    std: tuple[float, ...]
    masks: dict[str, MaskSummary]
    thumbnail: Array
    """(16, 16) of float32, zero mean and unit norm, to find near-duplicates by."""
    checksum: str


@dataclass(frozen=True)
class Problem:
    """Something that keeps a sample from being used."""

    kind: str
    path: Path
    message: str


def scan_samples(
    samples: Sequence[Sample], progress: Callable[[int, int], None] | None = None
) -> tuple[list[Scan], list[Problem]]:
    """Read every sample once; the order is kept."""
    scans, problems = [], []
    with ThreadPoolExecutor() as pool:
        for done, outcome in enumerate(pool.map(_scan_or_problem, samples), start=1):
            if isinstance(outcome, Scan):
                scans.append(outcome)
            else:
                problems.append(outcome)
            if progress:
                progress(done, len(samples))
    return scans, problems


def _scan_or_problem(sample: Sample) -> Scan | Problem:
    try:
        return _scan(sample)
    except InputError as error:
        kind = "sizes that differ" if "pixels, its" in str(error) else "unreadable files"
        return Problem(kind, sample.image, str(error))


def _scan(sample: Sample) -> Scan:
    image = read_image(sample.image)
    height, width, channels = image.shape
    masks = {}
    for name, path in sample.masks.items():
        raw = read_mask(path)
        _refuse_other_size(image, raw, sample.image, path)
        masks[name] = summarise_mask(raw, path)
    inside = image.reshape(-1, channels)
    if sample.roi is not None:
        roi = read_mask(sample.roi)
        _refuse_other_size(image, roi, sample.image, sample.roi)
        if roi.ndim == 3 or not roi.any():
            raise InputError(
                f"{sample.roi} marks no field of view in black and white: save it as 0 outside, 255 inside"
            )
        inside = image[roi != 0]
    top = float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0
    mean, std = _mean_and_deviation(inside)
    coloured = channels == 3 and not (image == image[..., :1]).all()
    return Scan(
        sample,
        height,
        width,
        channels,
        coloured,
        8 * image.dtype.itemsize,
        tuple((mean / top).tolist()),
        tuple((std / top).tolist()),
        masks,
        _thumbnail(image),
        hashlib.sha1(np.ascontiguousarray(image).data, usedforsecurity=False).hexdigest(),
    )


def _refuse_other_size(image: Array, mask: Array, image_path: Path, mask_path: Path) -> None:
    if mask.shape[:2] != image.shape[:2]:
        raise InputError(
            f"{image_path} has {image.shape[1]} x {image.shape[0]} pixels, its mask {mask_path} "
            f"{mask.shape[1]} x {mask.shape[0]}: export both at the same size"
        )


def _mean_and_deviation(pixels: Array) -> tuple[Array, Array]:
    """Of each channel of (N, C). Of whole numbers they are counted, which takes a quarter of NumPy's time for them."""
    if pixels.dtype.kind != "u" or not len(pixels):
        return pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)
    counts = [np.bincount(pixels[:, channel]) for channel in range(pixels.shape[1])]
    means = [counted @ np.arange(len(counted)) / len(pixels) for counted in counts]
    variances = [
        counted @ (np.arange(len(counted)) - mean) ** 2 / len(pixels)
        for counted, mean in zip(counts, means, strict=True)
    ]
    return np.array(means), np.sqrt(variances)


def _thumbnail(image: Array) -> Array:
    # Channel by channel: NumPy is slow along an axis of three.
    grey = sum(image[..., channel].astype(np.float32) for channel in range(image.shape[2])) / image.shape[2]
    small = np.asarray(Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    centred: Array = small - small.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-6))
