"""Whether an exported network gives what the run it was made from gives, on real images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.embedded import locate
from amsunet.data.images import Array
from amsunet.data.layout import Split
from amsunet.data.preprocessing import channels_first
from amsunet.errors import InputError
from amsunet.inference.description import ModelDescription
from amsunet.inference.dice import dice_by_class
from amsunet.inference.forward import compute_logits
from amsunet.inference.runtime import Runtime
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.machine import Machine
from amsunet.training.run import read_run

_IMAGES = 32
_SMALLEST_SIDE = 32
_LARGEST_SIDE = 1024


@dataclass(frozen=True)
class Parity:
    """An exported file against torch in float32, on validation images at working size."""

    images: int
    largest_difference: float
    """Of the logits."""
    dice: float
    dice_of_torch: float
    """Mean over images and classes, against the true masks."""

    @property
    def dice_lost(self) -> float:
        return self.dice_of_torch - self.dice

    def __str__(self) -> str:
        return (
            f"on {self.images} validation images: logits differ by at most {self.largest_difference:.2g}, "
            f"Dice {self.dice:.4f} against {self.dice_of_torch:.4f}"
        )


def prepared_images(run: Path, split: Split) -> list[tuple[Array, Array]]:
    """Images (1, C, h, w) of float32 in 0 ... 255 and labels (1, h, w) of a run's split, at working size: some spread
    over it, the middle of large ones.

    Raises: InputError if the run's data have changed or are gone, or no image has sides of 32 pixels.
    """
    config, record = read_run(run)
    dataset = open_dataset(
        locate(record.source), group=record.group, skip_broken=record.skip_broken, convention=config.convention
    )
    record.check(dataset)
    samples = [sample for sample in dataset.samples if record.splits[sample.name] == split]
    samples = samples[:: max(1, len(samples) // _IMAGES)][:_IMAGES]
    prepared = PreparedImages(samples, config.convention, config.preprocessing)
    pairs = []
    for index in range(len(prepared)):
        image, labels = (_middle(array) for array in prepared[index])
        if min(labels.shape) >= _SMALLEST_SIDE:
            pairs.append((np.ascontiguousarray(channels_first(image)[None], np.float32), labels[None]))
    if not pairs:
        raise InputError(
            f"{record.source} has no {split} image of 32 x 32 working pixels: an export cannot be measured"
        )
    return pairs


def _middle(array: Array) -> Array:
    """The middle of (h, w, ...), at most ``_LARGEST_SIDE`` pixels a side."""
    rows, columns = (max(0, side - _LARGEST_SIDE) // 2 for side in array.shape[:2])
    return array[rows : rows + _LARGEST_SIDE, columns : columns + _LARGEST_SIDE]


def measure_parity(
    network: nn.Module, description: ModelDescription, runtime: Runtime, images: list[tuple[Array, Array]]
) -> Parity:
    """Run an exported network and the original, in float32, over prepared images."""
    machine = Machine("cpu", "float32", torch.get_num_threads())
    original = TorchRuntime(network, description.preprocessing, machine)
    largest, dice, dice_of_torch = 0.0, [], []
    for image, labels in images:
        expected = torch.from_numpy(compute_logits(original, image.astype(np.uint8)))
        found = torch.from_numpy(runtime(image))
        largest = max(largest, float((found - expected).abs().max()))
        target = torch.from_numpy(labels)
        dice.append(_dice(found, target, description.threshold))
        dice_of_torch.append(_dice(expected, target, description.threshold))
    return Parity(len(images), largest, float(np.mean(dice)), float(np.mean(dice_of_torch)))


def _dice(logits: Tensor, labels: Tensor, threshold: float) -> float:
    return float(dice_by_class(torch.softmax(logits, dim=1), labels, threshold).mean())
