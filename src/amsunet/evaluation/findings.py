"""What scores alone hide, in words: a network that marks nothing, a class that does not occur, empty images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from amsunet.data.images import Array
from amsunet.evaluation.metrics import ClassScores

KINDS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
_NEARLY_NOTHING = 0.01
"""Of the true pixels."""
_NEARLY_EVERYTHING = 0.99
"""Of all pixels that count, where fewer than ``_MOST`` are true."""
_MOST = 0.9
_FEW_IMAGES = 3
"""With so few images it goes without saying that a class is in one of them."""


@dataclass(frozen=True)
class Marks:
    """Where classes are and where they were found, in pixels that count."""

    images: tuple[str, ...]
    class_names: tuple[str, ...]
    """Without the background."""
    true: Array
    """(images, classes)."""
    found: Array
    """(images, classes)."""
    right: Array
    """(images, classes)."""
    pixels: Array
    """(images,)."""

    @classmethod
    def of(cls, scores: Mapping[str, Sequence[ClassScores]], class_names: Sequence[str]) -> Self:
        """From the scores of every class but the background, by image."""
        counts = {name: [[getattr(one, kind) for kind in KINDS] for one in of] for name, of in scores.items()}
        return cls.of_counts(counts, class_names)

    @classmethod
    def of_counts(cls, counts: Mapping[str, Sequence[Sequence[int]]], class_names: Sequence[str]) -> Self:
        """From pixels of all ``KINDS``, of every class but the background, by image."""
        tables = np.array(list(counts.values()), np.int64).reshape(len(counts), len(class_names), len(KINDS))
        tp, fp, fn, _ = np.moveaxis(tables, 2, 0)
        return cls(tuple(counts), tuple(class_names), tp + fn, tp + fp, tp, tables[:, 0].sum(axis=1))

    @property
    def object(self) -> str:
        """What is to be found, as one word."""
        return self.class_names[0] if len(self.class_names) == 1 else "foreground"

    @property
    def unscored(self) -> tuple[str, ...]:
        """Images without a pixel that counts."""
        return tuple(np.array(self.images, object)[self.pixels == 0])

    @property
    def labels(self) -> tuple[int, ...]:
        """Classes, from 1, that are in some image: the others have no score."""
        return tuple((np.flatnonzero(self.true.any(axis=0)) + 1).tolist())

    def of_data(self) -> list[str]:
        """What must be known of the images."""
        scored = int((self.pixels > 0).sum())
        if not scored:
            return ["all pixels of all images are ignored: there is nothing to score"]
        said = []
        if missing := self.unscored:
            of_all = f"{len(missing)} of {len(self.images)} images {'has' if len(missing) == 1 else 'have'}"
            said.append(f"{of_all} no pixel that counts (as {missing[0]}): left out of every score")
        if not self.true.any():
            return [*said, self._without_object(scored)]
        for index, name in enumerate(self.class_names):
            inside = np.flatnonzero(self.true[:, index])
            if not len(inside):
                said.append(f"{name} does not occur in these images{self._marked_all_the_same(index)}")
            elif len(inside) == 1 and scored > _FEW_IMAGES:
                said.append(f"{name} is in one image only ({self.images[inside[0]]}): its scores say little")
        return said

    def of_network(self) -> list[str]:
        """What must be known of what was found."""
        true, found, pixels = self.true.sum(axis=0), self.found.sum(axis=0), int(self.pixels.sum())
        if not true.any():
            return []
        if not found.any():
            empty = not self.true[self.pixels > 0].all()
            return [f"the network marks nothing in any image{': Dice is 1 only where there is nothing' * empty}"]
        said = []
        if found.sum() < _NEARLY_NOTHING * true.sum():
            said.append(
                f"the network marks almost nothing: {found.sum():,} pixels, where {true.sum():,} are {self.object}"
            )
        if found.sum() > _NEARLY_EVERYTHING * pixels and true.sum() < _MOST * pixels:
            largest = int(found.argmax())
            mostly = len(found) > 1 and found[largest] > _NEARLY_EVERYTHING * pixels
            what = f" as {self.class_names[largest]}" if mostly else ""
            said.append(
                f"the network marks everything{what}: {100 * found.sum() / pixels:.0f} % of the pixels, "
                f"where {100 * true.sum() / pixels:.0f} % are {self.object}"
            )
        for index in np.flatnonzero(true):
            images = f"{int((self.true[:, index] > 0).sum())} of {len(self.images)} images"
            if not found[index]:
                said.append(f"{self.class_names[index]} is never found: it is in {images}")
            elif not self.right[:, index].any():
                said.append(f"{self.class_names[index]} is marked, but nowhere where it is: it is in {images}")
        return said

    def _without_object(self, scored: int) -> str:
        marked = int(self.found.any(axis=1).sum())
        what = "none is marked" if not marked else f"{marked} of {scored} are marked all the same"
        return f"no image holds {self.object}, and {what}: there is no Dice, judge on images with objects"

    def _marked_all_the_same(self, index: int) -> str:
        marked = int((self.found[:, index] > 0).sum())
        wrongly = f" but is marked in {marked} of them" if marked else ""
        return f"{wrongly}: left out of every mean"
