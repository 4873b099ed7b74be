"""The fastest of several runtimes, found out on the images that are to be predicted."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np

from amsunet.data.images import Array
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.runtime import Runtime

logger = logging.getLogger(__name__)

LABELS_MAY_DIFFER = 0.005
"""Share of the pixels, on the first batch, whose label may be another one than the first runtime's."""
PROBABILITIES_MAY_DIFFER = 0.01
"""Mean over pixels and classes of the difference of probabilities, so that empty masks do not agree by chance."""
_SECONDS = 1.0
_TURNS = 10


class Fastest:
    """A ``Runtime`` that measures others on the first images it gets, and hands all work to the fastest of those
    whose masks agree with the first one's.

    Args:
        runtimes: the first is the one that is right.
        usual: the one to be compared with in the log.
        threshold: foreground probability above which a pixel is foreground, with two classes.
    """

    def __init__(self, runtimes: Sequence[Runtime], usual: Runtime, threshold: float) -> None:
        self._runtimes = list(runtimes)
        self._usual = usual
        self._threshold = threshold
        self._chosen: Runtime | None = None

    @property
    def name(self) -> str:
        if self._chosen is None:
            return f"the fastest of {', '.join(runtime.name for runtime in self._runtimes)}"
        return self._chosen.name

    def __call__(self, images: Array) -> Array:
        if self._chosen is None:
            self._chosen = self._choose(images)
            self._runtimes.clear()  # the others need not stay in memory
        return self._chosen(images)

    def _choose(self, images: Array) -> Runtime:
        agreeing = self._agreeing(images)
        seconds = _measure(agreeing, images)
        best = min(agreeing, key=lambda runtime: seconds[runtime.name])
        if best is self._usual or self._usual.name not in seconds:
            logger.info(f"{best.name} is the fastest of {len(agreeing)}")
        else:
            ratio = seconds[self._usual.name] / seconds[best.name]
            logger.info(f"{best.name} is the fastest of {len(agreeing)}: {ratio:.1f} times {self._usual.name}")
        return best

    def _agreeing(self, images: Array) -> list[Runtime]:
        first, *others = self._runtimes
        expected = self._probabilities(first, images)
        agreeing = [first]
        for other in others:
            found = self._probabilities(other, images)
            labels = np.mean(
                [
                    to_labels(one, self._threshold) != to_labels(two, self._threshold)
                    for one, two in zip(found, expected, strict=True)
                ]
            )
            probabilities = np.abs(found - expected).mean()  # NaN where one is not a number
            if labels <= LABELS_MAY_DIFFER and probabilities <= PROBABILITIES_MAY_DIFFER:
                agreeing.append(other)
            else:
                logger.info(f"{other.name} is left out: {labels:.2%} of its labels differ from {first.name}")
        return agreeing

    def _probabilities(self, runtime: Runtime, images: Array) -> Array:
        return np.stack([to_probabilities(one, *images.shape[-2:]) for one in runtime(images)])


def _measure(runtimes: Sequence[Runtime], images: Array) -> dict[str, float]:
    """Shortest seconds of each by name; they take turns, so that what else the machine does hits all of them alike."""
    seconds = {runtime.name: np.inf for runtime in runtimes}
    start = time.perf_counter()
    for _ in range(_TURNS):
        for runtime in runtimes:
            before = time.perf_counter()
            runtime(images)
            seconds[runtime.name] = min(seconds[runtime.name], time.perf_counter() - before)
        if time.perf_counter() - start > _SECONDS * len(runtimes):
            break
    return seconds
