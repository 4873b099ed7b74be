"""What a network costs and how far it sees, counted on the network itself; and the table of networks."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from amsunet.models.registry import builder_of, create_model, source_of

_STRIP = (32, 1536)


def count_parameters(network: nn.Module) -> int:
    """All parameters of a network, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, height: int, width: int, *, in_channels: int = 3) -> int:
    """Multiply-accumulate operations of one image: half the operations that torch's own counter finds.

    Convolutions and matrix products are counted; normalisations, activations and element-wise products are not.

    Args:
        network: Set to evaluation.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        in_channels: Of the image.

    Example:
        >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), 10, 10)
        21600
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(torch.zeros(1, in_channels, height, width))
    return int(counter.get_total_flops()) // 2


def receptive_field(network: nn.Module, *, in_channels: int = 3) -> int | None:
    """Side of the square of pixels on which the logit in the middle depends, found by its gradient.

    Pools over a whole map, as in the gates of RSC and SE, count as constant: they let every logit depend a little on
    every pixel.

    Args:
        network: Copied, not changed.
        in_channels: Of the image.

    Returns:
        Pixels; None for the whole image.

    Example:
        >>> receptive_field(nn.Conv2d(3, 1, 7, padding=3))
        7
    """
    network = copy.deepcopy(network).double().eval()  # smaller floats lose small gradients at the rim
    seen = torch.zeros(_STRIP[1], dtype=torch.bool)
    for seed in range(2):  # a dead ReLU, or a max-pool, blocks a path for one image only
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


@dataclass(frozen=True)
class ModelSummary:
    """A row of the table of networks, at 3 channels and 2 classes."""

    name: str
    parameters: int
    macs_256: int
    """Multiply-accumulate operations of one image of 256 x 256."""
    macs_480: int
    """Of one image of 480 x 480."""
    receptive_field: int | None
    """Side in pixels, gates that average over the whole image left out; None for the whole image."""
    source: str


def summarise_model(name: str) -> ModelSummary:
    """Count and measure a network, which takes some seconds.

    Args:
        name: One of ``list_models()``.
    """
    network = create_model(name)
    return ModelSummary(
        name,
        count_parameters(network),
        count_macs(network, 256, 256),
        count_macs(network, 480, 480),
        receptive_field(_narrow(name)),
        source_of(name),
    )


def _narrow(name: str) -> nn.Module:
    """The network at a width that computes fast: its receptive field does not depend on the width."""
    has_width = "base_channels" in inspect.signature(builder_of(name)).parameters
    return create_model(name, base_channels=4) if has_width else create_model(name)


class _ConstantPools(TorchFunctionMode):
    """Detaches what is pooled over a whole map from its gradient."""

    _POOLS: tuple[Callable[..., Any], ...] = (
        torch.Tensor.mean, torch.Tensor.amax, torch.mean, torch.amax, F.adaptive_avg_pool2d, F.adaptive_max_pool2d,
    )  # fmt: skip

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        pooled = func in self._POOLS and isinstance(out, Tensor) and out.dim() == 4 and out.shape[-2:] == (1, 1)
        return out.detach() if pooled else out
