"""Augmentation of batches."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor

from amsunet.choices import Extra
from amsunet.data.augmentation import Augmentation, _stain
from amsunet.data.masks import IGNORE_INDEX

EXTRAS = get_args(Extra)
STRENGTHS = ["none", "paper", "light", "medium", "strong"]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Bright rectangles on dark ground, a part ignored."""
    labels = torch.zeros(6, 48, 48, dtype=torch.int64)
    labels[:, 8:30, 14:38] = 1
    labels[:, 20:34, 4:12] = 2
    images = (0.15 + 0.7 * (labels > 0).float())[:, None].repeat(1, 3, 1, 1)
    labels[:, 40:] = IGNORE_INDEX
    return images, labels


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("coloured", [True, False])
def test_images_and_labels_move_together_and_labels_stay_labels(
    strength: str, coloured: bool, batch: tuple[Tensor, Tensor]
) -> None:
    augment = Augmentation(strength, coloured=coloured, quarter_turns=True, inversion=False)  # type: ignore[arg-type]
    images, labels = augment(*batch, seed=(0, 0, 1))
    assert images.shape == batch[0].shape and labels.shape == batch[1].shape and labels.dtype == torch.int64
    assert float(images.min()) >= 0 and float(images.max()) <= 1
    assert set(labels.unique().tolist()) <= {0, 1, 2, IGNORE_INDEX}
    counted = labels != IGNORE_INDEX
    middle = (images.amin((1, 2, 3)) + images.amax((1, 2, 3))).view(-1, 1, 1) / 2
    agreement = ((images.mean(1) > middle) == (labels > 0))[counted].float().mean()
    assert agreement > 0.93
    assert torch.equal(labels, batch[1]) == (strength == "none")


@pytest.mark.parametrize("strength", STRENGTHS[1:])
def test_seed_epoch_and_batch_alone_decide(strength: str, batch: tuple[Tensor, Tensor]) -> None:
    augment = Augmentation(strength, coloured=True, quarter_turns=False, inversion=True)  # type: ignore[arg-type]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = augment(*batch, seed=(0, 2, 3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert all(torch.equal(a, b) for a, b in zip(first, augment(*batch, seed=(0, 2, 3)), strict=True))
    for other in ((1, 2, 3), (0, 3, 3), (0, 2, 4)):
        assert not torch.equal(first[0], augment(*batch, seed=other)[0])


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("strength", ["light", "medium", "strong"])
def test_extras_change_images_and_keep_labels_labels(strength: str, extra: str, batch: tuple[Tensor, Tensor]) -> None:
    plain, added = (
        Augmentation(strength, coloured=True, quarter_turns=True, inversion=False, extra=extras)  # type: ignore[arg-type]
        for extras in ((), (extra,))
    )
    differ, agreement = 0, []
    for number in range(8):
        seed = (0, 0, number)
        images, labels = added(*batch, seed=seed)
        again = added(*batch, seed=seed)
        assert torch.equal(images, again[0]) and torch.equal(labels, again[1])
        assert images.shape == batch[0].shape and float(images.min()) >= 0 and float(images.max()) <= 1
        assert set(labels.unique().tolist()) <= {0, 1, 2, IGNORE_INDEX}
        differ += not torch.equal(images, plain(*batch, seed=seed)[0])
        middle = (images.amin((1, 2, 3)) + images.amax((1, 2, 3))).view(-1, 1, 1) / 2
        agreement.append(((images.mean(1) > middle) == (labels > 0))[labels != IGNORE_INDEX].float().mean())
    assert differ >= 3
    assert sum(agreement) / len(agreement) > 0.9


def test_stain_leaves_white_nearly_white_and_an_amount_of_nothing_alone(batch: tuple[Tensor, Tensor]) -> None:
    images = batch[0]
    torch.manual_seed(0)
    assert torch.equal(_stain(images, 0.0), images)
    white = _stain(torch.ones(32, 3, 8, 8), 1.0)
    assert float(white.min()) > 0.85
    pink = torch.tensor([0.8, 0.5, 0.7]).view(1, 3, 1, 1).expand(32, 3, 8, 8)
    changed = (_stain(pink, 1.0) - pink).abs().amax((1, 2, 3))
    assert 0.2 < (changed > 1e-3).float().mean() < 0.7 and 0.02 < float(changed.max()) < 0.4


def test_inversion_exchanges_dark_and_bright_in_some_images_alone(batch: tuple[Tensor, Tensor]) -> None:
    augment = Augmentation("light", coloured=True, quarter_turns=False, inversion=True)
    inverted = []
    for number in range(16):
        images, labels = augment(*batch, seed=(0, 0, number))
        for image, mask in zip(images.mean(1), labels, strict=True):
            inverted.append(bool(image[mask == 0].mean() > image[(mask > 0) & (mask != IGNORE_INDEX)].mean()))
    assert 0.05 < sum(inverted) / len(inverted) < 0.5


@pytest.mark.parametrize(
    ("flips", "seen"),
    [("both", {0, 1, 2, 3}), ("horizontal", {0, 1}), ("vertical", {0, 2}), ("none", {0})],
)
@pytest.mark.parametrize("strength", ["paper", "medium"])
def test_only_the_chosen_flips_are_shown(strength: str, flips: str, seen: set[int]) -> None:
    augment = Augmentation(strength, coloured=False, quarter_turns=False, inversion=False, flips=flips)  # type: ignore[arg-type]
    labels = torch.ones(24, 32, 32, dtype=torch.int64)
    labels[:, :16, 16:], labels[:, 16:, :16], labels[:, 16:, 16:] = 2, 3, 4
    _, changed = augment(labels[:, None] / 4.0, labels, seed=(0, 0, 1))
    # The class near each corner's middle identifies which of the four mirror images was shown.
    assert {int(label) - 1 for label in changed[:, 10, 10]} == seen


def test_channels_that_are_no_colours_change_apart_and_move_together() -> None:
    """Each gets a brightness of its own; what they show stays in its place in all of them."""
    images = torch.zeros(8, 4, 48, 48)
    images[..., 10:30, 12:36] = 0.5
    labels = (images[:, 0] > 0).long()
    augment = Augmentation("strong", coloured=False, quarter_turns=True, inversion=False, separate=True)
    seen, moved = augment(images, labels, seed=(0, 0, 1))
    assert seen.shape == images.shape
    brightness = torch.stack([(seen * (moved > 0)[:, None]).amax((2, 3))]).squeeze(0)
    assert (brightness.std(dim=1) > 1e-3).all(), "the channels of an image differ"
    for channel in range(4):
        inside = seen[:, channel] > seen[:, channel].amax((1, 2), keepdim=True) / 2
        assert ((inside == (moved > 0)).float().mean((1, 2)) > 0.9).all()
    together = Augmentation("strong", coloured=False, quarter_turns=True, inversion=False)(images, labels, (0, 0, 1))
    assert torch.equal(moved, together[1]), "the geometry is that of other images"


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("separate", [True, False])
def test_any_number_of_channels_is_augmented(strength: str, separate: bool, batch: tuple[Tensor, Tensor]) -> None:
    images = batch[0][:, :1].repeat(1, 5, 1, 1)
    augment = Augmentation(
        strength,  # type: ignore[arg-type]
        coloured=False,
        quarter_turns=True,
        inversion=True,
        separate=separate,
    )
    seen, _ = augment(images, batch[1], seed=(0, 0, 1))
    assert seen.shape == images.shape and float(seen.min()) >= 0 and float(seen.max()) <= 1
