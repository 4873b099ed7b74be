"""A reader of files of several images: arrays of NumPy, a slice an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from amsunet.data.images import Array


def places(file: Path) -> list[str]:
    return [f"z{at:03}" for at in range(len(_load(file)))]


def size(file: Path, place: str) -> tuple[int, int]:
    height, width = read(file, place).shape
    return height, width


def read(file: Path, place: str) -> Array:
    return np.asarray(_load(file)[int(place[1:])])


def _load(file: Path) -> Array:
    with file.open("rb") as content:
        return np.load(content)
