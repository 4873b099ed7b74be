"""Losses: cross-entropy plus Dice, and what may be taken in its place; ignored pixels count in none.

Example:
    >>> import torch
    >>> from amsunet.losses import CrossEntropyDiceLoss
    >>> logits = torch.zeros(1, 2, 8, 8, requires_grad=True)
    >>> targets = torch.ones(1, 8, 8, dtype=torch.int64)
    >>> targets[:, 4:] = 255  # ignored
    >>> loss = CrossEntropyDiceLoss()(logits, targets)
    >>> loss.backward()
    >>> round(loss.item(), 3), logits.grad[..., 4:, :].any().item()
    (1.36, False)
"""

from __future__ import annotations

import torch
from monai.losses import DiceLoss, SoftclDiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.choices import LossName
from amsunet.data.masks import IGNORE_INDEX

_FOCUS = 2
_SKELETON_STEPS = 5
"""Structures up to twice as many pixels wide are thinned to their skeleton."""


class CrossEntropyDiceLoss(nn.Module):
    """Cross-entropy over the pixels that count, plus one minus the Dice of softmax and target, averaged over
    images and classes, background included:

        dice(n, k) = (2 sum p t + e) / (sum p + sum t + e),  e = 1e-6

    Call: logits (N, K, H, W) and targets (N, H, W) of int64, ``IGNORE_INDEX`` (255) left out, to a scalar.
    Source: the released recipe of AMSUnet, doi 10.1016/j.compbiomed.2023.107120.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dice_loss = DiceLoss(smooth_nr=1e-6, smooth_dr=1e-6)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.cross_entropy(logits, targets) + self.dice(logits, targets)

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        # Summed by hand: the built-in mean is NaN where every pixel is ignored, the sum in no fixed order on a GPU.
        total = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="none").sum()
        return total / (targets != IGNORE_INDEX).sum().clamp(min=1)

    def dice(self, logits: Tensor, targets: Tensor) -> Tensor:
        counted = (targets != IGNORE_INDEX)[:, None]
        loss: Tensor = self.dice_loss(*_shares(logits, targets, counted))
        return loss


class FocalDiceLoss(CrossEntropyDiceLoss):
    """Focal loss in place of cross-entropy, so that pixels that are right already pull less, plus Dice:

        focal = mean of (1 - p)^2 (-log p),  p the probability of a pixel's true class

    Source: Lin et al., ICCV 2017, arXiv 1708.02002.
    """

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.focal(logits, targets) + self.dice(logits, targets)

    def focal(self, logits: Tensor, targets: Tensor) -> Tensor:
        surprise = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="none")  # 0 where ignored
        total = ((1 - torch.exp(-surprise)) ** _FOCUS * surprise).sum()
        return total / (targets != IGNORE_INDEX).sum().clamp(min=1)


class CLDiceLoss(CrossEntropyDiceLoss):
    """Cross-entropy plus the mean of Dice and clDice, one minus the share of skeletons that lie inside the other mask,
    so that thin structures stay whole; classes but the background.

    Source: Shit et al., CVPR 2021, arXiv 2003.07311.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cldice_loss = SoftclDiceLoss(iter_=_SKELETON_STEPS)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        overlap = (self.dice(logits, targets) + self.cldice(logits, targets)) / 2
        return self.cross_entropy(logits, targets) + overlap

    def cldice(self, logits: Tensor, targets: Tensor) -> Tensor:
        probabilities, one_hot = _shares(logits, targets, (targets != IGNORE_INDEX)[:, None])
        loss: Tensor = self.cldice_loss(input=probabilities[:, 1:], target=one_hot[:, 1:].to(probabilities.dtype))
        return loss


def distilled(loss: CrossEntropyDiceLoss, logits: Tensor, targets: Tensor) -> Tensor:
    """A loss, and where targets come with a teacher's probabilities the divergence from these, over pixels that count:

        KL = sum_k q_k (log q_k - log p_k),  q the teacher's probabilities, p the softmax

    Source: Hinton et al., arXiv 1503.02531, at temperature 1, for a teacher's probabilities are calibrated.

    Args:
        loss: Against the labels.
        logits: (N, K, H, W).
        targets: (N, H, W) of int64; or (N, K, H, W), labels and then the probabilities of the classes but the
            background, in 255ths.
    """
    if targets.dim() == 3:
        labelled: Tensor = loss(logits, targets)
        return labelled
    labels, foreground = targets[:, 0], targets[:, 1:].to(logits.dtype) / 255
    taught = torch.cat([(1 - foreground.sum(dim=1, keepdim=True)).clamp(min=0), foreground], dim=1)
    apart = F.kl_div(F.log_softmax(logits, dim=1), taught, reduction="none").sum(dim=1)
    counted = labels != IGNORE_INDEX
    total: Tensor = loss(logits, labels) + (apart * counted).sum() / counted.sum().clamp(min=1)
    return total


def make_loss(name: LossName) -> CrossEntropyDiceLoss:
    """A loss by its name in the plan."""
    losses: dict[LossName, type[CrossEntropyDiceLoss]] = {
        "ce_dice": CrossEntropyDiceLoss,
        "focal_dice": FocalDiceLoss,
        "ce_dice_cldice": CLDiceLoss,
    }
    return losses[name]()


def _shares(logits: Tensor, targets: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and one-hot targets, (N, K, H, W) each, zero where a pixel is ignored."""
    probabilities = torch.softmax(logits, dim=1) * counted
    one_hot = F.one_hot(targets * counted[:, 0], logits.shape[1]).movedim(-1, 1) * counted
    return probabilities, one_hot
