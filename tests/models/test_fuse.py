"""Fused networks compute what the originals compute."""

from __future__ import annotations

import itertools

import pytest
import torch
from made_networks import NETWORKS, choices, small
from torch import nn

from amsunet import deployment
from amsunet.inference.model_file import load_model
from amsunet.models import create_model, load_published_weights
from amsunet.models.cost import count_macs
from amsunet.models.fuse import fuse
from amsunet.zoo import list_zoo

_PLACES = list(itertools.product(("batch", "layer"), ("before", "after"), ("amse", "transformer", "mscan")))


def _lived_in(network: nn.Module) -> nn.Module:
    """BatchNorm statistics and weights as a training leaves them, not the zeros and ones of the start."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.3)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.3, generator=generator)
    return network.eval()


def _assert_equal(network: nn.Module, *sizes: tuple[int, int]) -> nn.Module:
    """In float64, where rounding hides nothing."""
    fused = fuse(network.double())
    for size in sizes:
        x = torch.rand(2, 3, *size, dtype=torch.float64)
        with torch.no_grad():
            torch.testing.assert_close(fused(x), network(x), rtol=1e-6, atol=1e-8)
    return fused


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_computes_the_same(name):
    torch.manual_seed(0)
    network = _lived_in(small(name, 8))
    state = {key: value.double().clone() for key, value in network.state_dict().items()}
    fused = _assert_equal(network, (64, 64), (33, 47), (71, 50))
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items()), "it was changed"
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) for net in (network, fused)]
    assert norms[1] < norms[0]


@pytest.mark.parametrize("variant", choices(8), ids=lambda variant: variant.name)
def test_every_configuration_of_amsunet_computes_the_same(variant):
    torch.manual_seed(0)
    _assert_equal(_lived_in(create_model(variant.model, **variant.options)), (33, 47))


@pytest.mark.parametrize("skip_attention", ["none", "rsc"])
@pytest.mark.parametrize("mixer", ["ams", "pooling"])
@pytest.mark.parametrize(("norm", "norm_place", "residual"), _PLACES)
def test_choices_that_meet_compute_the_same(norm, norm_place, residual, mixer, skip_attention):
    """What is folded where depends on norm, place and residual together."""
    torch.manual_seed(0)
    choices = {"norm": norm, "norm_place": norm_place, "residual": residual, "mixer": mixer}
    network = _lived_in(create_model("amsunet", base_channels=4, skip_attention=skip_attention, **choices))
    fused = _assert_equal(network, (33, 47))
    left = sum(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    blocks = 9
    assert left == (blocks if norm == "batch" and residual == "mscan" else 0), "the first norm of MSCAN feeds a sum too"


@pytest.mark.parametrize("card", list_zoo(), ids=lambda card: card.name)
def test_trained_weights_compute_the_same(card):
    network, _ = load_model(card.weights)
    fused = deployment.fuse(network)
    for size in ((64, 64), (71, 50)):
        x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = network(x)
            # Of the largest logit: in float32 the network itself is as far from what it is in float64.
            assert float((fused(x) - expected).abs().max() / expected.abs().max()) < 1e-5
    _assert_equal(network, (64, 64), (71, 50))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_fused_can_be_fused_again(name):
    torch.manual_seed(0)
    once = fuse(_lived_in(small(name, 8)))
    _assert_equal(once, (33, 47))


def test_the_papers_network_keeps_no_norm_and_works_less():
    torch.manual_seed(0)
    network = _lived_in(create_model("amsunet"))
    fused = _assert_equal(network, (48, 64))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert count_macs(fused.float(), 128, 128) < 0.95 * count_macs(network.float(), 128, 128)
    x = torch.rand(1, 3, 75, 90)
    with torch.no_grad():
        assert float((fused(x) - network(x)).abs().max()) < 1e-5


def test_published_weights_computes_the_same(golden):
    arrays = golden("amsunet_base8")
    state = {k.removeprefix("state/"): torch.from_numpy(a) for k, a in arrays.items() if k.startswith("state/")}
    network = create_model("amsunet", base_channels=8).eval()
    load_published_weights(network, state)
    fused = fuse(network)
    with torch.no_grad():
        output = fused(torch.from_numpy(arrays["input0"]))
    assert float((output - torch.from_numpy(arrays["output"])).abs().max()) < 1e-5


@pytest.mark.parametrize("how", ["grouped", "shared", "dilated", "without affine", "without statistics"])
def test_what_has_no_such_form_is_left_alone(how):
    torch.manual_seed(0)
    shared = nn.ReLU()
    network = {
        "grouped": lambda: nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1, groups=4)),
        "shared": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), shared, nn.Conv2d(8, 8, 1), shared, nn.BatchNorm2d(8)),
        "dilated": lambda: nn.Sequential(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, dilation=2)),
        "without affine": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, affine=False)),
        "without statistics": lambda: nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, track_running_stats=False)),
    }[how]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
    x = torch.randn(2, 8, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(fuse(network)(x), network.eval()(x))
