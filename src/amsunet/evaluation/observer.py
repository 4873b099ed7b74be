"""A second observer beside the network: both scored against the reference, on the same images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amsunet.evaluation.statistics import Interval

if TYPE_CHECKING:
    from amsunet.evaluation.evaluation import Evaluation


@dataclass(frozen=True)
class Observer:
    """A second observer beside the network: both against the reference, on the images that the observer marked."""

    theirs: Evaluation
    """The second observer's masks, scored as if a network had made them."""
    network: Evaluation
    """The network, on the same images."""
    evaluated: int
    """All images that the network was evaluated on."""

    @property
    def images(self) -> str:
        """How many of the images have a second observer's mask."""
        count = len(self.theirs.images)
        return f"all {count} images" if count == self.evaluated else f"{count} of {self.evaluated} images"

    def rows(self) -> Iterator[tuple[str, Interval, Interval]]:
        """Each metric that a mask without probabilities has: of the observer, and of the network."""
        for metric, name in self.theirs.metric_names.items():
            theirs = self.theirs.interval(metric)
            if theirs.count:
                yield name, theirs, self.network.interval(metric)

    def summary(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "images": len(self.theirs.images),
            **self.theirs.means(),
            "network_on_the_same_images": self.network.means(),
        }
