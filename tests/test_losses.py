"""The loss of the released recipe, and those that may take its place."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from monai.losses import FocalLoss
from torch.nn import functional as F

from amsunet.choices import LossName
from amsunet.losses import CLDiceLoss, CrossEntropyDiceLoss, FocalDiceLoss, distilled, make_loss

LOSSES = get_args(LossName)


@pytest.mark.parametrize("name", ["loss_ce_dice_2cls", "loss_ce_dice_4cls"])
@pytest.mark.parametrize("part", ["cross_entropy", "dice", "loss"])
def test_loss_is_the_published_one(golden, name, part):
    arrays = golden(name)
    logits, target = torch.from_numpy(arrays["logits"]), torch.from_numpy(arrays["target"]).long()
    assert (target == 255).any(), "the file must hold ignored pixels"
    loss = CrossEntropyDiceLoss()
    found = {"cross_entropy": loss.cross_entropy, "dice": loss.dice, "loss": loss}[part](logits, target)
    assert float(found) == pytest.approx(float(arrays[part]), abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_neither_count_nor_pull(name):
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    target = torch.randint(0, 3, (2, 8, 8))
    target[:, :, 4:] = 255
    loss = make_loss(name)
    value = loss(logits, target)
    value.backward()
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].any()
    changed = logits.detach().clone()
    changed[..., 4:] = 50.0
    assert torch.equal(loss(changed, target), value.detach())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("classes", [2, 5])
def test_a_batch_without_any_counted_pixel_is_harmless(classes, name):
    logits = torch.randn(2, classes, 8, 8, requires_grad=True)
    value = make_loss(name)(logits, torch.full((2, 8, 8), 255))
    value.backward()
    assert torch.isfinite(value)
    assert not logits.grad.any()


def test_the_right_answer_costs_nothing_and_the_wrong_one_much():
    target = torch.tensor([[[0, 1], [1, 255]]])
    right = torch.tensor([[[[50.0, -50], [-50, 0]], [[-50, 50], [50, 0]]]])
    loss = CrossEntropyDiceLoss()
    assert float(loss(right, target)) == pytest.approx(0, abs=1e-4)
    assert float(loss(-right, target)) > 50


def _scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (2, 3, 24, 24) and targets with a bar of each class, in one image of two."""
    torch.manual_seed(0)
    target = torch.zeros(2, 24, 24, dtype=torch.int64)
    target[0, 4:20, 5:8] = 1
    target[0, 10:14, 12:22] = 2
    return torch.randn(2, 3, 24, 24), target


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_leads_to_the_right_answer(name):
    _, target = _scene()
    logits = torch.zeros(2, 3, 24, 24, requires_grad=True)
    loss = make_loss(name)
    right = 12 * F.one_hot(target, 3).movedim(-1, 1).float()
    optimizer = torch.optim.Adam([logits], 0.5)
    for _ in range(60):
        optimizer.zero_grad()
        loss(logits, target).backward()
        optimizer.step()
    assert (logits.argmax(1) == target).float().mean() > 0.99
    assert loss(right, target) < loss(torch.zeros_like(right), target) < loss(-right, target)


def test_focal_loss_is_monais():
    logits, target = _scene()
    expected = FocalLoss(gamma=2, use_softmax=True, to_onehot_y=True, reduction="none")(logits, target[:, None])
    assert float(FocalDiceLoss().focal(logits, target)) == pytest.approx(float(expected.sum(1).mean()), rel=1e-5)


def test_cldice_tells_a_broken_line_from_a_thinner_one():
    target = torch.zeros(1, 21, 60, dtype=torch.int64)
    target[:, 8:13] = 1
    broken, thinner = target.clone(), target.clone()
    broken[:, :, 18:42] = 0
    thinner[:, 8], thinner[:, 12] = 0, 0
    loss = CLDiceLoss()
    values = {}
    for name, mask in (("broken", broken), ("thinner", thinner)):
        logits = 20 * F.one_hot(mask, 2).movedim(-1, 1).float() - 10
        values[name] = (float(loss.cldice(logits, target)), float(loss.dice(logits, target)))
    (of_broken, dice_broken), (of_thinner, dice_thinner) = values["broken"], values["thinner"]
    assert dice_broken == pytest.approx(dice_thinner, abs=0.06), "Dice hardly tells them apart"
    assert of_broken > 5 * of_thinner


@pytest.mark.parametrize("classes", [2, 4])
def test_a_teacher_that_gives_what_the_network_gives_costs_nothing(classes):
    torch.manual_seed(0)
    logits = 3 * torch.randn(2, classes, 8, 8)
    labels = torch.randint(0, classes, (2, 8, 8))
    labels[:, 6:] = 255
    loss, taught = make_loss("ce_dice"), (255 * torch.softmax(logits, dim=1)[:, 1:]).round().long()
    agreed = distilled(loss, logits, torch.cat([labels[:, None], taught], dim=1))
    assert float(agreed) == pytest.approx(float(loss(logits, labels)), abs=2e-3)
    assert torch.equal(distilled(loss, logits, labels), loss(logits, labels)), "without a teacher"


def test_a_teacher_pulls_towards_its_probabilities_where_pixels_count():
    logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    labels, taught = torch.ones(1, 1, 8, 8).long(), torch.full((1, 1, 8, 8), 51)  # a fifth
    labels[..., 4:] = 255
    (distilled(make_loss("ce_dice"), logits, torch.cat([labels, taught], dim=1)) - distilled(
        make_loss("ce_dice"), logits, labels[:, 0]
    )).backward()  # fmt: skip
    pull = logits.grad[0, 1] * 32  # of the mean over 32 pixels
    assert torch.allclose(pull[:, :4], torch.tensor(0.5 - 0.2), atol=1e-6) and not pull[:, 4:].any()
