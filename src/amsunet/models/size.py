"""Sizes that a network can take."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class _Sized(Protocol):
    minimum_size: int


def check_size(network: _Sized, x: Tensor) -> None:
    """Raise ValueError for an input (N, C, H, W) smaller than ``network.minimum_size``, which it names."""
    height, width = x.shape[-2:]
    if min(height, width) < network.minimum_size:
        least = network.minimum_size
        raise ValueError(
            f"{type(network).__name__} needs at least {least} x {least} pixels, not {height} x {width}: "
            "pad the image (amsunet predict does it)"
        )


def pad_to(x: Tensor, other: Tensor) -> Tensor:
    """Pad (N, C, h, w) with zeros to the size of ``other``, floor half of them before, the rest after."""
    rows, columns = other.shape[-2] - x.shape[-2], other.shape[-1] - x.shape[-1]
    captured = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if not captured and rows == columns == 0:  # in a captured network the answer would hold for every size
        return x  # padding by nothing copies the map
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
