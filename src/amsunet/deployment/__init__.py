"""Trained networks made ready to be shipped."""

from amsunet.models.fuse import fuse

__all__ = ["fuse"]
