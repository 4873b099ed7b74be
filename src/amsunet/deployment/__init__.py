"""Trained networks made ready to be shipped."""

from amsunet.deployment.fuse import fuse

__all__ = ["fuse"]
