"""What there is to know of a network before it is trained."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from torch import nn

from amsunet.models.cost import count_macs, count_parameters, receptive_field
from amsunet.models.registry import builder_of, create_model, source_of


@dataclass(frozen=True)
class ModelSummary:
    """A row of the table of networks, at 3 channels and 2 classes."""

    name: str
    parameters: int
    macs_256: int
    """Multiply-accumulate operations of one image of 256 x 256."""
    macs_480: int
    """Of one image of 480 x 480."""
    receptive_field: int | None
    """Side in pixels, gates that average over the whole image left out; None for the whole image."""
    source: str


def summarise_model(name: str) -> ModelSummary:
    """Count and measure a network of ``list_models()``: some seconds of work."""
    network = create_model(name)
    return ModelSummary(
        name,
        count_parameters(network),
        count_macs(network, 256, 256),
        count_macs(network, 480, 480),
        receptive_field(_narrow(name)),
        source_of(name),
    )


def _narrow(name: str) -> nn.Module:
    """The network at a width that computes fast: how far it sees does not depend on the width."""
    has_width = "base_channels" in inspect.signature(builder_of(name)).parameters
    return create_model(name, base_channels=4) if has_width else create_model(name)
