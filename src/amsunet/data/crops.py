"""Training samples: reproducible random crops of images that are kept in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array, read_image
from amsunet.data.instances import Instances, has_instances, read_instances
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention
from amsunet.data.masks.labels import read_labels
from amsunet.data.masks.mask_cache import MaskCache
from amsunet.data.preprocessing import Preprocessing, channels_first
from amsunet.memory import MemoryCache

Item = TypeVar("Item")


def evenly(items: Sequence[Item], most: int) -> Sequence[Item]:
    """Choose items that are evenly spaced.

    Args:
        items: All items.
        most: How many to choose at most.
    """
    return items[:: max(1, -(-len(items) // most))]


class PreparedImages:
    """Images and labels at working size, as uint8, kept in up to a quarter of the free memory.

    Args:
        samples: The samples to prepare.
        convention: How their masks are read.
        preprocessing: How their images are prepared.
        dataset: The data set they are of, where it is open: it knows the sizes of the images, and keeps masks that it
            has read until they are taken here.
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
        sample = self.samples[index]
        if size := self._sizes.get(sample.name):
            return math.prod(self._preprocessing.working_size(*size, sample.spacing))
        return math.prod(self[index][1].shape[:2])

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        """The image (h, w, C) and its labels (h, w), or (h, w, planes) with the labels in the first; both uint8."""
        return self._pairs.get(index, lambda: self._prepare(self.samples[index]))

    @property
    def has_instances(self) -> bool:
        """Whether the masks show where one object ends and the next one begins."""
        return has_instances(self.samples, self._convention)

    def instances(self, index: int) -> Instances:
        """The objects of an image, at its own size: as ``read_instances``."""
        sample = self.samples[index]
        found = read_instances(sample, self._convention, self._masks)
        self._masks.drop(sample)
        return found

    def _prepare(self, sample: Sample) -> tuple[Array, Array]:
        image = self._preprocessing.resize(self._preprocessing.normalize(read_image(sample.image)), sample.spacing)
        labels = self._preprocessing.resize_labels(read_labels(sample, self._convention, self._masks), sample.spacing)
        self._masks.drop(sample)  # from here on the labels at working size are kept, if there is room for them
        return image, labels


class Crops(TorchDataset[tuple[Tensor, Tensor]]):
    """Random crops; item i of an epoch depends on (seed, epoch, i) alone.

    Draw k, counted over all epochs, is entry k modulo n of a new permutation of the images. An image has one entry per
    crop that fits along a side, on average: a large image is drawn more often than a small one, but not in proportion
    to its pixels. A share of the crops is centred on foreground, so that small structures are seen.

    An item is an image (C, h, w) and its labels (h, w), or (planes, h, w), both uint8. Outside the source image, pixels
    are mirrored and labels are ``IGNORE_INDEX``.

    Args:
        images: The images to crop.
        size: Height and width of a crop in pixels.
        length: Crops per epoch.
        seed: The training's seed.
        foreground_fraction: Share of the crops that are centred on foreground.
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
        self.first = 0
        """Crops of the epoch that a training, before it was resumed, was given: item 0 is the one after them."""

    def _weight(self, area: int) -> int:
        return max(1, round(math.sqrt(area / math.prod(self._size))))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        index += self.first
        drawn = self.epoch * self._length + index
        cycle, position = divmod(drawn, len(self._entries))
        order = np.random.default_rng((self._seed, 0, cycle)).permutation(len(self._entries))
        image, labels = self._images[self._entries[order[position]]]
        rng = np.random.default_rng((self._seed, 1, self.epoch, index))
        image, labels = _cut(image, labels, self._size, rng, self._foreground_fraction)
        return to_tensor(image), to_tensor(labels)


def to_tensor(image: Array) -> Tensor:
    """Convert an array (H, W, C) to a tensor (C, H, W), or labels (H, W) to (H, W); read-only arrays are copied."""
    array = np.require(image, requirements=["C", "W"])
    return torch.from_numpy(channels_first(array) if array.ndim == 3 else array)


def _cut(
    image: Array, labels: Array, size: tuple[int, int], rng: np.random.Generator, foreground_fraction: float
) -> tuple[Array, Array]:
    furthest = [max(0, side - wanted) for side, wanted in zip(labels.shape[:2], size, strict=True)]
    corner = [int(rng.integers(0, most + 1)) for most in furthest]
    if rng.random() < foreground_fraction:
        classes = labels if labels.ndim == 2 else labels[..., 0]
        places = np.argwhere((classes != 0) & (classes != IGNORE_INDEX))
        if len(places):
            centre = places[rng.integers(len(places))]
            corner = [
                int(np.clip(at - wanted // 2, 0, most)) for at, wanted, most in zip(centre, size, furthest, strict=True)
            ]
    window = tuple(slice(start, start + wanted) for start, wanted in zip(corner, size, strict=True))
    image, labels = image[window], labels[window]
    missing = [wanted - side for side, wanted in zip(labels.shape[:2], size, strict=True)]
    if any(missing):
        before = [int(rng.integers(0, side + 1)) for side in missing]
        padding = [(start, side - start) for start, side in zip(before, missing, strict=True)]
        image = np.pad(image, [*padding, (0, 0)], mode="symmetric")
        labels = np.pad(labels, [*padding, (0, 0)][: labels.ndim], constant_values=IGNORE_INDEX)
    return image, labels
