"""Trained networks made ready to be shipped."""

from __future__ import annotations

from amsunet.models.fuse import fuse

__all__ = ["fuse"]
