"""An exported network against the run it was made from, on real images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.masks.kinds import values_convention
from amsunet.data.preprocessing import Preprocessing
from amsunet.deployment.parity import Parity, measure_parity
from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.torch_runtime import TorchRuntime


class Bright(torch.nn.Module):
    """Class 1 where an image is bright; never any other."""

    def forward(self, image):
        bright = 20 * (image[:, :1] - image.mean())
        return torch.cat([-bright, bright, torch.full_like(bright, -1e4)], dim=1)


def _measure(
    *labels: np.ndarray, original: torch.nn.Module | None = None, exported: torch.nn.Module | None = None
) -> Parity:
    image = np.zeros((1, 1, 32, 32), np.float32)
    image[..., 8:24, 8:24] = 200
    preprocessing = Preprocessing(in_channels=1, normalization="depth", mean=(0.0,), std=(1.0,))
    description = ModelDescription(
        model="amsunet", arguments={}, preprocessing=preprocessing, convention=values_convention((0, 1, 2))
    )
    runtime = TorchRuntime((exported or Bright()).eval(), description.preprocessing, Device("cpu", "float32", 1))
    images = [(image, one[None]) for one in labels]
    return measure_parity((original or Bright()).eval(), description, runtime, images, name="net")


def _square() -> np.ndarray:
    labels = np.zeros((32, 32), np.uint8)
    labels[8:24, 8:24] = 1
    return labels


def test_a_class_that_no_image_holds_has_no_dice():
    half = _square()
    half[:, :16] = 0  # Dice of class 1: 2 x 128 / (256 + 128)
    assert _measure(half, half).dice == pytest.approx(2 / 3)
    with_other = half.copy()
    with_other[0, :8] = 2  # the class occurs: it is missed here, and rightly absent there
    assert _measure(with_other, half).dice == pytest.approx(((2 / 3 + 0) / 2 + (2 / 3 + 1) / 2) / 2)


def test_what_is_undefined_is_undefined():
    ignored = np.full((32, 32), IGNORE_INDEX, np.uint8)
    assert _measure(_square(), ignored).dice == 1
    nothing = _measure(np.zeros((32, 32), np.uint8))
    assert math.isnan(nothing.dice) and math.isnan(nothing.dice_of_torch)
    assert "no Dice, for none of them marks anything" in str(nothing)


class Overflowing(torch.nn.Module):
    """A number that is none, somewhere."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, image):
        logits = Bright()(image)
        logits[..., 0, 0] = self.value
        return logits


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_network_that_gives_no_numbers_is_refused(value):
    with pytest.raises(InputError, match=r"net gives no numbers .* for validation images: train again"):
        _measure(_square(), original=Overflowing(value), exported=Overflowing(value))
    with pytest.raises(InputError, match=r"net gives numbers .* and none .* once it is exported"):
        _measure(_square(), exported=Overflowing(value))
