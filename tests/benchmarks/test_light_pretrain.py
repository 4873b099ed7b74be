"""A network of many heads: what it is, that it learns and goes on, and that a training starts from it."""

from __future__ import annotations

import json

import light_pretrain
import pytest
import torch
from light_pretrain import JointNetwork

from amsunet.evaluation.evaluate import evaluate
from amsunet.inference.model_file import load_model
from amsunet.losses import make_loss
from amsunet.models import create_model
from amsunet.training.run_folder import images_seen
from amsunet.training.train import train

TINY = {"base_channels": 4}
WORDS = ["sample:nuclei", "sample:brain", "--steps", "6", "--crop", "32"]


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """Two samples, learnt together in one go."""
    out = tmp_path_factory.mktemp("joint") / "out"
    light_pretrain.main([*WORDS, "--out", str(out)], **TINY)
    return out


def test_each_head_sees_its_part_of_the_batch():
    network = JointNetwork(create_model("amsunet_lite", base_channels=4), [2, 4]).eval()
    images = torch.rand(6, 3, 32, 32)
    first, second = network(images)
    assert first.shape == (3, 2, 32, 32) and second.shape == (3, 4, 32, 32)
    assert torch.allclose(second, network.heads[1](network.body(images[3:])), atol=1e-6)


def test_all_targets_move_what_they_share_and_each_its_own_head():
    network = JointNetwork(create_model("amsunet_lite", base_channels=4), [2, 3])
    logits = network(torch.rand(4, 3, 32, 32))
    make_loss("ce_dice")(logits[1], torch.zeros(2, 32, 32, dtype=torch.long)).backward()
    assert network.heads[0].weight.grad is None or not network.heads[0].weight.grad.any()
    assert network.heads[1].weight.grad.any()
    assert next(network.body.parameters()).grad.any()


def test_a_network_without_a_head_is_refused():
    with pytest.raises(ValueError, match="does not end in a convolution named head"):
        JointNetwork(torch.nn.Identity(), [2])


def test_the_result_is_a_run_and_its_network_is_the_first_target_s(joint):
    found = json.loads((joint / "joint.json").read_text())
    assert found["dice"].keys() == {"nuclei", "brain"} and all(0 <= value <= 1 for value in found["dice"].values())
    assert load_model(joint / "model.safetensors")[1].arguments["num_classes"] == 2
    seen = images_seen(joint)
    assert len(seen) > 12, "the images of both"
    assert evaluate(joint, split="test").summary()["mean_over_classes"]["dice"]["count"] == 4


def test_a_training_starts_from_it(joint, tmp_path, said):
    settings = {"model": "amsunet_lite", "pretrained": str(joint), "epochs": 1, "steps_per_epoch": 1, "crop": 32}
    train("sample:brain", settings, out=tmp_path / "run")
    assert any("weights of" in line and "taken" in line for line in said)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(joint, tmp_path, monkeypatch):
    update, calls = torch.optim.AdamW.step, [0]

    def stop_in_the_fourth(*given, **more):
        calls[0] += 1
        if calls[0] == 4:
            raise KeyboardInterrupt
        return update(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", stop_in_the_fourth)
        with pytest.raises(SystemExit, match="goes on"):
            light_pretrain.main([*WORDS, "--out", str(tmp_path / "out")], **TINY)
    light_pretrain.main([*WORDS, "--out", str(tmp_path / "out")], **TINY)
    unbroken, broken = (torch.load(place / "joint.pt", weights_only=True) for place in (joint, tmp_path / "out"))
    assert broken["step"] == unbroken["step"] == 6
    for name, value in unbroken["network"].items():
        assert torch.allclose(broken["network"][name].float(), value.float(), atol=1e-5), name


def test_other_targets_are_not_mixed_in(joint):
    words = ["sample:nuclei", "--steps", "6", "--crop", "32", "--out", str(joint)]
    with pytest.raises(SystemExit, match="other targets or settings"):
        light_pretrain.main(words, **TINY)
