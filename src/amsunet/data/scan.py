"""Read every file of a data set once: which samples can be used, and their figures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.channels import Names, channel_names, describe_channels
from amsunet.data.discovery.layout import Sample
from amsunet.data.image_file import count_pixels, memory_errors
from amsunet.data.image_spacing import spacing_of
from amsunet.data.images import Array, read_image
from amsunet.data.masks.files import Reading
from amsunet.data.masks.mask_cache import MaskCache
from amsunet.data.masks.summary import MaskSummary, summarise
from amsunet.data.normalization import nearly_all
from amsunet.data.pixel_grid import is_turned_apart, refuse_other_size
from amsunet.data.spacing import Spacing
from amsunet.data.thumbnail import detail_of, grey_of, thumbnail_of
from amsunet.data.value_range import ValueRange, common_range, values_of
from amsunet.errors import InputError
from amsunet.memory import MemoryBudget
from amsunet.progress import report

_SAMPLED_SIDE = 512
_BYTES_A_PIXEL = 28
"""What the scan of an image and its mask takes at most, as measured."""
_KINDS = {
    "size": "sizes that differ",
    "same-object": "masks that mark one object twice",
    "not-joined": "masks of one image that cannot be joined",
    "channels": "channels that are not read",
    "no-field-of-view": "fields of view that are empty",
}
"""Kinds of problems by the code of the error."""


@dataclass(frozen=True)
class Scan:
    """The figures of one readable sample."""

    sample: Sample
    height: int
    width: int
    channels: int
    coloured: bool
    """Whether the channels are colours and differ in any pixel."""
    values: ValueRange
    channel_balance: float
    """Range of the dimmest channel over that of the brightest; 1 for grey images and for 8 bits."""
    turned_apart: bool
    """Whether image and mask have different orientations, and their sizes do not confirm it."""
    mean: tuple[float, ...]
    """Per channel, inside the field of view, as a share of the range of the data set's images of this type."""
    std: tuple[float, ...]
    masks: dict[str, MaskSummary]
    thumbnail: Array
    """(16, 16) of float32, zero mean and unit norm, to find near-duplicates."""
    checksum: str
    """Checksum of the image's pixels."""
    mask_checksum: str
    """Checksum of the pixels of the masks, with palette and transparency."""
    detail: Array
    """(64, 64) of int8: what the thumbnail leaves out, which distinguishes a copy from a similar image."""
    channel_names: Names = ()
    """The names of the channels; empty for grey and colours."""

    @property
    def spacing(self) -> Spacing | None:
        """Millimetres a pixel, down and across, where it is known."""
        return self.sample.spacing

    def read_as(self, reading: Reading) -> Scan:
        """The same scan with its mask files read in another way."""
        return replace(self, masks={name: mask.read_as(reading) for name, mask in self.masks.items()})


@dataclass(frozen=True)
class Problem:
    """The reason why a sample cannot be used."""

    kind: str
    path: Path
    message: str


def scan_samples(
    samples: Sequence[Sample],
    *,
    apart: bool = False,
    masks: MaskCache | None = None,
    spacing: Spacing | None = None,
) -> tuple[list[Scan], list[Problem]]:
    """Read every sample once.

    Args:
        samples: The samples of a data set.
        apart: Number the objects of masks in several files, instead of joining them.
        masks: Keeps the masks that are read, for later readers.
        spacing: Of the pixels of all images, in place of what their files say.

    Returns:
        The scans of the readable samples in their order, and the problems of the others.
    """
    scans, problems = [], []
    scan = partial(_scan_or_problem, apart=apart, cache=masks or MaskCache(), budget=MemoryBudget(), spacing=spacing)
    with ThreadPoolExecutor() as pool:
        for done, outcome in enumerate(pool.map(scan, samples), start=1):
            if isinstance(outcome, Scan):
                scans.append(outcome)
            else:
                problems.append(outcome)
            report(done, len(samples), "image")
    return _in_shares(scans), problems


