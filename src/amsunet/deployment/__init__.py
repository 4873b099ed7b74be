"""Trained networks made ready to be shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsunet.models.fuse import fuse

__all__ = ["fuse"]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: exported files are timed in a process without torch.
    if name not in __all__:
        raise AttributeError(f"module 'amsunet.deployment' has no attribute {name!r}")
    from amsunet.models.fuse import fuse  # noqa: PLC0415

    return fuse
