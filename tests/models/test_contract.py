"""What every network of the registry promises."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch
from made_networks import ALIASES, NETWORKS, small

from amsunet.models import create_model, list_models, register_model
from amsunet.models.contract import PROMISES, check_contract

networks = pytest.mark.parametrize("name", NETWORKS)


def test_the_networks_of_the_comparison_are_there():
    assert {"amsunet", "unet", "resunet", "convunext", "unext", "segnext", *ALIASES} <= set(list_models())


@pytest.mark.parametrize("name", ALIASES)
def test_a_narrower_amsunet_differs_by_its_width_alone(name):
    torch.manual_seed(0)
    narrow = small(name)
    torch.manual_seed(0)
    wide = small("amsunet")
    assert repr(narrow) == repr(wide) and type(narrow) is type(wide)
    theirs = wide.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in narrow.state_dict().items())
    assert 4 < create_model(name).head.in_channels < create_model("amsunet").head.in_channels


@networks
@pytest.mark.parametrize("promise", PROMISES)
def test_every_network_keeps_every_promise(name, promise):
    torch.manual_seed(0)
    PROMISES[promise](lambda **arguments: small(name, **arguments))


@networks
def test_every_side_from_the_smallest_on_works(name):
    torch.manual_seed(0)
    network = small(name).eval()
    smallest = network.minimum_size
    with torch.no_grad():
        for side in range(smallest, smallest + 17):
            assert network(torch.randn(1, 3, side, smallest)).shape[-2:] == (side, smallest)


class _Broken(torch.nn.Module):
    """A network that breaks one promise."""

    def __init__(self, how: str, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.how, self.calls = how, 0
        self.convolution = torch.nn.Conv2d(in_channels, num_classes, 1)
        self.unused = torch.nn.Conv2d(1, 1, 1) if how == "silent" else None
        self.hidden = torch.rand(1)

    def forward(self, x):
        out = self.convolution(x)
        if self.how == "dict":
            return {"out": out}
        if self.how == "half":
            return out[..., ::2, ::2]
        if self.how == "even":
            return out.unflatten(2, (-1, 2)).flatten(2, 3).unflatten(3, (-1, 2)).flatten(3)
        if self.how == "unsaved":
            return out + self.hidden
        if self.how == "chance":
            return out + torch.rand(1)
        if self.how == "mixing":
            return out + x.mean()
        if self.how == "layout":
            return out * (2.0 if x.is_contiguous() and not x.is_contiguous(memory_format=torch.channels_last) else 1.0)
        if self.how == "branch" and float(x.mean()) > 9:
            return out * 2
        return out


@pytest.mark.parametrize(
    ("how", "promise", "message"),
    [
        ("dict", "logits", "returned a dict: return one tensor"),
        ("half", "logits", r"logits have the shape \(2, 2, 16, 16\), not \(2, 2, 32, 32\)"),
        ("even", "any size", "pad inside"),
        ("silent", "gradients", "no gradient reaches unused.weight"),
        ("unsaved", "saved", "make all state parameters or buffers"),
        ("chance", "evaluation", "leave chance out"),
        ("mixing", "evaluation", "depend on the others of its batch"),
        ("layout", "channels_last", "other logits"),
        ("branch", "torch.export", ""),
    ],
)
def test_a_broken_promise_is_found_and_told(how, promise, message):
    torch.manual_seed(0)
    broken = {
        name: problem
        for name, problem in check_contract(lambda **arguments: _Broken(how, **arguments))
        if problem is not None
    }
    told = next((problem for name, problem in broken.items() if name.startswith(promise)), None)
    assert told is not None, broken
    assert re.search(message, told)


def test_a_sound_network_breaks_nothing():
    assert [problem for _, problem in check_contract(lambda **arguments: _Broken("not", **arguments))] == [None] * 8


@networks
@pytest.mark.parametrize("smaller", [0, 1])
def test_too_small_an_image_is_refused_with_the_size_that_works(name, smaller):
    torch.manual_seed(0)
    network = small(name).eval()
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
