"""Heads on the decoder that are there in training alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.models import create_model
from amsunet.training.deep_supervision import DeepSupervision, mean_over_scales
from amsunet.training.loss import CrossEntropyDiceLoss
from amsunet.training.train import resume, train

SETTINGS = {"in_channels": 1, "num_classes": 3}


@pytest.mark.parametrize("name", ["amsunet", "unet", "resunet", "convunext"])
@pytest.mark.parametrize("crop", [(64, 96), (76, 100)])
def test_heads_see_a_half_a_quarter_an_eighth(name, crop):
    network = create_model(name, base_channels=4, **SETTINGS).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    supervision = DeepSupervision(network, crop=crop, **SETTINGS)
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    images = torch.randn(2, 1, *crop)
    logits = supervision(network, images)
    assert [one.shape for one in logits] == [(2, 3, crop[0] >> step, crop[1] >> step) for step in range(4)]
    network.eval(), supervision.eval()
    assert torch.equal(supervision(network, images)[0], network(images))
    assert not any(module._forward_hooks for module in network.modules()), "the network is left as it was"


def test_every_head_and_step_is_pulled():
    network = create_model("amsunet", base_channels=4, **SETTINGS).train()
    supervision = DeepSupervision(network, crop=(64, 64), **SETTINGS)
    labels = torch.randint(0, 3, (2, 64, 64))
    mean_over_scales(CrossEntropyDiceLoss(), supervision(network, torch.randn(2, 1, 64, 64))[1:], labels).backward()
    assert all(head.weight.grad.any() for head in supervision.heads)
    assert network.stem[0].weight.grad.any()
    assert network.head.weight.grad is None and network.ups[-1].fuse.weight.grad is None


def test_finer_scales_weigh_more_and_ignored_pixels_stay_ignored():
    labels = torch.randint(0, 2, (1, 32, 32))
    labels[:, :, 16:] = 255
    right = 20.0 * torch.stack((labels == 0, labels == 1), 1)
    logits = [right[..., ::step, ::step] for step in (1, 2)]
    loss = CrossEntropyDiceLoss()
    wrong = [-one for one in logits]
    in_fine, in_coarse = (
        mean_over_scales(loss, pair, labels) for pair in ([wrong[0], logits[1]], [logits[0], wrong[1]])
    )
    assert float(in_fine) > 1.5 * float(in_coarse) > 1
    for one in logits:
        one[..., one.shape[-1] // 2 :] = 7.0
    assert float(mean_over_scales(loss, [logits[0]], labels)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    ("network", "crop", "message"),
    [
        (create_model("unext", **SETTINGS), (64, 64), "UNeXt cannot be trained with deep supervision, .*called ups"),
        (nn.Conv2d(1, 3, 1), (64, 64), "Conv2d cannot"),
        (create_model("convunext", base_channels=4, **SETTINGS), (32, 32), "crops of 32 x 32, .*gives 64 x 64"),
    ],
)
def test_a_decoder_that_is_not_to_be_seen_is_refused(network, crop, message):
    with pytest.raises(InputError, match=message):
        DeepSupervision(network, crop=crop, **SETTINGS)


def test_training_keeps_the_network_alone_and_can_be_resumed(repeatable, interrupt, record, tmp_path, monkeypatch):
    settings = {**repeatable, "epochs": 2, "deep_supervision": True}
    whole = train("sample:nuclei", out=tmp_path / "whole", **settings)
    network, description = load_model(whole.run / "model.safetensors")
    plain = create_model("amsunet", **description.arguments)
    assert network.state_dict().keys() == plain.state_dict().keys()
    interrupt(1, 0)
    stopped = train("sample:nuclei", out=tmp_path / "stopped", **settings)
    monkeypatch.undo()
    resume(stopped.run)
    assert record(stopped.run) == record(whole.run)


def test_what_cannot_be_is_said_before_anything_is_written(tiny, tmp_path):
    settings = {key: value for key, value in tiny.items() if key != "base_channels"}
    with pytest.raises(InputError, match="SegNeXt cannot be trained with deep supervision"):
        train("sample:nuclei", out=tmp_path / "run", epochs=1, model="segnext", deep_supervision=True, **settings)
    assert not (tmp_path / "run").exists()
