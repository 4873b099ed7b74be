"""Whether an exported network gives what the run it was made from gives, on real images."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from amsunet.data.builtin_samples import PREFIX, list_samples, locate
from amsunet.data.crops import PreparedImages
from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.options import DataOptions
from amsunet.data.preprocessing import channels_first
from amsunet.data.splits import assign_splits
from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.inference.forward import are_numbers, compute_logits, pad_small
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.runtime import Runtime
from amsunet.inference.segmentation import NO_NUMBERS
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.training.run_folder import read_run
from amsunet.training.validation import classes_in, dice_by_class
from amsunet.wording import setting

_IMAGES = 32
_LARGEST_SIDE = 1024


@dataclass(frozen=True)
class Parity:
    """An exported file against torch in float32, on validation images at working size."""

    images: int
    largest_difference: float
    """Of the logits."""
    dice: float
    dice_of_torch: float
    """Mean over images and the classes that are in some image, against the true masks; NaN without any."""

    @property
    def dice_lost(self) -> float:
        return self.dice_of_torch - self.dice

    def __str__(self) -> str:
        dice = f"Dice {self.dice:.4f} against {self.dice_of_torch:.4f}"
        return (
            f"on {self.images} validation images: logits differ by at most {self.largest_difference:.2g}, "
            f"{'no Dice, for none of them marks anything' if math.isnan(self.dice) else dice}"
        )


@dataclass(frozen=True)
class RealImages:
    """Samples that an exported network is measured on, and samples that eight bits are calibrated on."""

    source: str
    validation: list[Sample]
    training: list[Sample]


def find_images(
    model: ModelRef, description: ModelDescription, data: str | Path | None = None, *, skip_broken: bool = False
) -> RealImages:
    """Choose the images that an exported network is measured on.

    Args:
        model: a run folder, whose validation and training images they are; or a network that comes alone.
        description: Of the network: how its images and masks are read.
        data: where the run's data lie now; or other images with masks, of which those named or cut for test and
            validation are measured on. Of a network of the zoo it may be left out if there is a sample of its name.
        skip_broken: leave out samples that cannot be used.

    Raises:
        InputError: If no data are named for a network that comes alone, or they cannot be used.
    """
    record = None if model.run is None else read_run(model.run)[1]
    sample = f"{PREFIX}{model.name}"
    if data is None and record is None and (model.card is None or sample not in list_samples()):
        raise InputError(f"{model} comes without data: name images with masks to compare on as DATA")
    source = str(data) if data is not None else record.source if record is not None else sample
    skip_broken = skip_broken or (record is not None and record.skip_broken)
    dataset = open_dataset(
        locate(source),
        DataOptions(
            skip_broken=skip_broken,
            axis=None if record is None else record.axis,
            fourth_axis=None if record is None else record.fourth_axis,
        ),
        convention=description.convention,
        of_run=data is None and record is not None,
    )
    if record is not None and data is None:
        record.check(dataset)
    if record is not None and record.holds(dataset):
        splits, measured = record.splits, {"val"}
    else:
        splits, measured = assign_splits(dataset.samples, dataset.foreground_share(), seed=0), {"val", "test"}
    return RealImages(
        source,
        validation=[sample for sample in dataset.samples if splits[sample.name] in measured],
        training=[sample for sample in dataset.samples if splits[sample.name] == "train"],
    )


def prepare_images(
    samples: list[Sample], description: ModelDescription, largest_side: int | None = None
) -> list[tuple[Array, Array]]:
    """Images (1, C, h, w) of float32 in 0 ... 255 and labels (1, h, w), at working size: some spread over the samples,
    the middle of large ones. Small ones are padded as ``predict`` pads them; their labels are ``IGNORE_INDEX`` there.

    Args:
        samples: To choose from.
        description: Of the network: how its images and masks are read.
        largest_side: from which on an image is large; 1,024 pixels when left out.
    """
    samples = samples[:: max(1, len(samples) // _IMAGES)][:_IMAGES]
    prepared = PreparedImages(samples, description.convention, description.preprocessing)
    pairs = []
    for index in range(len(prepared)):
        image, labels = (_middle(array, largest_side or _LARGEST_SIDE) for array in prepared[index])
        padded = pad_small(channels_first(image)[None])
        missing = [(0, wide - side) for wide, side in zip(padded.shape[-2:], labels.shape, strict=True)]
        labels = np.pad(labels, missing, constant_values=IGNORE_INDEX)
        pairs.append((np.ascontiguousarray(padded, np.float32), labels[None]))
    return pairs


def _middle(array: Array, largest: int) -> Array:
    """The middle of (h, w, ...), at most so many pixels a side."""
    rows, columns = (max(0, side - largest) // 2 for side in array.shape[:2])
    return array[rows : rows + largest, columns : columns + largest]


def measure_parity(
    network: nn.Module,
    description: ModelDescription,
    runtime: Runtime,
    images: list[tuple[Array, Array]],
    *,
    name: str = "the network",
) -> Parity:
    """Run an exported network and the original, in float32, over prepared images.

    Args:
        network: The original.
        description: Of it.
        runtime: What runs the exported one.
        images: Of ``prepare_images``.
        name: Of the original, in messages.

    Raises:
        InputError: If one of the two gives NaN or infinity.
    """
    device = Device("cpu", "float32", torch.get_num_threads())
    original = TorchRuntime(network, description.preprocessing, device)
    largest, dice, dice_of_torch = 0.0, [], []
    there = torch.zeros(description.convention.num_classes - 1, dtype=torch.bool)
    for image, labels in images:
        logits, exported = compute_logits(original, image.astype(np.uint8)), runtime(image)
        if not are_numbers(logits):
            raise InputError(
                f"{name} gives no numbers (NaN or infinity) for validation images: train again", code=NO_NUMBERS
            )
        if not are_numbers(exported):
            raise InputError(
                f"{name} gives numbers as it was trained, and none (NaN or infinity) once it is exported: export it "
                f"with {setting(precision='float32')}, or train again",
                code=NO_NUMBERS,
            )
        expected, found = torch.from_numpy(logits), torch.from_numpy(exported)
        largest = max(largest, float((found - expected).abs().max()))
        target = torch.from_numpy(labels)
        there |= classes_in(target, len(there) + 1)
        dice.append(_dice(found, target, description.threshold))
        dice_of_torch.append(_dice(expected, target, description.threshold))
    return Parity(len(images), largest, _mean(dice, there), _mean(dice_of_torch, there))


def _mean(dice: list[Tensor], there: Tensor) -> float:
    """Over images and the classes that are in some image; NaN without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an image without a pixel that counts has no Dice
        of_images = np.nanmean(torch.stack(dice)[:, there].numpy(), axis=1)
        return float(np.nanmean(of_images))


def _dice(logits: Tensor, labels: Tensor, threshold: float) -> Tensor:
    return dice_by_class(torch.softmax(logits, dim=1), labels, threshold)
