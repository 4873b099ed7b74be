"""The figures of a made data set of organs, from which plans are made."""

from __future__ import annotations

from typing import Any

from amsunet.data.fingerprint import Fingerprint

_ORGANS: dict[str, Any] = {
    "images": 100,
    "median_height": 512,
    "median_width": 512,
    "smallest_side": 512,
    "largest_side": 512,
    "coloured": False,
    "bits": 8,
    "mean": (0.5,),
    "std": (0.2,),
    "brightness_variation": 0.3,
    "class_shares": (0.7, 0.3),
    "thickness": 40.0,
    "empty_masks": 0,
}


def made_fingerprint(**changes: Any) -> Fingerprint:
    """Organs, but for what is changed."""
    return Fingerprint(**_ORGANS | changes)
