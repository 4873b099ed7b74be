"""What must pass through memory for one image, counted on the network itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def count_traffic(network: nn.Module, height: int, width: int, *, in_channels: int = 3) -> int:
    """Numbers that the convolutions and matrix products of one image read and write, weights included: what must pass
    through memory if they run one after another, with everything else merged into them.
    """
    traffic = _Traffic()
    with torch.no_grad(), traffic:
        network.eval()(torch.zeros(1, in_channels, height, width))
    return traffic.numbers


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up what goes in and out of the operations that torch's counter counts."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.numbers += sum(one.numel() for one in (*args, out) if isinstance(one, Tensor))
        return out
