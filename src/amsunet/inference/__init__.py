"""From a trained model to masks."""

SMALLEST_SIDE = 32
"""Pixels of an image's side that every network takes (``models.contract``); smaller images are padded."""
