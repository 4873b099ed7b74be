"""The time of the command around a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from amsunet.data.images import Array

Scene = tuple[Array, Array, Array]
"""Image (H, W, C), labels (H, W), and probabilities (K, H, W) as a network might give them."""
Evaluating = Callable[[Sequence[Scene], float], tuple[float, float]]
"""A rehearsal of what evaluates a trained network: from scenes and the thickness of structures to the seconds of an
image and of the report. Training knows no evaluation, so it is passed in."""


@dataclass(frozen=True)
class CommandTime:
    """The time of the command around a training, all of which its minutes hold."""

    started: float = field(default_factory=time.monotonic)
    """When the minutes began, by ``time.monotonic``."""
    evaluating: Evaluating | None = None
    """What is done after training, rehearsed."""
