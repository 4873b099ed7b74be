"""Cross-entropy plus Dice, with ignored pixels."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.data.masks import IGNORED


class CrossEntropyDiceLoss(nn.Module):
    """Cross-entropy over the pixels that count, plus one minus the Dice of softmax and target, averaged over
    images and classes, background included:

        dice(n, k) = (2 sum p t + e) / (sum p + sum t + e),  e = 1e-6

    Call: logits (N, K, H, W) and targets (N, H, W) of int64, ``IGNORED`` (255) left out, to a scalar.
    Source: the released recipe of AMSUnet, doi 10.1016/j.compbiomed.2023.107120.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dice_loss = DiceLoss(smooth_nr=1e-6, smooth_dr=1e-6)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.cross_entropy(logits, targets) + self.dice(logits, targets)

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        # Summed by hand: the built-in mean is NaN where every pixel is ignored.
        total = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        return total / (targets != IGNORED).sum().clamp(min=1)

    def dice(self, logits: Tensor, targets: Tensor) -> Tensor:
        counted = (targets != IGNORED)[:, None]
        probabilities = torch.softmax(logits, dim=1) * counted
        one_hot = F.one_hot(targets * counted[:, 0], logits.shape[1]).movedim(-1, 1) * counted
        loss: Tensor = self.dice_loss(probabilities, one_hot)
        return loss
