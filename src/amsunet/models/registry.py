"""Networks by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from torch import nn

from amsunet.models.custom import build_from_file, is_custom

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

_builders: dict[str, Callable[..., nn.Module]] = {}
_sources: dict[str, str] = {}


def register_model(name: str, *, source: str = "") -> Callable[[Builder], Builder]:
    """Register the decorated class or function, which builds a network, under a name.

    Args:
        name: What ``create_model`` and the setting ``model`` call it.
        source: Where the network was published.

    Returns:
        The decorator.

    Raises:
        ValueError: If the name is taken.
    """

    def register(builder: Builder) -> Builder:
        if name in _builders:
            raise ValueError(f"a network named {name!r} is registered already")
        _builders[name], _sources[name] = builder, source
        return builder

    return register


def list_models() -> list[str]:
    """Names of all networks, sorted.

    Example:
        >>> import amsunet
        >>> amsunet.list_models()
        ['amsunet', 'amsunet_lite', ..., 'unet', 'unext']
    """
    return sorted(_builders)


def builder_of(name: str) -> Callable[..., nn.Module]:
    """The registered class or function.

    Args:
        name: One of ``list_models()``.
    """
    return _builders[name]


def source_of(name: str) -> str:
    """Where a network was published.

    Args:
        name: One of ``list_models()``.
    """
    return _sources[name]


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a network with fresh weights.

    Args:
        name: One of ``list_models()``, or ``FILE.py:FUNCTION`` for a custom network, whose code is run.
        arguments: Of the network: ``in_channels``, ``num_classes``, ``base_channels`` and what else the network takes.

    Returns:
        A module that maps (N, in_channels, H, W) to logits (N, num_classes, H, W).

    Raises:
        ValueError: For an unknown name, of the network or of an argument, with the nearest known one.

    Example:
        >>> from amsunet import create_model
        >>> create_model("unet", in_channels=1, num_classes=2).minimum_size
        16
    """
    if is_custom(name):
        return build_from_file(name, arguments)
    if name.endswith(".py"):
        raise ValueError(f"{name} lacks its function: name it as {name}:FUNCTION")
    if name not in _builders:
        near = difflib.get_close_matches(name, _builders, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(list_models())}"
        raise ValueError(f"there is no network named {name!r}; {hint}")
    known = inspect.signature(_builders[name]).parameters
    if not any(one.kind is one.VAR_KEYWORD for one in known.values()):  # which are the network's to check
        refuse_unknown(name, arguments, known)
    return _builders[name](**arguments)


def refuse_unknown(network: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse arguments that a network does not have.

    Args:
        network: What it is called.
        given: Names.
        known: The names that there are.

    Raises:
        ValueError: With the nearest known name.
    """
    for name in given:
        if name not in known:
            others = [one for one in known if one not in ("in_channels", "num_classes")]
            near = difflib.get_close_matches(name, others, n=1)
            every = f"known are: {', '.join(others)}" if others else "it has none"
            hint = f"did you mean {near[0]}?" if near else every
            raise ValueError(f"{network} has no setting {name!r}; {hint}")
