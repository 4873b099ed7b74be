"""The loss of the released recipe."""

from __future__ import annotations

import pytest
import torch

from amsunet.training.loss import CrossEntropyDiceLoss


@pytest.mark.parametrize("name", ["loss_ce_dice_2cls", "loss_ce_dice_4cls"])
@pytest.mark.parametrize("part", ["cross_entropy", "dice", "loss"])
def test_loss_is_the_published_one(golden, name, part):
    arrays = golden(name)
    logits, target = torch.from_numpy(arrays["logits"]), torch.from_numpy(arrays["target"]).long()
    assert (target == 255).any(), "the file must hold ignored pixels"
    loss = CrossEntropyDiceLoss()
    found = {"cross_entropy": loss.cross_entropy, "dice": loss.dice, "loss": loss}[part](logits, target)
    assert float(found) == pytest.approx(float(arrays[part]), abs=1e-5)


def test_ignored_pixels_neither_count_nor_pull():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    target = torch.randint(0, 3, (2, 8, 8))
    target[:, :, 4:] = 255
    loss = CrossEntropyDiceLoss()
    value = loss(logits, target)
    value.backward()
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].any()
    changed = logits.detach().clone()
    changed[..., 4:] = 50.0
    assert torch.equal(loss(changed, target), value.detach())


@pytest.mark.parametrize("classes", [2, 5])
def test_a_batch_without_any_counted_pixel_is_harmless(classes):
    logits = torch.randn(2, classes, 8, 8, requires_grad=True)
    value = CrossEntropyDiceLoss()(logits, torch.full((2, 8, 8), 255))
    value.backward()
    assert torch.isfinite(value)
    assert not logits.grad.any()


def test_the_right_answer_costs_nothing_and_the_wrong_one_much():
    target = torch.tensor([[[0, 1], [1, 255]]])
    right = torch.tensor([[[[50.0, -50], [-50, 0]], [[-50, 50], [50, 0]]]])
    loss = CrossEntropyDiceLoss()
    assert float(loss(right, target)) == pytest.approx(0, abs=1e-4)
    assert float(loss(-right, target)) > 50
