"""How a feature map lies in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def is_channels_last(x: Tensor) -> bool:
    """Whether a map (N, C, H, W) lies channels_last, so far as that can be told and used.

    It cannot under ``vmap`` and for the stand-ins of ``torch.fx``; and where a function is transformed or traced by
    ``torch.jit``, what is made for such maps alone would not be understood.
    """
    if not isinstance(x, Tensor) or torch._C._are_functorch_transforms_active():
        return False
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
