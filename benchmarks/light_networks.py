"""The networks of the light study (docs/light.md), each once, the stages that they pass through, and their queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
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
    "lite_distilled": ("amsunet_lite", {}),
}
NAMES = tuple(_NETWORKS)
TEACHERS = {
    "DRIVE": "zoo:vessels", "GlaS": "zoo:glands", "DSB2018": "zoo:nuclei", "ISIC2017-256": "zoo:lesions",
}  # fmt: skip
"""Of ``lite_distilled``: AMSUnet at 32 base channels, trained to its end on the training images of the same split."""


def variant(name: str, learning_rate: float | None = None, data: str | None = None) -> Variant:
    """A network of the study.

    Args:
        name: One of ``NAMES``.
        learning_rate: Of its trainings, where that is not the plan's.
        data: Name of the data set that it is trained on, which decides who teaches it, if anybody does.
    """
    model, options = _NETWORKS[name]
    changed: dict[str, Any] = {} if learning_rate is None else {"learning_rate": learning_rate}
    if name == "lite_distilled" and data in TEACHERS:
        changed["teacher"] = TEACHERS[data]
    end = "" if learning_rate is None else f" rate {learning_rate:g}"
    return Variant(name=name + end, model=model, options=options, settings=changed)


def same_network(name: str) -> str:
    """The first network of the study that is built alike, so that it takes as long to predict."""
    return next(known for known, built in _NETWORKS.items() if built == _NETWORKS[name])


@dataclass(frozen=True)
class Stage:
    """Which networks are trained on what, for how long and how often."""

    networks: Sequence[str]
    data: Sequence[str]
    minutes: float
    seeds: int
    both_rates: bool = False
    """Try every learning rate, in place of the one that was better for the network."""


FOUR = ("DRIVE", "GlaS", "DSB2018", "ISIC2017-256")
TWO = ("DRIVE", "DSB2018")
QUESTION = (REFERENCE, CONTROL, "amsunet_lite")
"""The three that the study is about."""
CLAIMED = (*QUESTION, "unet@8", "unet@32", "amsunet_lite_xs", "amsunet_lite_m")
"""With the curve to beat, and the other two sizes."""
CONTROLLED = (*CLAIMED, "resunet_lite_xs", "resunet_lite@32")
"""With the control's curve."""
RIVALS = (*CONTROLLED, "amsunet@16", "amsunet@32", "unext", "segnext", "resunet@16", "unet@24")
CHANGED = ("lite_plain7", "lite_plain5", "lite_plain3", "lite_rsc", "lite_gated", "lite_dense", "lite_fast")
"""One change each of ``amsunet_lite``."""
STAGES = {
    "rates": Stage(RIVALS, TWO, 10, 1, both_rates=True),
    "ablation": Stage(("amsunet_lite", *CHANGED, "lite_distilled"), TWO, 10, 2),
    "claim": Stage(RIVALS, FOUR, 10, 4),
    "long": Stage((*QUESTION, "unet@32"), TWO, 40, 3),
}
"""Everything that is trained; test images are looked at by ``light_test.py`` alone, when all of it is done."""


@dataclass(frozen=True)
class Entry:
    """A part of a stage: some of its networks, with its first seeds."""

    stage: str
    networks: Sequence[str]
    seeds: int = 1

    @property
    def part(self) -> Stage:
        """What is trained, as far as it is not done."""
        return replace(STAGES[self.stage], networks=self.networks, seeds=self.seeds)


_ABLATION = STAGES["ablation"].networks
QUEUE = (
    Entry("rates", QUESTION),
    Entry("claim", QUESTION),
    Entry("ablation", _ABLATION),
    Entry("rates", CLAIMED),
    Entry("claim", CLAIMED),
    Entry("ablation", _ABLATION, 2),
    Entry("claim", QUESTION, 2),
    *(Entry("claim", CLAIMED, seeds) for seeds in (2, 3, 4)),
    Entry("rates", CONTROLLED),
    *(Entry("claim", CONTROLLED, seeds) for seeds in (1, 2, 3, 4)),
    *(Entry("long", STAGES["long"].networks, seeds) for seeds in (1, 2, 3)),
    Entry("rates", RIVALS),
    *(Entry("claim", RIVALS, seeds) for seeds in (1, 2, 3, 4)),
)
"""What is most decisive comes first, so that the queue can be stopped anywhere and what is there be told."""


def trainings(queue: Sequence[Entry] = QUEUE) -> Iterator[tuple[Entry, set[tuple[str, str, int, float, str]]]]:
    """Each entry of the queue with the trainings that those before it have not done.

    A training is network, data set, seed, minutes and which of two learning rates; the better one of the stage
    ``rates`` is that of the others, so what is counted is what is left at most.
    """
    done: set[tuple[str, str, int, float, str]] = set()
    for entry in queue:
        part = entry.part
        rates = ("better", "other") if part.both_rates else ("better",)
        wanted = {
            (name, data, seed, part.minutes, rate)
            for name in part.networks
            for data in part.data
            for seed in range(part.seeds)
            for rate in rates
        }
        yield entry, wanted - done
        done |= wanted
