"""Networks by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

_builders: dict[str, Callable[..., nn.Module]] = {}


def register_model(name: str) -> Callable[[Builder], Builder]:
    """Decorate a class or function that builds a network, to make it known under ``name``."""

    def register(builder: Builder) -> Builder:
        if name in _builders:
            raise ValueError(f"a network named {name!r} is registered already")
        _builders[name] = builder
        return builder

    return register


def list_models() -> list[str]:
    """Names of all networks, sorted."""
    return sorted(_builders)


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: one of ``list_models()``.
        arguments: ``in_channels``, ``num_classes``, ``base_channels`` and what else the network takes.

    Returns: a module that maps (N, in_channels, H, W) to logits (N, num_classes, H, W).
    Raises: ValueError for an unknown name, with the nearest known one.
    """
    if name not in _builders:
        near = difflib.get_close_matches(name, _builders, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(list_models())}"
        raise ValueError(f"there is no network named {name!r}; {hint}")
    return _builders[name](**arguments)
