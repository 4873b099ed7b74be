"""The networks of the light study (docs/light.md), each once, and the stages that they pass through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amsunet.evaluation.variant import Variant

REFERENCE = "unet@16"
CONTROL = "resunet_lite"
U_NETS = ("unet@8", "unet@16", "unet@32")
"""The curve to beat; 24 base channels, an unlucky width for vectors, are no point of it."""
CONTROLS = ("resunet_lite_xs", "resunet_lite", "resunet_lite@32")
LIGHT = ("amsunet_lite_xs", "amsunet_lite", "amsunet_lite_m")
_GATED: dict[str, Any] = {"encoder": ("conv", "double", *["gated"] * 3), "decoder": ("gated", "gated", "conv", "conv")}
_DENSE: dict[str, Any] = {
    "widths": (1, 2, 4, 8, 8), "encoder": ("conv", *["double"] * 3, "amse"), "depths": (1, 1, 1, 1, 3),
    "decoder": ("conv",) * 4,
}  # fmt: skip
_CONTROL_XS: dict[str, Any] = {"widths": (1, 1, 2, 4, 4), "encoder": ("conv", "conv", *["double"] * 3)}
_NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    # The reference first: with its speed the augmentation is decided, for all.
    **{f"unet@{width}": ("unet", {"base_channels": width}) for width in (16, 8, 24, 32)},
    "resunet@16": ("resunet", {"base_channels": 16}),
    "amsunet@16": ("amsunet", {"base_channels": 16}),
    "amsunet@32": ("amsunet", {}),
    "unext": ("unext", {}),
    "segnext": ("segnext", {}),
    "resunet_lite_xs": ("resunet_lite", _CONTROL_XS),
    "resunet_lite": ("resunet_lite", {}),
    "resunet_lite@32": ("resunet_lite", {"base_channels": 32}),
    **{name: (name, {}) for name in LIGHT},
    # What is screened beside it, and one change each of the ablation.
    "lite_gated": ("amsunet_lite", _GATED),
    "lite_dense": ("amsunet_lite", _DENSE),
    "lite_fast": ("amsunet_lite", {"depths": (0, 1, 2, 2, 2)}),
    "lite_plain7": ("amsunet_lite", {"mixer": "plain"}),
    "lite_plain5": ("amsunet_lite", {"mixer": "plain", "kernel_size": 5}),
    "lite_plain3": ("amsunet_lite", {"mixer": "plain", "kernel_size": 3}),
    "lite_rsc": ("amsunet_lite", {"coarse_attention": True}),
}
NAMES = tuple(_NETWORKS)


def variant(name: str, learning_rate: float | None = None) -> Variant:
    """A network of the study.

    Args:
        name: One of ``NAMES``.
        learning_rate: Of its trainings, where that is not the plan's.
    """
    model, options = _NETWORKS[name]
    changed = {} if learning_rate is None else {"learning_rate": learning_rate}
    end = "" if learning_rate is None else f" rate {learning_rate:g}"
    return Variant(name=name + end, model=model, options=options, settings=changed)


@dataclass(frozen=True)
class Stage:
    """Which networks are trained on what, for how long and how often."""

    networks: Sequence[str]
    data: Sequence[str]
    minutes: float
    seeds: int
    split: str = "val"
    both_rates: bool = False
    """Try every learning rate, in place of the one that was better for the network."""


_FOUR = ("DRIVE", "GlaS", "DSB2018", "ISIC2017-256")
_TWO = ("DRIVE", "DSB2018")
_CLAIMED = (REFERENCE, "unet@8", "unet@32", *CONTROLS, *LIGHT, "amsunet@16")
STAGES = {
    "rates": Stage(NAMES, _TWO, 10, 1, both_rates=True),
    "screen": Stage((REFERENCE, CONTROL, "amsunet_lite", "lite_gated", "lite_dense", "lite_fast"), _FOUR, 10, 1),
    "ablation": Stage(
        (REFERENCE, "amsunet_lite", "lite_plain7", "lite_plain5", "lite_plain3", "lite_rsc", "lite_gated"), _TWO, 10, 2
    ),
    "claim": Stage(_CLAIMED, _FOUR, 10, 4),
    "end": Stage((*_CLAIMED, "unet@24", "resunet@16", "unext", "segnext"), _TWO, 40, 3, split="test"),
}  # fmt: skip
"""In their order; test images are looked at in the last one alone."""
