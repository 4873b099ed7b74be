"""How good a mask is likely to be, from the probabilities that it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amsunet.data.images import Array


@dataclass(frozen=True)
class ReviewItem:
    """What is known of how good the mask of an image is; it is to be checked where there is a reason."""

    image: str
    uncertainty: float
    reason: str
    out_of_distribution: str
    """In what it does not look like the training images; empty if it does."""
    polarity: str = ""
    """How it was taken, where it may show bright objects on dark or dark ones on bright."""

    @property
    def warned_of(self) -> bool:
        """Whether the command warns of it, which it does not of uncertainty alone."""
        return bool(self.out_of_distribution or self.polarity)


def review_reasons_of(
    uncertainty: float, uncertainty_limit: float | None, out_of_distribution: str, polarity: str = ""
) -> tuple[str, ...]:
    """Why a mask is to be checked, if it is.

    Args:
        uncertainty: One minus the Dice that the network expects of its mask.
        uncertainty_limit: The uncertainty that one in ten validation images exceeds, where it is known.
        out_of_distribution: In what the image differs from all training images, where it is.
        polarity: How the image was taken, where it was in doubt whether objects are darker than their ground.
    """
    reasons = [polarity] if polarity else []
    if out_of_distribution:
        reasons.append(f"does not look like the training images ({out_of_distribution})")
    if uncertainty_limit is not None and uncertainty > uncertainty_limit:
        reasons.append("less sure than nine in ten validation images")
    return tuple(reasons)


def describe_out_of_distribution(different: Sequence[tuple[str, str]], images: int) -> str:
    """One sentence about images that do not look like the training images; empty without any.

    Args:
        different: Names, the worst first, and in what each differs from all training images.
        images: All of them.
    """
    if not different:
        return ""
    (figures, _), *others = Counter(figures for _, figures in different).most_common()
    which = f"mostly in {figures}; as" if others else f"{figures}; as" if len(different) > 1 else f"{figures};"
    do = "does" if len(different) == 1 else "do"
    worst = different[0][0]
    return f"{len(different)} of {images} images {do} not look like the training images ({which} {worst})"


def describe_polarity_in_doubt(unclear: Sequence[tuple[str, str]]) -> str:
    """Of images of which it is in doubt which way round they are: one sentence for each way that they were taken; empty
    without any.

    Args:
        unclear: Names, and how each was taken.
    """
    names: dict[str, list[str]] = {}
    for name, how in unclear:
        names.setdefault(how, []).append(name)
    return "; ".join(
        f"{first}{f' and {len(others)} more' if others else ''} {how}" for how, (first, *others) in names.items()
    )


class Uncertainty:
    """One minus the Dice to be expected, mean over the classes but the background: 0 is sure. It may be added up from
    the parts of an image.

    Of a class with mask m and probability p the expected Dice is 2 sum(m p) / (sum(m) + sum(p)); where m is empty, it
    is the probability that nothing was missed, taken as one minus the largest p. It is worth what the probabilities
    are: averaged over mirror images or over networks, they are less sure wherever these disagree.

    Source: Borges et al., soft Dice confidence, arXiv 2402.10665.

    Args:
        sums: Those of the parts so far, by their names.
    """

    def __init__(self, num_classes: int, sums: dict[str, Any] | None = None) -> None:
        sums = sums or {}
        self._found, self._hits, self._mass, self._largest = (
            np.array(sums.get(name, [0.0] * (num_classes - 1))) for name in ("found", "hits", "mass", "largest")
        )

    def add(self, probability: Array, mask: Array) -> None:
        """Add a part: probabilities (K, h, w) and the mask (h, w) of class numbers."""
        for index, one in enumerate(probability[1:]):
            here = mask == index + 1
            self._found[index] += np.count_nonzero(here)
            self._hits[index] += one.sum(where=here, dtype=np.float64)
            self._mass[index] += one.sum(dtype=np.float64)
            self._largest[index] = max(self._largest[index], float(one.max()))

    def sums(self) -> dict[str, Any]:
        """As JSON can hold them."""
        named = {"found": self._found, "hits": self._hits, "mass": self._mass, "largest": self._largest}
        return {name: values.tolist() for name, values in named.items()}

    def value(self) -> float:
        dice = 2 * self._hits / np.maximum(self._found + self._mass, 1)
        return 1 - float(np.where(self._found > 0, dice, 1 - self._largest).mean())


def measure_uncertainty(probability: Array, mask: Array) -> float:
    """The uncertainty of a whole image.

    Args:
        probability: (K, H, W).
        mask: (H, W) of class numbers.
    """
    uncertainty = Uncertainty(len(probability))
    uncertainty.add(probability, mask)
    return uncertainty.value()
