"""Results with objects of every kind, and what foreign readers make of the files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from amsunet.data.masks import MaskConvention
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation


@pytest.fixture(scope="session")
def make_result() -> Callable[..., Segmentation]:
    """The segmentation that has a mask of class numbers; probabilities are sure to 0.9."""

    def make(mask: np.ndarray, names: tuple[str, ...] = ("background", "nucleus", "cell"), **known) -> Segmentation:
        probability = np.full((len(names), *mask.shape), 0.1 / (len(names) - 1), np.float32)
        np.put_along_axis(probability, mask[None].astype(np.intp), 0.9, 0)
        convention = MaskConvention(kind="values", values=tuple(range(len(names))), class_names=names)
        return Segmentation("folder/a", probability, mask, convention, **known)

    return make


def _nested() -> np.ndarray:
    """Rings within rings, objects in holes, pixels that touch at corners, and objects on every border."""
    mask = np.zeros((40, 60), np.uint8)
    mask[2:30, 3:40] = 1
    mask[5:25, 8:35] = 0
    mask[8:20, 12:30] = 2
    mask[10:15, 15:20] = 0
    mask[12, 17] = 1
    for place in range(6):
        mask[32 + place, 45 + place] = 1
    mask[0, :] = 1
    mask[-1, 20:] = 2
    mask[:, -1] = 2
    return mask


def _random() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (33, 47)).astype(np.uint8)


_MASKS = {
    "empty": np.zeros((20, 30), np.uint8),
    "one pixel": np.pad(np.ones((1, 1), np.uint8), ((7, 12), (3, 26))),
    "full": np.ones((5, 9), np.uint8),
    "nested": _nested(),
    "random": _random(),
    "one row": np.array([[0, 1, 1, 0, 2, 1]], np.uint8),
}


@pytest.fixture(scope="session")
def masks() -> dict[str, np.ndarray]:
    """Masks of two classes, by what they hold."""
    return _MASKS


@pytest.fixture(params=_MASKS)
def mask(request) -> np.ndarray:
    """A mask of two classes."""
    return _MASKS[request.param]


@pytest.fixture
def scattered() -> tuple[np.ndarray, Objects]:
    """An object in two pieces beside one that it touches."""
    numbers = np.zeros((12, 14), np.int32)
    numbers[1:4, 1:4] = numbers[6:9, 2:5] = 1
    numbers[4:6, 1:9] = 2
    return np.array([0, 1, 2], np.uint8)[numbers], Objects(numbers, np.array([1, 2], np.uint8))
