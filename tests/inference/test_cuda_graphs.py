"""CUDA graphs compute what networks compute without, in prediction and in training."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device, choose_device
from amsunet.inference.cuda_graphs import GraphedForward, captured, with_weights_cast
from amsunet.inference.model_file import for_inference
from amsunet.inference.torch_runtime import TorchRuntime
from amsunet.models import create_model, list_models

_PREPROCESSING = Preprocessing(in_channels=3, normalization="depth", mean=(0.5,) * 3, std=(0.25,) * 3)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")


def test_weights_are_cast_where_autocast_would_and_the_original_is_left_alone():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(5, 5))
    cast = with_weights_cast(network, torch.bfloat16)
    assert [one.dtype for one in cast.parameters()] == [torch.bfloat16] * 2 + [torch.float32] * 2 + [torch.bfloat16] * 2
    assert {one.dtype for one in network.parameters()} == {torch.float32}


def test_cast_weights_give_what_autocast_gives():
    torch.manual_seed(0)
    network, x = create_model("amsunet_xs").eval(), torch.randn(1, 3, 32, 48)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(with_weights_cast(network, torch.bfloat16)(x), network(x))


@on_gpu
@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_call_of_a_shape_gives_the_same(name, precision):
    torch.manual_seed(0)
    device = choose_device("cuda", precision)
    network = device.place(for_inference(create_model(name).eval()))
    plain = TorchRuntime(network, _PREPROCESSING, device)
    graphed = TorchRuntime(network, _PREPROCESSING, device, graphs=True)
    rng = np.random.default_rng(0)
    for shape in [(1, 3, 64, 96), (2, 3, 64, 64), (1, 3, 64, 96), (2, 3, 64, 64), (1, 3, 64, 96)]:
        images = rng.integers(0, 256, shape, np.uint8)
        np.testing.assert_allclose(graphed(images), plain(images), rtol=0.02, atol=0.02)
    assert len(graphed._graphed._captured) == 2, "nothing was captured"


@on_gpu
def test_graphs_of_many_shapes_do_not_disturb_each_other():
    device = choose_device("cuda", "float32")
    network = device.place(for_inference(create_model("amsunet_xs").eval()))
    graphed = TorchRuntime(network, _PREPROCESSING, device, graphs=True)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, 3, 32 + 16 * one, 64), np.uint8) for one in range(7)]
    first = [graphed(image) for image in images]
    for _ in range(3):
        for image, expected in zip(images, first, strict=True):
            np.testing.assert_allclose(graphed(image), expected, atol=1e-5)


@on_gpu
def test_threads_get_what_they_gave():
    device = choose_device("cuda", "float32")
    network = device.place(for_inference(create_model("amsunet_xs").eval()))
    graphed = TorchRuntime(network, _PREPROCESSING, device, graphs=True)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, 3, 64, 64), np.uint8) for _ in range(16)]
    expected = [graphed(image) for image in images]
    with ThreadPoolExecutor(8) as threads:
        for found, one in zip(threads.map(graphed, images * 8), expected * 8, strict=True):
            np.testing.assert_allclose(found, one, atol=1e-5)


@on_gpu
def test_without_memory_for_graphs_it_runs_as_it_is():
    given: list[int] = []

    def forward(x: torch.Tensor) -> torch.Tensor:
        given.append(len(x))
        if len(given) == 2:
            raise torch.OutOfMemoryError
        return 2 * x

    graphed, x = GraphedForward(forward), torch.ones(1, 1, 4, 4, device="cuda")
    assert all(torch.equal(graphed(x), 2 * x) for _ in range(4))
    assert len(given) == 5, "what has no graph is computed in every call, and once more where memory ran out"


@on_gpu
def test_another_network_runs_as_it_is():
    network = torch.nn.Conv2d(3, 2, 1)
    device = choose_device("cuda")
    assert TorchRuntime(device.place(for_inference(network)), _PREPROCESSING, device, graphs=True)._graphed is None


on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")


def test_without_a_gpu_the_network_itself_runs():
    network = create_model("amsunet_xs")
    assert captured(network, torch.zeros(1, 3, 32, 32), choose_device("cpu")) is network


def test_a_pass_that_cannot_be_captured_runs_as_it_is_and_is_left_unchanged(monkeypatch):
    network, images = create_model("amsunet_xs"), torch.randn(2, 3, 32, 32)
    before = copy.deepcopy(network.state_dict())

    def capture(module: torch.nn.Module, given: tuple[torch.Tensor], **options: object) -> None:
        module(*given)
        raise RuntimeError("CUDA error: operation not permitted\nCompile with TORCH_USE_CUDA_DSA")

    monkeypatch.setattr("torch.cuda.make_graphed_callables", capture)
    with pytest.warns(match=r"without CUDA graphs.*: CUDA error: operation not permitted$"):
        assert captured(network, images, Device("cuda", "float32", 1)) is network
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@on_gpu
def test_another_network_trains_as_it_is():
    network = torch.nn.Conv2d(3, 2, 1).cuda()
    assert captured(network, torch.zeros(1, 3, 32, 32, device="cuda"), choose_device("cuda")) is network


def _trained(forward, network, batches, device):
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    losses = []
    for images in batches:
        with device.autocast():
            logits = forward(images)
        loss = logits.float().pow(2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    return torch.stack(losses)


@on_gpu
@pytest.mark.parametrize("name", list_models())
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_are_those_of_the_network(name, precision):
    torch.manual_seed(0)
    device = choose_device("cuda", precision)
    network = device.place(create_model(name).train())
    twin = copy.deepcopy(network)
    batches = [torch.randn(2, 3, 64, 64, device="cuda").contiguous(memory_format=torch.channels_last) for _ in range(4)]
    before = copy.deepcopy(network.state_dict())
    forward = captured(network, batches[0], device)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert type(network).forward == network.forward.__func__, "a copy of the network would run the original"
    torch.manual_seed(1)
    found = _trained(forward, network, batches, device)
    torch.manual_seed(1)
    expected = _trained(twin, twin, batches, device)
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=1e-3)
    for (key, one), other in zip(network.named_buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=5e-2, atol=5e-2, msg=key)
