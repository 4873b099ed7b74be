"""What every network of the registry promises."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from amsunet.models import create_model, list_models, register_model

networks = pytest.mark.parametrize("name", list_models())


# Networks without a base width: what makes them small.
SMALL = {"segnext": {"decoder_channels": 32}, "unext": {"widths": (8, 8, 16, 16, 32)}}


def _small(name: str, **arguments) -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model(name, **SMALL.get(name, {"base_channels": 4}), **arguments)


def test_the_networks_of_the_comparison_are_there():
    assert {"amsunet", "unet", "resunet", "convunext", "unext", "segnext"} <= set(list_models())


@networks
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (32, 67), (49, 64), (83, 35), (64, 64)])
def test_logits_have_the_size_of_the_image(name, size):
    with torch.no_grad():
        assert _small(name).eval()(torch.randn(2, 3, *size)).shape == (2, 2, *size)


@networks
def test_every_side_from_the_smallest_on_works(name):
    network = _small(name).eval()
    smallest = network.minimum_size
    with torch.no_grad():
        for side in range(smallest, smallest + 17):
            assert network(torch.randn(1, 3, side, smallest)).shape[-2:] == (side, smallest)


@networks
@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("num_classes", [1, 2, 7])
def test_channels_and_classes_are_free(name, in_channels, num_classes):
    network = _small(name, in_channels=in_channels, num_classes=num_classes).eval()
    with torch.no_grad():
        assert network(torch.randn(1, in_channels, 32, 32)).shape == (1, num_classes, 32, 32)


@networks
def test_gradients_reach_every_parameter(name):
    network = _small(name)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not silent
    # A bias before BatchNorm has no effect, but a weight that none reaches is a part that is not wired in.
    unused = [n for n, p in network.named_parameters() if n.endswith("weight") and not p.grad.any()]
    assert not unused


@networks
def test_saved_weights_give_the_same_logits(name, tmp_path):
    network = _small(name)
    network(torch.randn(2, 3, 32, 32))  # moves the BatchNorm statistics, which must be saved too
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    torch.manual_seed(1)
    other = create_model(name, **SMALL.get(name, {"base_channels": 4}))
    x = torch.randn(1, 3, 40, 33)
    with torch.no_grad():
        expected = network.eval()(x)
        assert not torch.equal(other.eval()(x), expected)
        other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
        assert torch.equal(other(x), expected)


@networks
def test_evaluation_is_deterministic_and_images_do_not_mix(name):
    network = _small(name).eval()
    x = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        both = network(x)
        assert torch.equal(both, network(x))
        torch.testing.assert_close(both[1:], network(x[1:]), atol=1e-5, rtol=1e-4)


@networks
def test_channels_last_computes_the_same(name):
    network = _small(name).eval()
    x = torch.randn(1, 3, 35, 48)
    with torch.no_grad():
        expected = network(x)
        found = network.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@networks
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traced_network_computes_the_same_on_another_image(name):
    network = _small(name).eval()
    with torch.no_grad():
        traced = torch.jit.trace(network, torch.randn(1, 3, 48, 37))
        x = torch.randn(2, 3, 48, 37)
        torch.testing.assert_close(traced(x), network(x), atol=1e-5, rtol=1e-4)


@networks
@pytest.mark.parametrize("smaller", [0, 1])
def test_too_small_an_image_is_refused_with_the_size_that_works(name, smaller):
    network = _small(name).eval()
    size = [network.minimum_size, network.minimum_size]
    size[smaller] -= 1
    with pytest.raises(ValueError, match=rf"at least {network.minimum_size} x {network.minimum_size} pixels, not "):
        network(torch.randn(1, 3, *size))


def test_networks_load_nothing_heavy_beside_torch():
    code = (
        "import sys, amsunet.models\n"
        "heavy = {'pytorch_lightning', 'monai', 'kornia', 'PIL', 'scipy', 'pydantic', 'click'}\n"
        "print(sorted(heavy & set(sys.modules)), [m for m in sys.modules if m.startswith('amsunet.')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("[] ")
    for part in ("data", "training", "inference", "evaluation", "cli"):
        assert f"amsunet.{part}" not in out


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'amsunet'"):
        create_model("amsnet")
    with pytest.raises(ValueError, match=r"known are: .*amsunet"):
        create_model("zzz")


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="registered already"):
        register_model("amsunet")(torch.nn.Identity)
