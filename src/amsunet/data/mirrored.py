"""Classes that are mirror images of each other, as left and right lung: a flip exchanges them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from amsunet.choices import Flips
from amsunet.data.images import Array

if TYPE_CHECKING:
    from amsunet.data.dataset import Dataset
    from amsunet.data.scan import Scan

Axis = Literal["horizontal", "vertical"]

_LOOKED_AT = 48
"""Most images that are compared."""
_FEWEST = 3
"""Least number of images that show both classes."""
_FEWEST_APART = 6
"""Least number of images of each class, where no image shows both, as of one eye or one hand."""
_SAME_SIDE = 0.95
"""Share of images in which they keep their sides."""
_APART = 1.5
"""Standard deviations of a class's pixels between the two, along the axis."""
_ALONG = 0.4
"""Largest distance across the axis, as a share of that along it."""
_SIZES = 2.5
"""Largest ratio of their areas, and of their extents along and across the axis."""
_ALIKE = 1.0
"""Largest difference in brightness, in standard deviations within the classes."""
_SIDES = {
    frozenset(pair)
    for pair in (
        *(("left", "right"), ("l", "r"), ("lt", "rt"), ("os", "od"), ("links", "rechts"), ("linke", "rechte")),
        *(("gauche", "droite"), ("gauche", "droit"), ("sinistra", "destra"), ("sinistro", "destro")),
        *(("izquierda", "derecha"), ("izquierdo", "derecho"), ("esquerda", "direita"), ("esquerdo", "direito")),
    )
}
"""Words for sides."""
_WITHIN = (("left", "right"), ("왼", "오른"), ("좌", "우"), ("左", "右"))
"""The same where they may be a part of a word."""
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class _Shape:
    """One class in one image."""

    area: int
    centre: Array
    """Row and column, as shares of the image."""
    extent: Array
    """Standard deviations of its pixels' rows and columns, likewise."""
    mean: Array
    """Mean of its pixels, by channel."""
    std: Array


def find_mirrored(dataset: Dataset, scans: Sequence[Scan]) -> tuple[tuple[str, str, Axis], ...]:
    """Find pairs of classes that are mirror images of each other.

    They are found by their names, or by their places, sizes and brightness where each keeps its side of the image: in
    images that show both, or in many of which each shows one.

    Args:
        dataset: The data set.
        scans: The scans of the samples to compare.

    Returns:
        For each pair, the two classes and the axis of the flip that exchanges them.
    """
    names = dataset.convention.class_names
    if len(names) < 3:
        return ()
    shapes = [_shapes(dataset, scan) for scan in scans[:: -(-len(scans) // _LOOKED_AT)]]
    found: list[tuple[str, str, Axis]] = []
    for a, b in combinations(range(1, len(names)), 2):
        both = [(here[a], here[b]) for here in shapes if a in here and b in here]
        apart = [*zip(*([here[label] for here in shapes if label in here] for label in (a, b)), strict=False)]
        enough = len(both) >= _FEWEST or (not both and len(apart) >= _FEWEST_APART)
        if enough and (axis := _mirror_axis(both or apart)):
            found.append((names[a], names[b], axis))
        elif _are_sides(names[a], names[b]):
            found.append((names[a], names[b], "horizontal"))
    return tuple(found)


def flips_beside(mirrored: Sequence[tuple[str, str, Axis]]) -> tuple[Flips, str]:
    """Choose the flips that exchange no classes.

    Args:
        mirrored: What ``find_mirrored`` found.

    Returns:
        The flips, and the reason why the others are left out.
    """
    if not mirrored:
        return "both", "no class is the mirror image of another"
    axes = {axis for *_, axis in mirrored}
    a, b, axis = mirrored[0]
    more = f", and {len(mirrored) - 1} pairs more" if len(mirrored) > 1 else ""
    why = f"a {axis} flip would turn {a} into {b}{more}"
    return "none" if len(axes) == 2 else "vertical" if "horizontal" in axes else "horizontal", why


def _mirror_axis(both: Sequence[tuple[_Shape, _Shape]]) -> Axis | None:
    """The axis along which one class is the other's mirror image, from images that show both."""
    steps = np.array([b.centre - a.centre for a, b in both])
    typical = np.abs(np.median(steps, axis=0))
    along = int(typical.argmax())
    sides = np.sign(steps[:, along])
    apart = _APART * np.median([np.maximum(a.extent, b.extent)[along] for a, b in both])
    if abs(sides.sum()) < (2 * _SAME_SIDE - 1) * len(sides) or typical[along] < apart:
        return None
    ratios = np.median([np.log([b.area / a.area, *(b.extent / a.extent)]) for a, b in both], axis=0)
    differences = [np.max(np.abs(a.mean - b.mean) / np.maximum((a.std + b.std) / 2, 1e-3)) for a, b in both]
    if typical[1 - along] > _ALONG * typical[along] or np.abs(ratios).max() > np.log(_SIZES):
        return None
    if np.median(differences) > _ALIKE:
        return None
    return "vertical" if along == 0 else "horizontal"


def _are_sides(a: str, b: str) -> bool:
    """Whether two names differ in a word for left and right alone."""
    here, there = a.lower(), b.lower()
    if any(one in here and here.replace(one, other) == there for pair in _WITHIN for one, other in (pair, pair[::-1])):
        return True
    words = [re.split(r"[^a-z]+", _CAMEL_CASE.sub(" ", name).lower()) for name in (a, b)]
    differ = {frozenset(pair) for pair in zip(*words, strict=False) if len({*pair}) > 1}
    return len(words[0]) == len(words[1]) and len(differ) == 1 and differ <= _SIDES


def _shapes(dataset: Dataset, scan: Scan) -> dict[int, _Shape]:
    image, labels = dataset.read(scan.sample)
    return dict(_measure(image, labels, dataset.convention.num_classes))


def _measure(image: Array, labels: Array, num_classes: int) -> Iterator[tuple[int, _Shape]]:
    size = np.array(labels.shape)
    top = float(np.ptp(image)) or 1.0
    for label in range(1, num_classes):
        places = np.argwhere(labels == label)
        if len(places):
            pixels = image[labels == label] / top
            # Half a pixel, or a line would have no extent to compare.
            extent = np.maximum(places.std(axis=0), 0.5) / size
            yield (
                label,
                _Shape(len(places), places.mean(axis=0) / size, extent, pixels.mean(axis=0), pixels.std(axis=0)),
            )
