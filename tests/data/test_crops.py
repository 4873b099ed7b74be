"""Training crops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from amsunet.data import crops
from amsunet.data.crops import Crops, PreparedImages, evenly, to_tensor
from amsunet.data.dataset import open_dataset
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.preprocessing import Preprocessing


class Marked(PreparedImages):
    """Image n is filled with n, and knows how often it was asked for."""

    def __init__(self, count: int, height: int = 20, width: int = 30) -> None:
        self.count, self.size, self.asked = count, (height, width), Counter[int]()

    def __len__(self) -> int:
        return self.count

    def area(self, index: int) -> int:
        return self.size[0] * self.size[1]

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        self.asked[index] += 1
        image = np.random.default_rng(index).integers(1, 256, (*self.size, 1), dtype=np.uint8)
        labels = np.zeros(self.size, np.uint8)
        labels[3, 4] = 1
        return image, labels


def _crops(images: PreparedImages, **options: object) -> Crops:
    return Crops(images, **({"size": (16, 16), "length": 10, "seed": 0, "foreground_fraction": 0.0} | options))


@pytest.fixture
def prepared() -> PreparedImages:
    """The embedded brain slices, real images of 192 x 160 with three classes."""
    dataset = open_dataset("sample:brain")
    record = Preprocessing(in_channels=1, normalization="depth", mean=(0.0,), std=(1.0,))
    return PreparedImages(dataset.samples[:5], dataset.convention, record)


def test_a_crop_depends_on_seed_epoch_and_index_alone(prepared: PreparedImages) -> None:
    first, second = _crops(prepared, foreground_fraction=0.5), _crops(prepared, foreground_fraction=0.5)
    first.epoch = second.epoch = 3
    forward = [first[index] for index in range(10)]
    np.random.default_rng().random()
    for index in reversed(range(10)):
        assert all(torch.equal(a, b) for a, b in zip(forward[index], second[index], strict=True))
    second.epoch = 4
    other_seed = _crops(prepared, seed=1, foreground_fraction=0.5)
    other_seed.epoch = 3
    for other in (second, other_seed):
        assert sum(torch.equal(forward[index][0], other[index][0]) for index in range(10)) < 3


@pytest.mark.parametrize(("count", "length", "epochs"), [(7, 10, 7), (12, 5, 12), (1, 4, 2), (10, 10, 3)])
def test_over_the_epochs_every_image_comes_up_equally_often(count: int, length: int, epochs: int) -> None:
    images = Marked(count)
    crops = _crops(images, length=length, size=images.size)
    for crops.epoch in range(epochs):
        for index in range(len(crops)):
            crops[index]
            drawn = crops.epoch * length + index + 1
            assert max(images.asked.values()) <= -(-drawn // count)
    assert len(set(images.asked.values())) == 1 and len(images.asked) == count


def test_a_large_image_comes_up_by_the_root_of_its_area() -> None:
    class OneLarge(Marked):
        def area(self, index: int) -> int:
            return 16 * super().area(index) if index == 1 else super().area(index)

    images = OneLarge(4)
    crops = _crops(images, length=14, size=images.size)
    for index in range(len(crops)):
        crops[index]
    assert images.asked == {0: 2, 1: 8, 2: 2, 3: 2}


@pytest.mark.parametrize("size", [(16, 16), (20, 30), (8, 64), (64, 8), (100, 90)])
def test_crops_are_whole_and_mirrored_outside_where_labels_are_ignored(size: tuple[int, int]) -> None:
    crops = _crops(Marked(3), size=size, length=30)
    for image, labels in (crops[index] for index in range(len(crops))):
        assert image.shape == (1, *size) and labels.shape == size
        assert image.dtype == labels.dtype == torch.uint8
        assert image.min() > 0  # the images hold no 0, so nothing was made up
        inside = int((labels != IGNORE_INDEX).sum())
        assert inside == min(size[0], 20) * min(size[1], 30)


def test_crops_centred_on_foreground_hold_it() -> None:
    crops = _crops(Marked(2, 200, 200), length=20, foreground_fraction=1.0)
    assert all((labels == 1).any() for _, labels in (crops[index] for index in range(20)))
    crops = _crops(Marked(2, 200, 200), length=20, foreground_fraction=0.0)
    assert sum(bool((labels == 1).any()) for _, labels in (crops[index] for index in range(20))) < 10


def test_image_and_labels_are_cut_at_the_same_place(prepared: PreparedImages) -> None:
    whole = [prepared[index] for index in range(len(prepared))]
    crops = _crops(prepared, length=5, size=(40, 56))
    for index in range(5):
        image, labels = (part.numpy() for part in crops[index])
        windows = (
            (i[r : r + 40, c : c + 56, 0], m[r : r + 40, c : c + 56])
            for i, m in whole
            for r in range(i.shape[0] - 39)
            for c in range(i.shape[1] - 55)
        )
        assert any(np.array_equal(i, image[0]) and np.array_equal(m, labels) for i, m in windows)


def test_images_without_room_are_read_again(make_dataset: Callable[..., Path]) -> None:
    dataset = open_dataset(make_dataset(3))
    record = Preprocessing(in_channels=1, normalization="depth", scale=0.5, mean=(0.0,), std=(1.0,))
    roomy, tight = (PreparedImages(dataset.samples, dataset.convention, record) for _ in range(2))
    tight._pairs.room = 0
    assert roomy[1][0] is roomy[1][0] and tight[1][0] is not tight[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(roomy[1], tight[1], strict=True))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(6, 8, 3), (6, 8)])
def test_what_cannot_be_written_to_is_copied(shape: tuple[int, ...]) -> None:
    """Pictures that Pillow has resized cannot, and torch would warn of them."""
    array = np.full(shape, 7, np.uint8)
    array.setflags(write=False)
    tensor = to_tensor(array)
    assert tensor.shape == ((3, 6, 8) if len(shape) == 3 else shape)
    tensor.zero_()
    assert (array == 7).all()


def test_sizes_that_are_known_are_not_read_again(prepared: PreparedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset("sample:brain")
    record = Preprocessing(in_channels=1, normalization="depth", scale=0.5, mean=(0.0,), std=(1.0,))
    images = PreparedImages(dataset.samples, dataset.convention, record)
    areas = [images.area(index) for index in range(len(images))]
    with_sizes = PreparedImages(dataset.samples, dataset.convention, record, dataset)
    monkeypatch.setattr(crops, "read_image", None)
    assert [with_sizes.area(index) for index in range(len(with_sizes))] == areas


@pytest.mark.parametrize(("count", "most", "chosen"), [(10, 3, [0, 4, 8]), (10, 10, range(10)), (3, 24, range(3))])
def test_some_are_evenly_spread(count: int, most: int, chosen: Sequence[int]) -> None:
    assert list(evenly(range(count), most)) == list(chosen)
