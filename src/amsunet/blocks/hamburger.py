"""The hamburger: global context by matrix decomposition, SegNeXt's decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NMF(nn.Module):
    """Replace a feature map by its low-rank approximation, X ~ D C with D, C >= 0 (non-negative matrix factorisation).

    Multiplicative updates start from the same bases at every call, so that a prediction is reproducible; the gradient
    goes through the last update only (the one-step gradient of the paper).

    Source:
        Geng et al., ICLR 2021, arXiv 2109.04553.

    Args:
        channels: Channels of the map.
        rank: Columns of D.
        train_steps, eval_steps: Updates in training and in evaluation.

    Shape:
        (N, channels, H, W), not negative, to the same.

    Example:
        >>> NMF(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    bases: Tensor

    def __init__(self, channels: int, rank: int = 16, train_steps: int = 6, eval_steps: int = 7) -> None:
        super().__init__()
        self.train_steps, self.eval_steps = train_steps, eval_steps
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("bases", F.normalize(torch.rand(channels, rank, generator=generator), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        # bfloat16 is not precise enough for products of small factors.
        with torch.autocast(x.device.type, enabled=False):
            flat = x.flatten(2).to(self.bases.dtype)
            with torch.no_grad():
                bases, codes = self._decompose(flat)
            codes = self._update_codes(flat, bases, codes)
            return (bases @ codes.transpose(1, 2)).view_as(x).to(x.dtype)

    def _decompose(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        bases = self.bases.expand(flat.shape[0], -1, -1)
        codes = torch.softmax(flat.transpose(1, 2) @ bases, dim=-1)
        for _ in range(self.train_steps if self.training else self.eval_steps):
            codes = self._update_codes(flat, bases, codes)
            bases = bases * (flat @ codes) / (bases @ (codes.transpose(1, 2) @ codes) + 1e-6)
        return bases, codes

    @staticmethod
    def _update_codes(flat: Tensor, bases: Tensor, codes: Tensor) -> Tensor:
        return codes * (flat.transpose(1, 2) @ bases) / (codes @ (bases.transpose(1, 2) @ bases) + 1e-6)


class Hamburger(nn.Module):
    """NMF between two 1x1 convolutions, with a shortcut: ReLU(x + norm(conv1x1(NMF(ReLU(conv1x1(x)))))).

    Source:
        Geng et al., ICLR 2021, arXiv 2109.04553, as SegNeXt uses it.

    Args:
        channels: Channels of the input and of the output, a multiple of 32.

    Shape:
        (N, channels, H, W) to the same.

    Example:
        >>> Hamburger(32)(torch.rand(1, 32, 8, 8)).shape
        torch.Size([1, 32, 8, 8])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.ham = NMF(channels)
        self.leave = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.GroupNorm(32, channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.leave(self.ham(torch.relu(self.enter(x)))))
