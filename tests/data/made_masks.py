"""Made masks whose meaning is known, with images beneath."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.data.masks.files import open_mask
from amsunet.data.masks.rules import find_convention
from amsunet.data.masks.summary import MaskSummary, summarise, summarise_mask

SIDE = 96
Scene = tuple[Array, Array]
"""An image (H, W, 1) and its mask."""


def summarise_file(path: Path, image: Array | None = None) -> MaskSummary:
    """Look at one mask file, in every reading that it has."""
    return summarise(open_mask(path), path, image)


def disc(row: float, column: float, radius: float, side: int = SIDE) -> Array:
    rows, columns = np.ogrid[:side, :side]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def picture(rng: np.random.Generator, brightness: Array) -> Array:
    return np.clip(brightness + rng.normal(0, 8, brightness.shape), 0, 255).astype(np.uint8)[..., None]


def organs(rng: np.random.Generator, present: tuple[int, ...] = (1, 2, 3), *, alike: bool = False) -> Scene:
    """Organs of one piece at their places, each of its own brightness, or ``alike``."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for number in present:
        row, column = ((28, 28), (28, 68), (68, 48))[number - 1] + rng.integers(-6, 7, 2)
        mask[disc(row, column, rng.integers(10, 15))] = number
    return picture(rng, np.array([40, 150, 150, 150] if alike else [40, 100, 160, 220])[mask]), mask


def cells(rng: np.random.Generator, count: int, *, light: float = 0) -> Scene:
    """Cells of one brightness anywhere, numbered from the top; ``light`` is how much more of it falls on the lower."""
    places: list[Array] = []
    while len(places) < count:
        place = rng.integers(10, SIDE - 10, 2)
        if all(np.hypot(*(place - other)) > 18 for other in places):
            places.append(place)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for number, place in enumerate(sorted(places, key=lambda place: int(place[0])), start=1):
        mask[disc(*place, rng.integers(5, 9))] = number
    rows = np.linspace(-0.5, 0.5, SIDE)[:, None]
    return picture(rng, 60 + 110 * (1 + light * rows) * (mask > 0)), mask


def wells(rng: np.random.Generator) -> Scene:
    """Four cells at about the same places in all images."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for number, place in enumerate([(24, 24), (24, 72), (72, 24), (72, 72)], start=1):
        mask[disc(*(place + rng.integers(-6, 7, 2)), rng.integers(8, 13))] = number
    return picture(rng, 60 + 110 * (mask > 0)), mask


def blob(seed: int) -> Array:
    """A mask of bool with some discs."""
    rng = np.random.default_rng(seed)
    return np.logical_or.reduce([disc(*rng.integers(16, SIDE - 16, 2), rng.integers(8, 13)) for _ in range(3)])


def as_jpeg(mask: Array, quality: int) -> Array:
    """What is left of a mask saved as JPEG."""
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file))


def find(masks: list[Array], name: str = "m.png", **options: object) -> tuple[MaskConvention, list[str]]:
    """The convention of masks as read."""
    return find_convention([summarise_mask(mask, Path(name)) for mask in masks], MaskOptions(**options))


def find_in_scenes(scenes: list[Scene], **options: object) -> tuple[MaskConvention, list[str]]:
    """The convention of masks with their images."""
    masks = [summarise_mask(mask, Path(f"{n}.png"), image) for n, (image, mask) in enumerate(scenes)]
    return find_convention(masks, MaskOptions(**options))


def find_in_files(
    folder: Path, pictures: list[Image.Image], **options: object
) -> tuple[MaskConvention, list[str], Callable[[int], Array]]:
    """The convention of mask files, and how to read the one of a number as labels."""
    paths = [folder / f"{number}.png" for number in range(len(pictures))]
    for path, one in zip(paths, pictures, strict=True):
        one.save(path)
    convention, notes = find_convention([summarise_file(path) for path in paths], MaskOptions(**options))
    return convention, notes, lambda number: convention.read(paths[number])
