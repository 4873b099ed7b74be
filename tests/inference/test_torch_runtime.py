"""Networks in torch behind the interface of all runtimes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.torch_runtime import TorchRuntime, standardise

_PREPROCESSING = Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.25,))


def _images(count=2):
    return np.random.default_rng(0).integers(0, 256, (count, 1, 40, 33), np.uint8)


class _Twice(nn.Module):
    def forward(self, x):
        return torch.cat((x, -x), dim=1)


def test_standardised_images_have_the_recorded_moments():
    images = torch.rand(4, 3, 16, 16)
    mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3))
    record = Preprocessing(in_channels=3, normalization="depth", mean=tuple(mean.tolist()), std=tuple(std.tolist()))
    out = standardise(images, record)
    assert torch.allclose(out.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(out.std((0, 2, 3)), torch.ones(3), atol=1e-4)


@pytest.mark.parametrize("view", [lambda x: x, lambda x: np.flip(x, (2, 3)), lambda x: x[:, :, ::2, 1:30]])
def test_any_view_of_images_goes_through(device, view):
    images = view(_images())
    images.flags.writeable = False
    logits = TorchRuntime(_Twice(), _PREPROCESSING, device)(images)
    np.testing.assert_allclose(logits[:, :1], (images / 255 - 0.5) / 0.25, atol=1e-5)
    assert logits.dtype == np.float32


def test_what_cannot_be_compiled_runs_without_and_says_so_once(device, monkeypatch, said):
    def without_a_compiler(network):
        def run(x):
            raise RuntimeError("no C++ compiler\nand a long story")

        return run

    monkeypatch.setattr(torch, "compile", without_a_compiler)
    runtime = TorchRuntime(_Twice(), _PREPROCESSING, device, compiled=True)
    expected = TorchRuntime(_Twice(), _PREPROCESSING, device)(_images())
    assert np.array_equal(runtime(_images()), expected) and np.array_equal(runtime(_images()), expected)
    assert said == ["warning: torch.compile does not work here (no C++ compiler): going on without it"]
    strict = TorchRuntime(_Twice(), _PREPROCESSING, device, compiled=True, fall_back=False)
    with pytest.raises(InputError, match=r"torch\.compile does not work here \(no C\+\+ compiler\)$"):
        strict(_images())
    assert "compiled" not in runtime.name


def test_a_compiled_network_is_run(device, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network: lambda x: network(x) + 1)
    plain = TorchRuntime(_Twice(), _PREPROCESSING, device)
    compiled = TorchRuntime(_Twice(), _PREPROCESSING, device, compiled=True)
    np.testing.assert_allclose(compiled(_images()), plain(_images()) + 1, atol=1e-5)
    assert "compiled" in compiled.name
