"""Which classes occur in which images: a class in too few images can be neither learned nor evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amsunet.data.discovery.layout import Split
from amsunet.data.groups import SPLIT_WORDS
from amsunet.data.images import Array
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention
from amsunet.data.masks.summary import MaskSummary
from amsunet.data.scan import Scan


@dataclass(frozen=True)
class ClassOccurrence:
    """Which classes the masks of each image hold."""

    class_names: tuple[str, ...]
    """Without the background."""
    labels: Mapping[str, frozenset[int]]
    """Classes, from 0, of the pixels that are not ignored, by sample name."""

    @classmethod
    def of(cls, scans: Sequence[Scan], convention: MaskConvention) -> ClassOccurrence:
        """Find the classes of each image from the summaries of its masks; fields of view are not considered.

        Args:
            scans: The scan of each sample.
            convention: What the values of the masks mean.
        """
        return cls(convention.class_names[1:], {scan.sample.name: _labels(scan, convention) for scan in scans})

    def images_with(self, label: int) -> list[str]:
        """Names of the samples that hold a class."""
        return [name for name, labels in self.labels.items() if label in labels]

    def __str__(self) -> str:
        """How many images hold each class, where it is not all of them; empty otherwise."""
        counts = {name: len(self.images_with(label)) for label, name in enumerate(self.class_names, start=1)}
        if all(count == len(self.labels) for count in counts.values()):
            return ""
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        return f"images that hold it, of {len(self.labels)}: {listed}"

    def warnings(self, splits: Mapping[str, Split]) -> list[str]:
        """Warn of classes in no image, or in a single one, of the training, validation or test images.

        Args:
            splits: The split of each sample, by its name.

        Returns:
            The warnings; also one for images whose pixels are all ignored.
        """
        notes = []
        there = [split for split in SPLIT_WORDS if split in splits.values()]
        for label, name in enumerate(self.class_names, start=1):
            images = {split: [one for one in self.images_with(label) if splits[one] == split] for split in SPLIT_WORDS}
            holding = self.images_with(label)
            if not holding:
                continue  # find_convention and absent_classes warn of it
            counts = ", ".join(f"{len(images[split])} {SPLIT_WORDS[split]}" for split in there)
            if len(holding) == 1 < len(self.labels):
                part = splits[holding[0]]
                where = f"{holding[0]}, {SPLIT_WORDS.get(part, part)}"
                notes.append(f"{name} is in one image only ({where}): it can be learned or evaluated, not both")
            elif "train" in there and not images["train"]:
                notes.append(f"no training image holds {name}: it cannot be learned (images with it: {counts})")
            elif len(images["train"]) == 1 < list(splits.values()).count("train"):
                notes.append(
                    f"{name} is in one training image only ({images['train'][0]}): it can hardly be learned "
                    f"(images with it: {counts})"
                )
            if "val" in there and not images["val"]:
                what = "weights and threshold are" if len(self.class_names) == 1 else "weights are"
                notes.append(f"no validation image holds {name}: {what} chosen without it (images with it: {counts})")
            if "test" in there and not images["test"]:
                notes.append(f"no test image holds {name}: it cannot be evaluated (images with it: {counts})")
        return [*notes, *self._ignored(splits)]

    def warnings_of_folds(self, fold_of: Mapping[str, int], count: int) -> list[str]:
        """Warn of classes that some folds of a cross-validation lack.

        Args:
            fold_of: The fold of each sample, by its name.
            count: Folds in all.
        """
        notes = []
        for label, name in enumerate(self.class_names, start=1):
            folds = {fold_of[one] for one in self.images_with(label) if one in fold_of}
            if folds and len(folds) < count:
                lack = f"{count - len(folds)} of {count} folds hold no image with {name}"
                notes.append(f"{lack}: there weights are chosen without it")
        return notes

    def _ignored(self, splits: Mapping[str, Split]) -> list[str]:
        wholly = [name for name, labels in self.labels.items() if not labels and splits[name] in SPLIT_WORDS]
        if not wholly:
            return []
        of_all = f"{len(wholly)} of {len(self.labels)} images"
        return [f"all pixels of {of_all} are ignored, as of {wholly[0]}: nothing is learned from these"]


def _labels(scan: Scan, convention: MaskConvention) -> frozenset[int]:
    if convention.kind == "folders":
        named = [(label, name) for label, name in enumerate(convention.folder_names, start=1) if name in scan.masks]
        decoded = [(label, _decoded(scan.masks[name], convention)) for label, name in named]
        found = {label * one for label, labels in decoded for one in labels if one != IGNORE_INDEX}
    else:
        found = {one for mask in scan.masks.values() for one in _decoded(mask, convention)}
    return frozenset(found - {IGNORE_INDEX})


def _decoded(mask: MaskSummary, convention: MaskConvention) -> set[int]:
    """What the values of a mask mean, as the convention reads them."""
    raw: Array = np.array([list(mask.counts)])
    if mask.colour:
        values = raw.astype(np.int64)
        raw = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)
    return set(np.unique(convention.decode(raw, mask.path)).tolist())
