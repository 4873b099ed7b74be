"""Networks small enough for a test, each once."""

from __future__ import annotations

from typing import Any

import torch

from amsunet.evaluation.ablation import STUDIES, variants_of
from amsunet.evaluation.variant import Variant
from amsunet.models import create_model, list_models

ALIASES = ("amsunet_s", "amsunet_xs")
"""Of another width than amsunet and nothing else, which ``test_contract`` holds: at one width there is one network."""
NETWORKS = [name for name in list_models() if name not in ALIASES]
_SMALL: dict[str, dict[str, Any]] = {
    "segnext": {"decoder_channels": 32},
    "unext": {"widths": (8, 8, 16, 16, 32)},
}

FAILING = """
import torch

class Failing(torch.nn.Conv2d):
    def forward(self, x):
        if torch.is_grad_enabled():
            raise MemoryError("memory ran out in this trial")
        return super().forward(x)

def build(in_channels, num_classes):
    return Failing(in_channels, num_classes, 1)
"""
"""The file of a network that cannot be trained."""


def small(name: str, base_channels: int = 4, **arguments: Any) -> torch.nn.Module:
    """A network with few channels."""
    return create_model(name, **_SMALL.get(name, {"base_channels": base_channels}) | arguments)


def choices(base_channels: int) -> list[Variant]:
    """Every network of the studies once: each study begins with the paper's, and some change the training alone."""
    variants = [variant for study in STUDIES for variant in variants_of(study, base_channels=base_channels)]
    return list({f"{variant.model} {variant.options}": variant for variant in reversed(variants)}.values())[::-1]
