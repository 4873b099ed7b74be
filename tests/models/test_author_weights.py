"""AMSUnet with the weights of the authors' released code."""

from __future__ import annotations

import pytest
import torch

from amsunet.blocks import AMS
from amsunet.models import MSCAN, AMSUnet, create_model, load_published_weights


@pytest.fixture(scope="module")
def author_weights(golden):
    arrays = golden("amsunet_base8")
    state = {key.removeprefix("state/"): torch.from_numpy(a) for key, a in arrays.items() if key.startswith("state/")}
    return state, torch.from_numpy(arrays["input0"]), torch.from_numpy(arrays["output"])


@pytest.mark.parametrize(
    ("name", "arguments", "count"),
    [
        ("amsunet", {}, 2_619_898),
        ("amsunet", {"in_channels": 1}, 2_619_322),
        ("amsunet", {"num_classes": 4}, 2_619_964),
        ("unet", {}, 4_318_434),
        ("convunext", {}, 3_505_730),
        ("unext", {"num_classes": 1}, 1_471_921),
    ],
)
def test_parameters_of_the_papers(name, arguments, count):
    assert sum(p.numel() for p in create_model(name, **arguments).parameters()) == count


@pytest.mark.parametrize("name", ["resunet", "segnext"])
def test_own_parameter_counts_are_those_of_the_docstring(name):
    network = create_model(name)
    count = sum(p.numel() for p in network.parameters())
    assert f"{count:,}" in (type(network).__doc__ or "")


def test_parameters_of_mscan_t():
    assert sum(p.numel() for p in MSCAN().parameters()) == 3_903_584


@pytest.mark.parametrize(("file", "name", "arguments"), [
    ("convunext_base8", "convunext", {"base_channels": 8}),
    ("unext_2cls", "unext", {}),
    ("unext_seeded", "unext", {}),
])  # fmt: skip
def test_peers_compute_what_the_published_ones_do(golden, file, name, arguments):
    arrays = golden(file)
    network = create_model(name, **arguments).eval()
    state = {key.removeprefix("state/"): torch.from_numpy(a) for key, a in arrays.items() if key.startswith("state/")}
    load_published_weights(network, state)
    with torch.no_grad():
        found = network(torch.from_numpy(arrays["input0"]))
    assert (found - torch.from_numpy(arrays["output"])).abs().max() < 1e-5


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_network_computes_what_the_published_one_does(author_weights, memory_format):
    state, x, expected = author_weights
    network = AMSUnet(base_channels=8).eval()
    load_published_weights(network, state)
    with torch.no_grad():
        found = network.to(memory_format=memory_format)(x.contiguous(memory_format=memory_format))
    assert (found - expected).abs().max() < 1e-5


def test_every_published_tensor_is_used_once(author_weights):
    state, _, _ = author_weights
    network = AMSUnet(base_channels=8)
    load_published_weights(network, state)
    given = sorted(v.double().sum().item() for k, v in state.items() if not k.endswith("num_batches_tracked"))
    loaded = sorted(
        v.double().sum().item() for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")
    )
    assert loaded == given


def test_counters_of_batches_may_be_missing(author_weights):
    state, x, expected = author_weights
    network = AMSUnet(base_channels=8).eval()
    load_published_weights(network, {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")})
    with torch.no_grad():
        assert (network(x) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("out_conv.0.bias"), r"missing \['out_conv.0.bias'\]"),
        (lambda state: state.update(extra=torch.zeros(1)), r"superfluous \['extra'\]"),
        (lambda state: state.update({"out_conv.0.bias": torch.zeros(3)}), r"out_conv.0.bias is \(3,\), not \(2,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed(author_weights, change, message):
    state = dict(author_weights[0])
    change(state)
    network = AMSUnet(base_channels=8)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_published_weights(network, state)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_module_without_published_weights_is_refused():
    with pytest.raises(TypeError, match=r"Conv2d; known are: .*AMSUnet"):
        load_published_weights(torch.nn.Conv2d(1, 1, 1), {})


def test_weights_of_another_block_are_refused(author_weights):
    with pytest.raises(ValueError, match="do not fit"):
        load_published_weights(AMS(8), author_weights[0])


@pytest.mark.parametrize("base_channels", [2, 6, 0])
def test_impossible_width_is_refused(base_channels):
    with pytest.raises(ValueError, match="multiple of 4"):
        AMSUnet(base_channels=base_channels)


def test_dilations_are_one_for_each_stage():
    with pytest.raises(ValueError, match="five numbers"):
        AMSUnet(base_channels=4, dilations=(1, 1))
    wide = AMSUnet(base_channels=4, dilations=(1, 1, 1, 3, 9))
    assert wide.downs[3][2].attention.mixer.atrous.dilation == (9, 9)