def with_same_channels(scans: Sequence[Scan]) -> tuple[list[Scan], list[Problem]]:
    """Separate the samples whose channels are those of most images from the others; grey goes with colours.

    Args:
        scans: The scans of a data set.

    Returns:
        The scans that have the same channels, and the problems of the others.
    """
    count = Counter(len(scan.channel_names) for scan in scans).most_common(1)[0][0] if scans else 0  # 0: grey, colours
    orders = Counter(scan.channel_names for scan in scans if len(scan.channel_names) == count)
    good: list[Scan] = []
    problems = []
    for scan in scans:
        names = scan.channel_names
        usual = max(orders, key=lambda one: ({*one} == {*names}, orders[one]))
        if len(names) == count and (names == usual or {*names} != {*usual}):
            good.append(scan)
            continue
        other = next(one for one in scans if one.channel_names == usual)
        has, of_others = (describe_channels(one.channels, one.channel_names) for one in (scan, other))
        path = scan.sample.image
        text = f"{path} has {has}, and {other.sample.image} {of_others}: give all images the same channels in one order"
        problems.append(Problem("channels that differ", path, text))
    return good, problems


def mixed_depths(scans: Iterable[Scan]) -> list[str]:
    """Warn of images that are stored in several pixel types, and name one of each."""
    scans = list(scans)
    ranges = common_range(scan.values for scan in scans)
    if len(ranges) < 2:
        return []
    found = {kind: [scan.sample.image for scan in scans if scan.values.type == kind] for kind in ranges}
    counts = ", ".join(f"{len(paths)} have {ranges[kind]} ({paths[0].name})" for kind, paths in found.items())
    return [
        f"images differ in depth: {counts}: the plan "
        "normalizes each by its own values; save all in one depth if their brightness has a meaning"
    ]


def warn_of_same_files(scans: Sequence[Scan]) -> list[str]:
    """Warn if all masks are equal, or masks equal their images, and name two files."""
    warnings = []
    if len(scans) > 1 and len({scan.mask_checksum for scan in scans}) == 1:
        a, b = (next(iter(scan.sample.masks.values())) for scan in scans[:2])
        warnings.append(f"all {len(scans)} masks are equal, as {a} and {b}: check that they belong to these images")
    same = [scan.sample for scan in scans if scan.checksum == scan.mask_checksum]
    if same:
        mask = next(iter(same[0].masks.values()))
        many = "1 mask equals its image" if len(same) == 1 else f"{len(same)} masks equal their images"
        warnings.append(f"{many}, as {mask} and {same[0].image}: check them")
    return warnings


def warn_of_blank(scans: Sequence[Scan], shares: Mapping[str, float]) -> list[str]:
    """Warn of images that hold one value everywhere, where their masks mark something.

    Args:
        scans: The scans of a data set.
        shares: The share of foreground of each sample, by its name.
    """
    found = [scan for scan in scans if scan.values.low == scan.values.high and shares[scan.sample.name] > 0]
    if not found:
        return []
    many = "1 image holds" if len(found) == 1 else f"{len(found)} images hold"
    first = found[0]
    return [
        f"{many} one value everywhere, and the mask marks something, as {first.sample.image} ({first.values.low:g}): "
        "copy it again from where it came, or remove it with its mask"
    ]


def _in_shares(scans: list[Scan]) -> list[Scan]:
    """Convert means and standard deviations to shares of the range, so that 12 bits in 16 are as bright as 8 bits."""
    ranges = common_range(scan.values for scan in scans)
    shared = []
    for scan in scans:
        known = ranges[scan.values.type]
        span = (known.high - known.low) or 1.0
        mean = tuple((one - known.low) / span for one in scan.mean)
        shared.append(replace(scan, mean=mean, std=tuple(one / span for one in scan.std)))
    return shared


