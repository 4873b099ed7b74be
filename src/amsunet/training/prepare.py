"""A data set made ready for training: opened, split, measured, planned."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.data.builtin_samples import locate
from amsunet.data.class_occurrence import ClassOccurrence
from amsunet.data.containers import find_address
from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.discovery.layout import Sample, Split
from amsunet.data.duplicates import keep_together, warn_of_repeats
from amsunet.data.fingerprint import Fingerprint, take_fingerprint
from amsunet.data.groups import warn_of_groups
from amsunet.data.images import read_image
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.options import DataOptions
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.scan import warn_of_blank, warn_of_same_files
from amsunet.data.splits import assign_splits, deal_folds
from amsunet.data.value_range import fixed_range
from amsunet.data.volumes import slice_axis
from amsunet.errors import InputError, first_line
from amsunet.inference.ensemble import Folds
from amsunet.inference.model_file import build_network
from amsunet.inference.model_metadata import refuse_unbounded
from amsunet.models import is_custom
from amsunet.models.contract import check_sizes
from amsunet.safe_text import one_line
from amsunet.training.distillation import check_teacher
from amsunet.training.distributed import current_group
from amsunet.training.finetune import load_pretrained, match_pretrained
from amsunet.training.plan import make_plan
from amsunet.training.plan_schema import USER_SET, Plan, Settings, checked_settings
from amsunet.training.start import with_start
from amsunet.wording import setting, shell_command

_STATISTICS_IMAGES = 64


@dataclass(frozen=True)
class Preparation:
    """What ``check`` shows and ``train`` follows."""

    dataset: Dataset
    splits: dict[str, Split]
    """By sample name."""
    fingerprint: Fingerprint
    plan: Plan
    training_images: int
    """That a network is trained on: with folds, all but those of its own."""
    warnings: tuple[str, ...]
    occurrence: ClassOccurrence
    folds: Folds | None = None
    """Of the training images, where there are to be folds."""

    def of(self, split: Split) -> list[Sample]:
        """The samples of one split."""
        return [sample for sample in self.dataset.samples if self.splits[sample.name] == split]

    def describe(self) -> str:
        """What was found, a line each."""
        return "\n".join(
            one_line(f"warning: {line}" if level == logging.WARNING else line) for level, line in self.lines()
        )

    def lines(self) -> list[tuple[int, str]]:
        """What was found, a line each, with its level of ``logging``."""
        dataset, counts = self.dataset, Counter(self.splits.values())
        lines = [
            f"{dataset.source}: {counts['train']} images to train, {counts['val']} to validate, "
            f"{counts['test']} to test",
            *self._folds(),
            f"masks: {dataset.convention}",
            self.fingerprint.describe(dataset.convention.class_names),
            *([str(self.occurrence)] if str(self.occurrence) else []),
            *dataset.notes,
        ]
        found = [
            *((logging.INFO, line) for line in lines),
            *((logging.WARNING, warning) for warning in self.warnings),
            *((logging.INFO, line) for line in self._describe_scale()),
        ]
        for kind, count in Counter(problem.kind for problem in dataset.problems).items():
            first = next(problem for problem in dataset.problems if problem.kind == kind)
            found.append((logging.INFO, f"cannot be used: {count} {kind}, as {first.message}"))
        return found

    def _describe_scale(self) -> list[str]:
        framing = self.fingerprint.framing
        if framing is None or framing.decide()[2] or self.plan.reasons.get("image_scale") == USER_SET:
            return []
        height, width = framing.typical
        return [
            f"note: {framing.decide()[1]}, so a new image of another size is taken pixel for pixel, as more or less "
            f"of it; if it is to be brought to the size of these, {width} x {height}, set {setting(image_scale='size')}"
        ]

    def _folds(self) -> list[str]:
        if self.folds is None:
            return []
        count, plan = self.folds.count, self.plan
        budget = f"{plan.minutes:g} minutes" if plan.minutes else f"{plan.epochs} epochs"
        total = f", about {count * plan.minutes:.0f} minutes in all" if plan.minutes else ""
        return [
            f"{count} folds of the training images, a network for each, trained on the others for {budget}{total}; "
            "test images are in none"
        ]


def prepare(
    data: str | Path,
    settings: Mapping[str, Any] | Settings | None = None,
    *,
    device: str,
    data_options: DataOptions | None = None,
    folds: int | None = None,
    allow_problems: bool = False,
) -> Preparation:
    """Open a data set, cut its splits, measure it and plan.

    Args:
        data: A folder, a CSV manifest, or ``sample:NAME``.
        settings: As for ``train``.
        device: ``cpu``, ``cuda`` or ``mps``.
        data_options: How the data set is read and split.
        folds: Cut training and validation images into so many folds; all of them then count as training images.
        allow_problems: Keep what cannot be used in the result without an error, for an audit.

    Returns:
        The data set with its splits, its fingerprint and its plan.

    Raises:
        InputError: For data that cannot be trained on.
    """
    settings = checked_settings(settings)  # before much is read
    data_options = data_options or DataOptions()
    splits = data_options.splits
    dataset = open_dataset(data, data_options, allow_problems=allow_problems)
    cut = partial(
        assign_splits,
        foreground=dataset.foreground_share(),
        seed=settings.get("seed", 0),
        test_fraction=data_options.test_fraction,
    )
    copies = keep_together(dataset.scans)
    if not {"train", "val"} <= {*cut(dataset.samples, copies=copies).values()}:
        copies = dataset.checksums()  # one film, which is warned of: better cut than not trained on
    cut = partial(cut, copies=copies)
    if splits is None:
        splits = cut(dataset.samples)
    counts = Counter(splits.values())
    if not counts["train"] or not counts["val"]:
        raise InputError(
            f"{data} leaves {counts['train']} images to train and {counts['val']} to validate: "
            "give it more images with masks (of more than one patient, where patients are known; images that look the "
            f"same count as one){_of_few_stacks(dataset)}"
        )
    fingerprint = take_fingerprint(dataset, {name for name, split in splits.items() if split in ("train", "val")})
    occurrence = ClassOccurrence.of(dataset.scans, dataset.convention)
    dealt, images, rare = None, counts["train"], occurrence.warnings(splits)
    if folds is not None:
        dealt = _deal(dataset, splits, folds, copies)
        rare = occurrence.warnings_of_folds(dealt.fold_of, folds)
        splits = {**splits, **dict.fromkeys(dealt.fold_of, "train")}
        images = len(dealt.fold_of) - -(-len(dealt.fold_of) // folds)
    leaks = [*warn_of_groups(dataset.samples, splits, locate(data), cut), *warn_of_repeats(dataset.scans, splits)]
    plan = make_plan(fingerprint, images, settings, device=device, processes=current_group().size)
    evaluated = ("val", "test") if dealt is None else ("train", "val", "test")
    held_out = [scan for scan in dataset.scans if splits[scan.sample.name] in evaluated]
    plan = match_pretrained(with_start(plan, held_out, device=device))
    check_network(plan, dataset.convention.num_classes)
    files = [*warn_of_same_files(dataset.scans), *warn_of_blank(dataset.scans, dataset.foreground_share())]
    warnings = (*dataset.warnings, *files, *fingerprint.warnings, *leaks, *rare)
    return Preparation(dataset, dict(splits), fingerprint, plan, images, warnings, occurrence, dealt)


def _of_few_stacks(dataset: Dataset) -> str:
    """How the slices of a stack are split none the less; empty for other data."""
    if not any((address := find_address(sample.image)) and address.place for sample in dataset.samples):
        return ""
    way = setting(group=r"/(\w+)$")
    return f"; slices of a stack stay together, and {way} splits them, where neighbours make scores too good"


def _deal(dataset: Dataset, splits: Mapping[str, Split], count: int, copies: Mapping[str, str]) -> Folds:
    samples = [sample for sample in dataset.samples if splits[sample.name] in ("train", "val")]
    try:
        fold_of = deal_folds(samples, dataset.foreground_share(), count, copies=copies)
    except ValueError as error:
        raise InputError(f"{error}: ask for fewer with {setting('folds')}") from None
    return Folds(count=count, fold_of=fold_of)


def check_network(plan: Plan, num_classes: int) -> None:
    """Build the network of a plan; try one from a user's file on images, in training and in evaluation.

    Raises:
        InputError: If it cannot be built, does not give logits for images of any size, or does not fit the weights
            that training is to start from, and if its teacher tells other classes apart.
    """
    try:
        refuse_unbounded(plan.model_arguments(num_classes))  # or the trained network could not be read again
    except ValueError as error:
        raise InputError(f"{setting('model_options')}: {error}") from None
    try:
        network = build_network(plan.model, plan.model_arguments(num_classes))
    except InputError as error:
        is_derived = plan.reasons.get("model") != USER_SET and plan.pretrained is None and plan.model != "amsunet"
        if not (is_derived and plan.model_options):
            raise
        hint = f"if another network is meant, name it, as in {setting(model='amsunet')}"
        raise InputError(f"{error}; {hint}") from None
    if plan.pretrained is not None:
        load_pretrained(network, plan.pretrained, plan, plan.model_arguments(num_classes))
    if plan.teacher is not None:
        check_teacher(plan, num_classes)
    if not is_custom(plan.model):
        return
    try:
        check_sizes(network, (plan.crop, (33, 47)), in_channels=plan.in_channels, num_classes=num_classes)
    except Exception as error:  # the user's code may raise anything
        problem = first_line(error)
        line = shell_command("models check", plan.model)
        raise InputError(f"{plan.model}: {problem}; {line} shows more") from None


def fit_preprocessing(plan: Plan, dataset: Dataset, samples: list[Sample], fingerprint: Fingerprint) -> Preprocessing:
    """Measure mean and standard deviation of the training images, normalized, where they are not ignored.

    Args:
        plan: How images are normalized and resized.
        dataset: Which the samples are of.
        samples: The training images.
        fingerprint: Of the data set.

    Returns:
        The record of how images are prepared.
    """
    framing = fingerprint.framing
    values = fingerprint.values if plan.window is None else fixed_range(plan.window, fingerprint.values)
    blank = Preprocessing.blank(plan.in_channels, plan.normalization, plan.scale, values).model_copy(
        update={
            "channel_names": fingerprint.channel_names,
            "image_scale": plan.image_scale,
            "slice_axis": slice_axis(samples),
            "typical_size": (fingerprint.median_height, fingerprint.median_width),
            "size_range": None if framing is None else (framing.smallest, framing.largest),
            "spacing": fingerprint.spacing,
        }
    )
    sums, squares, count = np.zeros(plan.in_channels), np.zeros(plan.in_channels), 0
    for sample in samples[:: max(1, len(samples) // _STATISTICS_IMAGES)]:
        image = blank.normalize(read_image(sample.image))
        pixels = image[dataset.read_labels(sample) != IGNORE_INDEX] / 255
        sums, squares, count = sums + pixels.sum(axis=0), squares + (pixels**2).sum(axis=0), count + len(pixels)
    mean = sums / max(count, 1)
    std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 1e-6))
    return blank.model_copy(update={"mean": tuple(mean.tolist()), "std": tuple(std.tolist())})
