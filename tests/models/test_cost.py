"""What networks cost, against the published figures, and how far they see."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.blocks import SE
from amsunet.models import create_model, list_models, summarise_model
from amsunet.models.cost import count_macs, receptive_field

# Parameters at 3 channels and 2 classes (unext: 1); GMACs at 256 x 256 as published, which some counters put a few
# hundredths higher because they take biases and normalisations for multiplications.
PUBLISHED = {
    "amsunet": (2_619_898, 6.13),
    "unet": (4_318_434, 10.13),
    "resunet": (4_451_074, None),
    "convunext": (3_505_730, 7.26),
    "unext": (1_471_921, 0.573),
    "segnext": (4_225_378, None),
    "amsunet_s": (1_053_397, None),
    "amsunet_xs": (398_423, None),
    "amsunet_lite": (809_234, 1.48),
    "amsunet_lite_xs": (213_266, 0.585),
    "amsunet_lite_m": (2_263_250, 4.52),
    "resunet_lite": (1_019_410, 1.91),
}


def test_each_small_variant_halves_the_work():
    full, small, smallest = (count_macs(create_model(n), 64, 64) for n in ("amsunet", "amsunet_s", "amsunet_xs"))
    assert small <= full / 2
    assert smallest <= small / 2


def test_macs_of_a_convolution_are_counted_by_hand():
    assert count_macs(nn.Conv2d(3, 8, 3, padding=1), 10, 20) == 10 * 20 * 9 * 3 * 8


@pytest.mark.parametrize(
    ("layers", "side"),
    [
        ([nn.Conv2d(3, 4, 3, padding=1)], 3),
        ([nn.Conv2d(3, 4, 3, padding=2, dilation=2), nn.Conv2d(4, 2, 5, padding=2)], 9),
        ([nn.Conv2d(3, 4, 3, padding=1), SE(4, 2)], 3),
        ([nn.Conv2d(3, 4, 2, stride=2), nn.Conv2d(4, 4, 3, padding=1), nn.Upsample(scale_factor=2)], 6),
    ],
)
def test_the_receptive_field_is_that_worked_out_by_hand(layers, side):
    torch.manual_seed(0)
    assert receptive_field(nn.Sequential(*layers)) == side


def test_what_sees_everything_has_no_side():
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.leave = nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.leave(x) + x.sum(dim=(1, 2, 3), keepdim=True)

    assert receptive_field(Mean()) is None


@pytest.mark.parametrize("name", list_models())
def test_every_network_has_a_row_of_facts_and_size_and_work_are_those_published(name):
    summary = summarise_model(name)
    parameters, gmacs = PUBLISHED[name]
    assert summary.parameters == parameters + (17 if name == "unext" else 0)  # one class more
    if gmacs is not None:
        assert summary.macs_256 / 1e9 == pytest.approx(gmacs, rel=0.03)
    if name == "amsunet":
        assert summary.macs_480 / 1e9 == pytest.approx(21.56, rel=0.03)
    assert summary.macs_480 > 3 * summary.macs_256
    assert summary.source
    assert (summary.receptive_field is None) == (name == "segnext")