def _scan_or_problem(
    sample: Sample, *, apart: bool, cache: MaskCache, budget: MemoryBudget, spacing: Spacing | None
) -> Scan | Problem:
    sample = replace(sample, spacing=spacing or spacing_of(sample.image))
    files = [sample.image, *sample.masks.values(), *(path for more in sample.more_masks.values() for path in more)]
    try:
        with budget.take(_BYTES_A_PIXEL * max(map(count_pixels, files))), memory_errors(sample.image):
            return _scan(sample, apart, cache)
    except InputError as error:
        return Problem(_KINDS.get(error.code, "unreadable files"), sample.image, str(error))


def _scan(sample: Sample, apart: bool, cache: MaskCache) -> Scan:
    image = read_image(sample.image)
    height, width, channels = image.shape
    masks, mask_checksum = {}, hashlib.sha1(usedforsecurity=False)
    for name, path in sample.masks.items():
        file = cache.open(sample, name, apart=apart)
        refuse_other_size(image, file.pixels, sample.image, path)
        for part in (file.pixels, file.palette, file.alpha):
            mask_checksum.update(b"" if part is None else np.ascontiguousarray(part).data)
        masks[name] = summarise(file, path, image)
    inside = image.reshape(-1, channels)
    if sample.roi is not None:
        roi = cache.region(sample.roi)
        refuse_other_size(image, roi, sample.image, sample.roi)
        if not roi.any():
            raise InputError(
                f"{sample.roi} holds no field of view: save it as 0 outside, 255 inside",
                code="no-field-of-view",
            )
        inside = image[roi]
    mean, std = _mean_and_deviation(inside)
    grey = _without_outliers(grey_of(image), image.dtype)
    names = channel_names(sample.image, channels)
    coloured = channels == 3 and not names and not (image == image[..., :1]).all()
    return Scan(
        sample,
        height,
        width,
        channels,
        coloured,
        values_of(image),
        _channel_balance(image),
        any(is_turned_apart(sample.image, path, square=height == width) for path in sample.masks.values()),
        tuple(mean.tolist()),
        tuple(std.tolist()),
        masks,
        thumbnail_of(grey),
        hashlib.sha1(np.ascontiguousarray(image).data, usedforsecurity=False).hexdigest(),
        mask_checksum.hexdigest(),
        detail_of(grey),
        names,
    )


def _without_outliers(grey: Array, stored: np.dtype[Any]) -> Array:
    """A deep image in grey whose few values far outside, as of dead pixels, do not hide the rest from a thumbnail."""
    if stored == np.uint8:
        return grey
    low, high = nearly_all(grey[:: max(1, len(grey) // _SAMPLED_SIDE)])
    return np.clip(grey, 2 * low - high, 2 * high - low) if high > low else grey


def _channel_balance(image: Array) -> float:
    if image.dtype == np.uint8 or image.shape[2] == 1:
        return 1.0
    step = max(1, max(image.shape) // _SAMPLED_SIDE)
    low, high = np.percentile(image[::step, ::step], (0.5, 99.5), axis=(0, 1))
    spans = (high - low)[high > low]  # an empty channel is not dim
    return float(spans.min() / spans.max()) if len(spans) else 1.0


def _mean_and_deviation(pixels: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each channel of (N, C); integers are counted, four times as fast as by NumPy."""
    if pixels.dtype.kind != "u" or not len(pixels):
        return pixels.mean(axis=0, dtype=np.float64), pixels.std(axis=0, dtype=np.float64)
    counts = [np.bincount(pixels[:, channel]) for channel in range(pixels.shape[1])]
    means = [counted @ np.arange(len(counted)) / len(pixels) for counted in counts]
    variances = [
        counted @ (np.arange(len(counted)) - mean) ** 2 / len(pixels)
        for counted, mean in zip(counts, means, strict=True)
    ]
    return np.array(means), np.sqrt(variances)
