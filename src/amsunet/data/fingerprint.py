"""The fingerprint of a data set: the figures that a training plan is derived from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict
from scipy import ndimage
from skimage.morphology import skeletonize

from amsunet.data.channels import common_names, describe_channels
from amsunet.data.dataset import Dataset
from amsunet.data.framing import Framing, MaskGeometry, measure_framing, measure_geometry
from amsunet.data.masks.convention import IGNORE_INDEX
from amsunet.data.mirrored import Axis, find_mirrored
from amsunet.data.normalization import has_dark_objects
from amsunet.data.scan import Scan
from amsunet.data.spacing import Spacing, common_spacing
from amsunet.data.value_range import ValueRange, common_range
from amsunet.data.window import find_window
from amsunet.records import Record

_MEASURED_MASKS = 24
_FEWEST_OF_A_KIND = 5
_LOOKED_AT = 12
"""Images of one kind that are read."""
_NEARLY_ALL = 0.8
_LINE = 0.15
"""Skeleton share of lines six to seven pixels wide; that of the discs of DSB2018, ten pixels wide, is 0.04."""
_OUTLINE = 3.0
"""Filling the outline of an object multiplies its area by more than this; a ring of muscle stays below."""
_HOLES = 2
"""Most holes per component of a mask of outlines, two of which may touch; the vessels of DRIVE have fifty an image."""


class Fingerprint(Record):
    """Figures over the training and validation images."""

    model_config = ConfigDict(extra="ignore")  # runs of earlier versions may hold figures that are gone
    former_names: ClassVar[Mapping[str, str]] = {"frame": "framing"}

    images: int
    median_height: int
    median_width: int
    smallest_side: int
    largest_side: int
    coloured: bool
    channel_names: tuple[str, ...] = ()
    """The names of the channels; empty for grey and colours."""
    bits: int
    """Bits of a stored value, in the deepest images."""
    values: tuple[ValueRange, ...] = ()
    """The range of the images of each pixel type, several if types are mixed; empty in runs of earlier versions."""
    channel_balance: float = 1.0
    """Range of the dimmest channel over that of the brightest, the median over deep colour images."""
    mean: tuple[float, ...]
    """Per channel, as a share of the range of the images of the same type."""
    std: tuple[float, ...]
    brightness_variation: float
    """Standard deviation of mean brightness between images, over the mean standard deviation within images."""
    bright_on_dark: bool = False
    """Whether foreground is darker than the background in bright images and brighter in dark ones."""
    class_shares: tuple[float, ...]
    """Share of pixels of each class among those not ignored."""
    thickness: float
    """Median width of foreground structures in pixels: twice the distance from their skeleton to the border."""
    skeleton_share: float = 0.0
    """Median of skeleton length over area, in 1 / pixels: one over the width for a line, less for a round object.
    Zero in runs of earlier versions."""
    empty_masks: int
    mirrored: tuple[tuple[str, str, Axis], ...] = ()
    """Classes that are mirror images of each other, and the flip that exchanges them."""
    outlined: tuple[str, float] | None = None
    """If nearly all masks are closed outlines: the path of one, and the factor by which filling it enlarges it."""
    spacing: Spacing | None = None
    """Millimetres a pixel of a typical image, down and across, where all of them are known."""
    window: tuple[float, float] | None = None
    """Of CT, where a value means a tissue: what nearly all of the foreground has, in Hounsfield units."""
    framing: Framing | None = None
    """Whether images show a whole view, or parts of something larger; None in runs of earlier versions."""

    @property
    def thin(self) -> bool:
        """Whether structures are thin lines, as vessels are: the skeleton is a large share of them."""
        return self.skeleton_share > _LINE

    @property
    def depth(self) -> str:
        """The depth of the images in words."""
        return " and ".join(map(str, self.values)) or f"{self.bits} bits"

    @property
    def warnings(self) -> list[str]:
        """Warnings on the masks."""
        if self.outlined is None:
            return []
        path, times = self.outlined
        return [
            f"masks are closed outlines of objects, as {path}, which filled would be {times:.1f} times as large; if "
            "the inside is meant, fill them"
        ]

    @property
    def structures(self) -> str:
        """The structures to segment in words."""
        kind = f"thin lines (skeleton {self.skeleton_share:.2f} of the area)" if self.thin else "structures"
        return f"{kind} about {self.thickness:.0f} pixels wide"

    def describe(self, class_names: Sequence[str]) -> str:
        """The images and what their masks mark, in one line.

        Args:
            class_names: Of all classes, background first.
        """
        kind = "colour" if self.coloured else "grey"
        if self.channel_names:
            kind = describe_channels(len(self.channel_names), self.channel_names)
        shares = ", ".join(f"{name} {share:.1%}" for name, share in zip(class_names, self.class_shares, strict=True))
        return (
            f"{self.images} images, median {self.median_width} x {self.median_height} pixels, {kind}, {self.depth}; "
            f"pixels: {shares}; {self.structures}"
        )


def take_fingerprint(dataset: Dataset, names: set[str]) -> Fingerprint:
    """Measure a data set; the costly figures are taken from an even selection of the samples.

    Args:
        dataset: The data set.
        names: The names of the samples to measure.

    Returns:
        The figures.
    """
    scans = [scan for scan in dataset.scans if scan.sample.name in names]
    shares, thickness, skeleton, empty, geometries, outlined = _measure_masks(dataset, scans)
    channels = common_names([scan.channel_names for scan in scans])
    means, stds = (
        np.array([one if channels else _three(one) for one in figures])
        for figures in ([scan.mean for scan in scans], [scan.std for scan in scans])
    )
    sides = [side for scan in scans for side in (scan.height, scan.width)]
    # The spread over the whole data set: within images and between them.
    total_std = np.sqrt((stds**2).mean(axis=0) + means.var(axis=0))
    coloured = any(scan.coloured for scan in scans)
    kept = slice(None) if coloured or channels else slice(1)
    return Fingerprint(
        images=len(scans),
        median_height=int(np.median([scan.height for scan in scans])),
        median_width=int(np.median([scan.width for scan in scans])),
        smallest_side=min(sides),
        largest_side=max(sides),
        coloured=coloured,
        channel_names=channels,
        bits=max(8 * np.dtype(scan.values.type).itemsize for scan in scans),
        values=tuple(common_range(scan.values for scan in scans).values()),
        channel_balance=float(np.median([scan.channel_balance for scan in scans])),
        mean=tuple(means.mean(axis=0)[kept].tolist()),
        std=tuple(np.maximum(total_std, 1e-3)[kept].tolist()),
        brightness_variation=float(means.mean(axis=1).std() / max(stds.mean(), 1e-6)),
        bright_on_dark=_bright_on_dark(dataset, scans),
        class_shares=shares,
        thickness=thickness,
        skeleton_share=skeleton,
        empty_masks=empty,
        mirrored=find_mirrored(dataset, scans),
        outlined=outlined,
        spacing=common_spacing(scan.spacing for scan in scans),
        window=find_window(dataset, scans),
        framing=measure_framing(scans, geometries),
    )


def _three(values: tuple[float, ...]) -> tuple[float, ...]:
    return values if len(values) == 3 else values[:1] * 3


def _measure_masks(
    dataset: Dataset, scans: list[Scan]
) -> tuple[tuple[float, ...], float, float, int, list[MaskGeometry], tuple[str, float] | None]:
    chosen = scans[:: max(1, len(scans) // _MEASURED_MASKS)]
    counts = np.zeros(dataset.convention.num_classes)
    figures, geometries, filled, empty = [], [], [], 0
    for scan in chosen:
        labels = dataset.read_labels(scan.sample)
        counts += np.bincount(labels[labels != IGNORE_INDEX], minlength=len(counts))[: len(counts)]
        foreground = (labels != 0) & (labels != IGNORE_INDEX)
        if not foreground.any():
            empty += 1
            continue
        figures.append(_thickness(foreground))
        geometries.append(measure_geometry(foreground, figures[-1][0]))
        filled.append((str(next(iter(scan.sample.masks.values()))), _growth_when_filled(foreground)))
    shares = counts / max(counts.sum(), 1)
    thickness, skeleton = np.median(figures, axis=0).tolist() if figures else (0.0, 0.0)
    outlines = [one for one in filled if one[1] > _OUTLINE]
    outlined = outlines[0] if outlines and len(outlines) >= _NEARLY_ALL * len(filled) else None
    return tuple(shares.tolist()), thickness, skeleton, round(empty * len(scans) / len(chosen)), geometries, outlined


def _growth_when_filled(foreground: np.ndarray) -> float:
    """The factor by which filling the holes enlarges a mask; 1 if there are many holes, as between vessels."""
    filled = ndimage.binary_fill_holes(foreground)
    growth = float(filled.sum() / foreground.sum())
    if growth <= _OUTLINE:
        return growth
    pieces, holes = (ndimage.label(one, np.ones((3, 3)))[1] for one in (foreground, filled & ~foreground))
    return growth if holes <= _HOLES * pieces else 1.0


def _bright_on_dark(dataset: Dataset, scans: list[Scan]) -> bool:
    """Whether images with dark objects and images with bright ones are mixed.

    Some dark grey images are read, and some others. True if the normalization finds dark objects in several and bright
    ones in several, and the masks agree in nearly all of them.
    """
    kinds = [
        [scan for scan in scans if (scan.coloured or np.mean(scan.mean) > 0.5) == bright] for bright in (True, False)
    ]
    if min(map(len, kinds)) < _FEWEST_OF_A_KIND:
        return False
    right: dict[bool, list[bool]] = {True: [], False: []}
    for kind in kinds:
        for scan in kind[:: -(-len(kind) // _LOOKED_AT)]:
            image, labels = dataset.read(scan.sample)
            dark = has_dark_objects(image)
            right[dark].append(_stands_out(image, labels, dark))
    return all(len(agree) >= _FEWEST_OF_A_KIND and np.mean(agree) >= _NEARLY_ALL for agree in right.values())


def _stands_out(image: np.ndarray, labels: np.ndarray, darker: bool) -> bool:
    foreground, background = (labels != 0) & (labels != IGNORE_INDEX), labels == 0
    if not (foreground.any() and background.any()):
        return False
    difference = float(image[foreground].mean()) - float(image[background].mean())
    return difference < 0 if darker else difference > 0


def _thickness(foreground: np.ndarray) -> tuple[float, float]:
    """Twice the mean distance from the skeleton to the border, and the skeleton's share of the area."""
    distance = ndimage.distance_transform_edt(np.pad(foreground, 1))[1:-1, 1:-1]
    skeleton = skeletonize(foreground)
    return float(2 * distance[skeleton].mean()), float(skeleton.sum() / foreground.sum())
