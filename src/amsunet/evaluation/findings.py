"""Findings that scores alone hide: a network that marks nothing, a class that does not occur, ignored images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from amsunet.data.images import Array
from amsunet.evaluation.metrics import ClassScores

KINDS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
_NEARLY_NOTHING = 0.01
"""Share of the true pixels; a network that marks fewer marks almost nothing."""
_NEARLY_EVERYTHING = 0.99
"""Share of all pixels; a network that marks more, where fewer than ``_MOST`` are true, marks everything."""
_MOST = 0.9
_POOR, _FAIR = 0.2, 0.5
"""Dice below the one, and above the other against inverted masks, is no matter of a network's quality."""
_FEW_IMAGES = 3
"""Among so few images, a class in one of them is no finding."""


@dataclass(frozen=True)
class PixelCounts:
    """True, found and right pixels of each class in each image; ignored pixels are left out."""

    images: tuple[str, ...]
    """Their names."""
    class_names: tuple[str, ...]
    """Without the background."""
    true: Array
    """(images, classes): pixels of the class in the reference."""
    found: Array
    """(images, classes): pixels of the class in the prediction."""
    right: Array
    """(images, classes): pixels of the class in both."""
    pixels: Array
    """(images,): all pixels that are not ignored."""

    @classmethod
    def from_scores(cls, scores: Mapping[str, Sequence[ClassScores]], class_names: Sequence[str]) -> Self:
        """Take the counts from scores.

        Args:
            scores: By image, the scores of each class but the background.
            class_names: Names of these classes.
        """
        counts = {name: [[getattr(one, kind) for kind in KINDS] for one in of] for name, of in scores.items()}
        return cls.from_counts(counts, class_names)

    @classmethod
    def from_counts(cls, counts: Mapping[str, Sequence[Sequence[int]]], class_names: Sequence[str]) -> Self:
        """Take the counts from confusion tables.

        Args:
            counts: By image, for each class but the background, the pixels of each of ``KINDS``.
            class_names: Names of these classes.
        """
        tables = np.array(list(counts.values()), np.int64).reshape(len(counts), len(class_names), len(KINDS))
        tp, fp, fn, _ = np.moveaxis(tables, 2, 0)
        return cls(tuple(counts), tuple(class_names), tp + fn, tp + fp, tp, tables[:, 0].sum(axis=1))

    @property
    def object(self) -> str:
        """A word for the foreground: the name of the class, if there is only one."""
        return self.class_names[0] if len(self.class_names) == 1 else "foreground"

    @property
    def unscored(self) -> tuple[str, ...]:
        """Images whose pixels are all ignored."""
        return tuple(np.array(self.images, object)[self.pixels == 0])

    @property
    def labels(self) -> tuple[int, ...]:
        """Classes, from 1, that occur in some image; the others have no score."""
        return tuple((np.flatnonzero(self.true.any(axis=0)) + 1).tolist())

    def describe_data(self) -> list[str]:
        """Findings about the images: ignored ones, and classes that occur in none or in one."""
        scored = int((self.pixels > 0).sum())
        if not scored:
            return ["all pixels of all images are ignored: there is nothing to score"]
        findings = []
        if missing := self.unscored:
            of_all = f"{len(missing)} of {len(self.images)} images {'has' if len(missing) == 1 else 'have'}"
            findings.append(f"{of_all} only ignored pixels (as {missing[0]}): left out of every score")
        if not self.true.any():
            return [*findings, self._without_object(scored)]
        for index, name in enumerate(self.class_names):
            inside = np.flatnonzero(self.true[:, index])
            if not len(inside):
                findings.append(f"{name} does not occur in these images{self._marked_all_the_same(index)}")
            elif len(inside) == 1 and scored > _FEW_IMAGES:
                findings.append(f"{name} is in one image only ({self.images[inside[0]]}): its scores are uncertain")
        return findings

    def describe_network(self) -> list[str]:
        """Findings about the predictions: a network that marks nothing or everything, and classes never found."""
        true, found, pixels = self.true.sum(axis=0), self.found.sum(axis=0), int(self.pixels.sum())
        if not true.any():
            return []
        if not found.any():
            empty = not self.true[self.pixels > 0].all()
            return [f"the network marks nothing in any image{': Dice is 1 only where there is nothing' * empty}"]
        findings = []
        if found.sum() < _NEARLY_NOTHING * true.sum():
            findings.append(
                f"the network marks almost nothing: {found.sum():,} pixels, where {true.sum():,} are {self.object}"
            )
        if found.sum() > _NEARLY_EVERYTHING * pixels and true.sum() < _MOST * pixels:
            largest = int(found.argmax())
            mostly = len(found) > 1 and found[largest] > _NEARLY_EVERYTHING * pixels
            what = f" as {self.class_names[largest]}" if mostly else ""
            findings.append(
                f"the network marks everything{what}: {100 * found.sum() / pixels:.0f} % of the pixels, "
                f"where {100 * true.sum() / pixels:.0f} % are {self.object}"
            )
        for index in np.flatnonzero(true):
            images = f"{int((self.true[:, index] > 0).sum())} of {len(self.images)} images"
            if not found[index]:
                findings.append(f"{self.class_names[index]} is never found: it is in {images}")
            elif not self.right[:, index].any():
                findings.append(f"{self.class_names[index]} is marked, but nowhere where it is: it is in {images}")
        return findings

    def describe_inversion(self, remedy: str) -> list[str]:
        """Finding that masks of one class look inverted: the network marks what they leave out.

        Args:
            remedy: What to do if they are.
        """
        true, found, right, pixels = (int(one.sum()) for one in (self.true, self.found, self.right, self.pixels))
        if len(self.class_names) != 1 or not true or not 0 < found <= _NEARLY_EVERYTHING * pixels:
            return []
        dice, inverted = 2 * right / (true + found), 2 * (found - right) / (pixels - true + found)
        if dice >= _POOR or inverted <= _FAIR:
            return []
        return [
            f"Dice of all pixels is {dice:.4f}, and {inverted:.4f} against the inverted masks: look at some images, "
            f"and if their masks are inverted, {remedy}"
        ]

    def _without_object(self, scored: int) -> str:
        marked = int(self.found.any(axis=1).sum())
        what = "none is marked" if not marked else f"{marked} of {scored} are marked all the same"
        return f"no image holds {self.object}, and {what}: there is no Dice, evaluate on images with objects"

    def _marked_all_the_same(self, index: int) -> str:
        marked = int((self.found[:, index] > 0).sum())
        wrongly = f" but is marked in {marked} of them" if marked else ""
        return f"{wrongly}: left out of every mean"
