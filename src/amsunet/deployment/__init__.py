"""Trained networks made ready to be shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsunet.models.fuse import fuse as fuse

__all__ = ["fuse"]


def __getattr__(name: str) -> Any:
    """The page is made ready without torch, which fusing needs."""
    if name == "fuse":
        from amsunet.models.fuse import fuse  # noqa: PLC0415

        return fuse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
