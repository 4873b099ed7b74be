"""Deep supervision: heads on a decoder's maps that help in training and are no part of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amsunet.errors import InputError
from amsunet.training.loss import CrossEntropyDiceLoss
from amsunet.training.plan import Plan
from amsunet.wording import setting


class DeepSupervision(nn.Module):
    """A 1x1 convolution to logits on every decoder map of a network but the last, which has the network's own head.

    The maps are what the modules in ``network.ups`` return, coarse to fine. The network is watched from outside while
    it computes: its weights, its file and its exports are the same with and without.
    Source: Lee et al., AISTATS 2015, arXiv 1409.5185; the weights of the scales are nnU-Net's.

    Args:
        crop: height and width of what it will see.

    Call: network and images (N, in_channels, H, W) to logits, the network's own first, then of half the size, a
    quarter and so on.
    Raises: InputError for a network whose decoder is not to be seen in this way.
    """

    def __init__(self, network: nn.Module, *, in_channels: int, num_classes: int, crop: tuple[int, int]) -> None:
        super().__init__()
        name = type(network).__name__
        steps = getattr(network, "ups", None)
        if not isinstance(steps, nn.ModuleList) or len(steps) < 2:
            raise InputError(
                f"{name} cannot be trained with deep supervision, as it has no list of decoder steps called ups: "
                "leave it out, or choose amsunet, unet, resunet or convunext"
            )
        training = network.training
        with torch.no_grad():
            *maps, last = _watch(network.eval(), torch.zeros(1, in_channels, *crop))[1]
        network.train(training)
        if last.shape[-2:] != crop:
            raise InputError(
                f"{name} cannot be trained with deep supervision on crops of {crop[0]} x {crop[1]}, as its last "
                f"decoder step gives {last.shape[-2]} x {last.shape[-1]}: choose another {setting('crop')}, or "
                "leave it out"
            )
        self.heads = nn.ModuleList(nn.Conv2d(one.shape[1], num_classes, 1) for one in maps)

    def forward(self, network: nn.Module, images: Tensor) -> list[Tensor]:
        logits, maps = _watch(network, images)
        of_heads = [head(one) for head, one in zip(self.heads, maps, strict=False)]
        return [logits, *reversed(of_heads)]


def supervise(network: nn.Module, plan: Plan, num_classes: int) -> DeepSupervision | None:
    """The heads that a network is trained with, where the plan says so.

    Raises: as ``DeepSupervision``.
    """
    if not plan.deep_supervision:
        return None
    return DeepSupervision(network, in_channels=plan.in_channels, num_classes=num_classes, crop=plan.crop)


def mean_over_scales(loss: CrossEntropyDiceLoss, logits: list[Tensor], labels: Tensor) -> Tensor:
    """The mean of a loss over logits of several sizes, each of half the weight of the one before.

    Labels (N, H, W) are brought to each size by their nearest neighbours, ignored ones as well.
    """
    total, weights = torch.zeros((), device=labels.device), 0.0
    for scale, one in enumerate(logits):
        size, weight = one.shape[-2:], 0.5**scale
        near = F.interpolate(labels[:, None].float(), size, mode="nearest-exact")[:, 0].long()
        total, weights = total + weight * loss(one.float(), near), weights + weight
    return total / weights


def _watch(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The network's logits and what its decoder steps returned on the way."""
    maps: list[Tensor] = []
    watched = [step.register_forward_hook(lambda *call: maps.append(call[2])) for step in network.ups]  # type: ignore[union-attr]
    try:
        return network(images), maps
    finally:
        for hook in watched:
            hook.remove()
