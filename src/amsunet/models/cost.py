"""What a network costs and how far it sees, counted on the network itself."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

_STRIP = (32, 1536)


def count_parameters(network: nn.Module) -> int:
    """All parameters, raw and frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, height: int, width: int, *, in_channels: int = 3) -> int:
    """Multiply-accumulate operations of one image: half the operations that torch's own counter finds.

    Counted are convolutions and matrix products, not normalisations, activations and element-wise products.
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(torch.zeros(1, in_channels, height, width))
    return int(counter.get_total_flops()) // 2


def receptive_field(network: nn.Module, *, in_channels: int = 3) -> int | None:
    """Side of the square of pixels that the logit in the middle depends on, by its gradient; None for the whole image.

    What averages or takes the largest value over a whole map, as the gates of RSC and SE do, is taken as constant:
    it lets every logit depend a little on every pixel.
    """
    network = copy.deepcopy(network).double().eval()  # smaller floats lose what comes from the rim
    seen = torch.zeros(_STRIP[1], dtype=torch.bool)
    for seed in range(2):  # a ReLU that is shut, or the loser of a max-pool, hides a path for one image only
        image = torch.randn(1, in_channels, *_STRIP, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        image.requires_grad_()
        with _ConstantPools():
            logits = network(image)
        logits[..., _STRIP[0] // 2, _STRIP[1] // 2].sum().backward()
        assert image.grad is not None
        seen |= image.grad.abs().sum(dim=(0, 1, 2)) > 0
    columns = seen.nonzero()
    side = int(columns.max() - columns.min()) + 1
    return side if side < _STRIP[1] - 2 else None


class _ConstantPools(TorchFunctionMode):
    """Cuts the gradient of what is pooled over a whole map."""

    _POOLS: tuple[Callable[..., Any], ...] = (
        torch.Tensor.mean, torch.Tensor.amax, torch.mean, torch.amax, F.adaptive_avg_pool2d, F.adaptive_max_pool2d,
    )  # fmt: skip

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        pooled = func in self._POOLS and isinstance(out, Tensor) and out.dim() == 4 and out.shape[-2:] == (1, 1)
        return out.detach() if pooled else out
