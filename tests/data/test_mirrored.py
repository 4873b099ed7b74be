"""Classes that are mirror images of each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.images import Array
from amsunet.data.masks import MaskOptions
from amsunet.data.mirrored import find_mirrored, flips_beside
from amsunet.data.options import DataOptions

_SIDE = 64


def _ellipse(row: float, column: float, tall: float, wide: float) -> Array:
    rows, columns = np.ogrid[:_SIDE, :_SIDE]
    return np.asarray(((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 <= 1)


def _lungs(
    seed: int, *, swapped: bool = False, brightness: int = 140, taller: float = 1.0, apart: int = 13, one: bool = False
) -> tuple[Array, Array]:
    """An image with two organs left and right of its middle, of classes 1 and 2, and its labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((_SIDE, _SIDE), np.uint8)
    row, column = rng.integers(26, 39, 2)
    for label, side in ((1, 1 if swapped else -1), (2, -1 if swapped else 1)):
        if not (one and label == 2 and seed % 2):
            grown = taller if label == 2 else 1
            labels[_ellipse(row, column + side * apart, grown * rng.integers(12, 18), grown * rng.integers(6, 9))] = (
                label
            )
    grey = np.array([60, 140, brightness])[labels] + rng.normal(0, 10, labels.shape)
    return np.clip(grey, 0, 255).astype(np.uint8), labels


def _cup(seed: int) -> tuple[Array, Array]:
    """A class within another one, nearer to its left."""
    labels = np.uint8(_ellipse(32, 32, 18, 15))
    labels[_ellipse(32, 29, 12, 9)] = 2
    return np.uint8(60 + 80 * (labels > 0) + seed), labels


@pytest.fixture
def made(tmp_path: Path, save: Callable[[Path, Array], Path]) -> Callable[..., Dataset]:
    def make(scene: Callable[[int], tuple[Array, Array]], count: int = 12) -> Dataset:
        top = 0
        for seed in range(count):
            image, labels = scene(seed)
            save(tmp_path / "images" / f"s{seed:02}x.png", image)
            save(tmp_path / "masks" / f"s{seed:02}x.png", labels)
            top = max(top, int(labels.max()))
        return open_dataset(tmp_path, DataOptions(masks=MaskOptions(classes=tuple(range(top + 1)))))

    return make


def test_left_and_right_are_distinguished_by_the_axis(made):
    dataset = made(_lungs)
    assert find_mirrored(dataset, dataset.scans) == (("class 1", "class 2", "horizontal"),)


def test_upper_and_lower_too(made):
    dataset = made(lambda seed: tuple(part.T.copy() for part in _lungs(seed)))
    assert find_mirrored(dataset, dataset.scans) == (("class 1", "class 2", "vertical"),)


def test_images_that_lack_one_of_them_do_not_hide_them(made):
    dataset = made(lambda seed: _lungs(seed, one=True))
    assert find_mirrored(dataset, dataset.scans)


def test_sides_that_never_share_an_image(made):
    """As a left or a right eye; not kinds of things that lie anywhere."""

    def eye(seed, *, anywhere=False):
        image, labels = _lungs(seed)
        other = 1 + seed % 2
        image, labels = np.where(labels == other, 60, image), np.where(labels == other, 0, labels)
        if anywhere and seed % 4 > 1:
            image, labels = image[:, ::-1], labels[:, ::-1]
        return np.ascontiguousarray(image.astype(np.uint8)), np.ascontiguousarray(labels.astype(np.uint8))

    dataset = made(eye)
    assert find_mirrored(dataset, dataset.scans) == (("class 1", "class 2", "horizontal"),)
    dataset = made(lambda seed: eye(seed, anywhere=True))
    assert not find_mirrored(dataset, dataset.scans)


@pytest.mark.parametrize(
    "scene",
    [
        lambda seed: _lungs(seed, swapped=seed % 3 == 0),
        lambda seed: _lungs(seed, brightness=190),
        lambda seed: _lungs(seed, taller=1.9, apart=16),
        lambda seed: _cup(seed),
        lambda seed: ((pair := _lungs(seed))[0], (pair[1] > 0).astype(np.uint8)),
    ],
    ids=["sides change", "one is brighter", "one is larger", "one in the other", "one class"],
)
def test_classes_that_differ_in_other_ways_keep_flips_on(scene, made):
    dataset = made(scene)
    assert not find_mirrored(dataset, dataset.scans)


def test_names_may_give_sides(made):
    dataset = made(lambda seed: _lungs(seed, brightness=190))
    for names, sides in (
        (("left lung", "right lung"), True),
        (("lung_R", "lung_L"), True),
        (("LLung", "RLung"), True),
        (("lungL", "lungR"), True),
        (("leftlung", "rightlung"), True),
        (("Lt. kidney", "Rt. kidney"), True),
        (("riñón izquierdo", "riñón derecho"), True),
        (("왼쪽 폐", "오른쪽 폐"), True),
        (("LV", "RV"), False),
        (("left lung", "right kidney"), False),
        (("left lung", "heart"), False),
    ):
        convention = dataset.convention.model_copy(update={"class_names": ("background", *names)})
        named = Dataset("", dataset.scans, convention, (), (), ())
        assert find_mirrored(named, named.scans) == (((*names, "horizontal"),) if sides else ())


@pytest.mark.parametrize("name", ["sample:nuclei", "sample:brain"])
def test_samples_have_none(name):
    dataset = open_dataset(name)
    assert not find_mirrored(dataset, dataset.scans)


@pytest.mark.parametrize(
    ("axes", "flips"), [((), "both"), (("horizontal",), "vertical"), (("vertical",), "horizontal"),
                        (("horizontal", "vertical"), "none")],
)  # fmt: skip
def test_the_other_flips_stay(axes, flips):
    chosen, why = flips_beside([("a", "b", axis) for axis in axes])
    assert chosen == flips and ("would turn a into b" in why) == bool(axes)
