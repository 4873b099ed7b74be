"""Pairs of strips in place of large depthwise kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import is_channels_last

try:
    from amsunet.blocks import strip_triton
except ImportError:  # builds of torch for the CPU come without Triton
    strip_triton = None  # type: ignore[assignment]


class StripPairs(nn.ModuleList):
    """A map and the outputs of pairs of depthwise strips, summed up::

        output = base + x + sum over k of conv_kx1(conv_1xk(x))

    A pair replaces a k x k kernel at a fraction of its cost. Padding is zeros.

    Args:
        channels: Channels of the input and of the output.
        lengths: Of the strips, odd.

    Shape:
        x and, if given, base (N, channels, H, W) to the same.

    Example:
        >>> StripPairs(8, (5, 7, 11))(torch.rand(1, 8, 16, 16)).shape
        torch.Size([1, 8, 16, 16])
    """

    def __init__(self, channels: int, lengths: Sequence[int]) -> None:
        super().__init__(
            nn.Sequential(DepthwiseConv2d(channels, (1, k)), DepthwiseConv2d(channels, (k, 1))) for k in lengths
        )

    def forward(self, x: Tensor, base: Tensor | None = None) -> Tensor:
        if (
            strip_triton is not None
            and len(self) == strip_triton.PAIRS
            and all(layer.suits_triton(x) for layer in self._layers())
        ):
            if torch.is_autocast_enabled("cuda"):
                x = x.to(torch.get_autocast_dtype("cuda"))
            if base is None or (base.dtype == x.dtype and base.shape == x.shape and is_channels_last(base)):
                return self._on_gpu(x, base)
        out = x if base is None else base + x
        in_place = not torch.is_grad_enabled() and is_channels_last(out)
        for pair in self:
            out = out.add_(pair(x)) if in_place and out is not x else out + pair(x)
        return out

    def _on_gpu(self, x: Tensor, base: Tensor | None) -> Tensor:
        layers = self._layers()
        weights: list[Any] = [*(layer.weight for layer in layers), *(layer.bias for layer in layers)]
        if torch.is_grad_enabled():
            out: Tensor = strip_triton.StripSum.apply(x, base, *weights)  # type: ignore[no-untyped-call]
        else:
            out = strip_triton.strip_sum(x, base, *weights)
        return out

    def _layers(self) -> list[DepthwiseConv2d]:
        """Rows, then columns."""
        pairs: list[Any] = list(self)
        return [pair[side] for side in (0, 1) for pair in pairs]
