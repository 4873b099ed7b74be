"""Input sizes: the smallest that a network takes, and padding to the size of a skip connection."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F


class _Sized(Protocol):
    minimum_size: int


def check_size(network: _Sized, x: Tensor) -> None:
    """Refuse an input that is too small.

    Args:
        network: With ``minimum_size``, pixels.
        x: (N, C, H, W).

    Raises:
        ValueError: If a side is below ``network.minimum_size``, which the message names.
    """
    height, width = x.shape[-2:]
    if min(height, width) < network.minimum_size:
        least = network.minimum_size
        raise ValueError(
            f"{type(network).__name__} needs at least {least} x {least} pixels, not {height} x {width}: "
            "pad the image, as prediction does"
        )


def pad_to(x: Tensor, other: Tensor) -> Tensor:
    """Pad with zeros to the size of ``other``, floor half of them before, the rest after.

    Shape:
        x (N, C, h, w) and other (N, D, H, W) to (N, C, H, W).
    """
    rows, columns = other.shape[-2] - x.shape[-2], other.shape[-1] - x.shape[-1]
    captured = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if not captured and rows == columns == 0:  # a captured network would take the answer for every size
        return x  # padding by nothing copies the map
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
