"""Training samples: crops of images kept in memory, drawn the same way whenever asked again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from amsunet.data.dataset import Dataset, read_labels
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array, read_image
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention
from amsunet.data.masks.mask_cache import MaskCache
from amsunet.data.preprocessing import Preprocessing, channels_first
from amsunet.memory import MemoryCache

Thing = TypeVar("Thing")


def evenly(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """At most so many of them, evenly spread."""
    return things[:: max(1, -(-len(things) // most))]


class PreparedImages:
    """Images at working size with their labels, as uint8, kept in memory as far as there is room.

    Args:
        samples: what to prepare.
        convention: what their masks mean.
        preprocessing: how images are prepared.
        dataset: which they are of, where it is open: it knows the sizes of the images, and keeps masks that it has
            read until they are taken here.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        convention: MaskConvention,
        preprocessing: Preprocessing,
        dataset: Dataset | None = None,
    ) -> None:
        self.samples = list(samples)
        self._sizes = dataset.sizes() if dataset else {}
        self._masks = dataset.masks if dataset else MaskCache()
        self._convention = convention
        self._preprocessing = preprocessing
        self._pairs: MemoryCache[int, tuple[Array, Array]] = MemoryCache(lambda pair: pair[0].nbytes + pair[1].nbytes)

    def __len__(self) -> int:
        return len(self.samples)

    def area(self, index: int) -> int:
        """Pixels of an image at working size."""
        if size := self._sizes.get(self.samples[index].name):
            return math.prod(self._preprocessing.working_size(*size))
        return int(self[index][1].size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """The image (h, w, C) and its labels (h, w), both uint8."""
        return self._pairs.get(index, lambda: self._prepare(self.samples[index]))

    def _prepare(self, sample: Sample) -> tuple[Array, Array]:
        image = self._preprocessing.resize(self._preprocessing.window(read_image(sample.image)))
        labels = self._preprocessing.resize_labels(read_labels(sample, self._convention, self._masks))
        self._masks.drop(sample)  # from here on the labels at working size are kept, if there is room for them
        return image, labels


class Crops(TorchDataset[tuple[Tensor, Tensor]]):
    """Item i of an epoch is a crop that depends on (seed, epoch, i) alone.

    Draw k, counted over all epochs, is entry k modulo n of a fresh permutation of the images, in which an image has
    as many entries as its longer and shorter side hold crops on average: a large image has more to learn from than
    a small one, but not as much more as it has pixels. A part of the crops is centred on foreground, so that small
    structures are seen.

    Items: image (C, h, w) and labels (h, w), both uint8; what lies outside the image is mirrored
    in the image and ``IGNORE_INDEX`` in the labels.
    """

    def __init__(
        self, images: PreparedImages, *, size: tuple[int, int], length: int, seed: int, foreground_fraction: float
    ) -> None:
        self._images = images
        self._size = size
        self._length = length
        self._seed = seed
        self._foreground_fraction = foreground_fraction
        self._entries = [index for index in range(len(images)) for _ in range(self._weight(images.area(index)))]
        self.epoch = 0

    def _weight(self, area: int) -> int:
        return max(1, round(math.sqrt(area / math.prod(self._size))))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        drawn = self.epoch * self._length + index
        cycle, position = divmod(drawn, len(self._entries))
        order = np.random.default_rng((self._seed, 0, cycle)).permutation(len(self._entries))
        image, labels = self._images[self._entries[order[position]]]
        rng = np.random.default_rng((self._seed, 1, self.epoch, index))
        image, labels = _cut(image, labels, self._size, rng, self._foreground_fraction)
        return to_tensor(image), to_tensor(labels)


def to_tensor(image: Array) -> Tensor:
    """An image (H, W, C) as a tensor (C, H, W), labels (H, W) as they are; copied where they cannot be written to."""
    array = np.require(image, requirements=["C", "W"])
    return torch.from_numpy(channels_first(array) if array.ndim == 3 else array)


def _cut(
    image: Array, labels: Array, size: tuple[int, int], rng: np.random.Generator, foreground_fraction: float
) -> tuple[Array, Array]:
    furthest = [max(0, side - wanted) for side, wanted in zip(labels.shape, size, strict=True)]
    corner = [int(rng.integers(0, most + 1)) for most in furthest]
    if rng.random() < foreground_fraction:
        places = np.argwhere((labels != 0) & (labels != IGNORE_INDEX))
        if len(places):
            centre = places[rng.integers(len(places))]
            corner = [
                int(np.clip(at - wanted // 2, 0, most)) for at, wanted, most in zip(centre, size, furthest, strict=True)
            ]
    window = tuple(slice(start, start + wanted) for start, wanted in zip(corner, size, strict=True))
    image, labels = image[window], labels[window]
    missing = [wanted - side for side, wanted in zip(labels.shape, size, strict=True)]
    if any(missing):
        before = [int(rng.integers(0, side + 1)) for side in missing]
        padding = [(start, side - start) for start, side in zip(before, missing, strict=True)]
        image = np.pad(image, [*padding, (0, 0)], mode="symmetric")
        labels = np.pad(labels, padding, constant_values=IGNORE_INDEX)
    return image, labels
