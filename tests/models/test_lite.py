"""AMSUnetLite: its sizes, its settings, and what it is without AMS."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.blocks import ComposedAMS
from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.models import AMSUnetLite, create_model
from amsunet.models.cost import count_macs
from amsunet.models.fuse import fuse

SIZES = ("amsunet_lite_xs", "amsunet_lite", "amsunet_lite_m")


def test_each_size_is_smaller_than_the_u_net_it_is_measured_against():
    for name, base in zip(SIZES, (8, 16, 32), strict=True):
        light, unet = create_model(name), create_model("unet", base_channels=base)
        assert sum(p.numel() for p in light.parameters()) < sum(p.numel() for p in unet.parameters())
        assert count_macs(light, 64, 64) < count_macs(unet, 64, 64)


@pytest.mark.parametrize("name", [*SIZES, "resunet_lite"])
def test_every_convolution_fills_a_cpus_vectors(name):
    network = create_model(name)
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d) and m is not network.head]
    assert widths and not any(width % 16 for width in widths)


def test_the_control_has_no_depthwise_kernel():
    kinds = {type(module) for module in create_model("resunet_lite").modules()}
    assert not kinds & {ComposedAMS, DepthwiseConv2d}


def test_fused_it_has_no_norm_and_no_kernel_left_to_compose():
    torch.manual_seed(0)
    kinds = {type(module) for module in fuse(create_model("amsunet_lite", base_channels=4)).modules()}
    assert not kinds & {ComposedAMS, nn.BatchNorm2d}
    assert DepthwiseConv2d in kinds


@pytest.mark.parametrize(
    "settings",
    [
        {"encoder": ["conv", "double", "gated", "gated", "amse"], "decoder": ["gated", "conv", "conv", "double"]},
        {"mixer": "plain", "kernel_size": 5},
        {"coarse_attention": True},
        {"depths": [0, 1, 1, 1, 3]},
    ],
)
def test_other_designs_compute_and_fuse(settings):
    torch.manual_seed(0)
    network = create_model("amsunet_lite", base_channels=4, **settings).double()
    network(torch.randn(2, 3, 33, 47, dtype=torch.float64))
    x = torch.randn(1, 3, 33, 47, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(fuse(network)(x), network.eval()(x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_channels": 0}, "base_channels must be a whole number from 1 on"),
        ({"widths": (1, 2, 4)}, "widths needs five whole numbers"),
        ({"widths": (0, 1, 1, 1, 1)}, "widths needs five whole numbers"),
        ({"depths": (1, 1, 1, 1, -1)}, "depths needs five whole numbers"),
        ({"encoder": ("conv",) * 4}, "encoder needs 5 kinds of block of conv, double, amse, gated"),
        ({"decoder": ("conv", "conv", "conv", "mamba")}, "decoder needs 4 kinds"),
        ({"mixer": "pooling"}, "mixer must be ams or plain"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AMSUnetLite(**settings)
