"""A captured training pass trains as the network itself does."""

from __future__ import annotations

import copy

import pytest
import torch

from amsunet.device import Device, choose_device
from amsunet.models import create_model, list_models
from amsunet.training.cuda_graphs import captured

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
def test_another_network_runs_as_it_is():
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
