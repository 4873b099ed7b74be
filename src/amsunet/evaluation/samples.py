"""The images that a model is evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from amsunet.data.builtin_samples import locate
from amsunet.data.crops import evenly
from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.discovery.layout import Sample
from amsunet.data.duplicates import warn_of_copies, warn_of_leakage
from amsunet.data.fingerprint import Fingerprint, take_fingerprint
from amsunet.data.masks import MaskConvention
from amsunet.data.options import DataOptions
from amsunet.errors import InputError
from amsunet.inference.ensemble import Folds
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.training.run_folder import RunData, absolute_source, describe_changed_masks, images_seen, read_run
from amsunet.wording import Blank, command, setting

SplitChoice = tuple[list[Sample], str, tuple[str, ...]]
"""Samples, what they are (``test``, ``val``, or ``all`` of a foreign data set), and what must be known of them."""


@dataclass(frozen=True)
class EvaluationImages:
    """What a model is evaluated on, and what must be known of it."""

    dataset: Dataset
    source: str
    """Where the data lie."""
    named: str | None
    """The data as they were named; None where the run knows them itself."""
    record: RunData | None
    """The run's own data; None of a network that comes alone."""
    of_run: bool
    """Whether the data set is the one that the run was trained on."""
    samples: list[Sample]
    split: str
    """``test``, ``val``, or ``all`` of a foreign data set."""
    notes: tuple[str, ...]
    convention: MaskConvention
    """What masks mean, with the class names of the network or those that were set."""

    def fingerprint(self) -> Fingerprint:
        """That of the run; of a network that comes alone, of these images."""
        if self.record is not None:
            return self.record.fingerprint
        return take_fingerprint(self.dataset, {sample.name for sample in self.samples})

    def at_most(self, count: int, model: ModelRef) -> EvaluationImages:
        """An even part of the images, with the note that it is one and the line that takes all."""
        part = list(evenly(self.samples, count))
        if len(part) == len(self.samples):
            return self
        split = self.split if self.of_run else "auto"
        line = command("evaluate", str(model), *filter(None, (self.named,)), split=split)
        note = f"evaluated on {len(part)} of {len(self.samples)} images, evenly spread: {line} takes all of them"
        return replace(self, samples=part, notes=(*self.notes, note))


def choose_images(
    model: ModelRef, data: str | Path | Dataset | None, split: str, predictor: Predictor, options: DataOptions
) -> EvaluationImages:
    """Open what a model is to be evaluated on, and choose the images that it was not trained on.

    Args:
        model: The model.
        data: A data set, by name or as read; the run's own when left out.
        split: ``auto``, ``test`` or ``val``, of the run's own data.
        predictor: The model, loaded.
        options: How the data set is read, where it does not follow the run's.

    Raises:
        InputError: If the data cannot be used, have other classes, or hold no image that is new to the model.
    """
    record = None if model.run is None else read_run(model.run)[1]
    known = predictor.description.convention.named(options.masks.class_names)
    if isinstance(data, Dataset):
        dataset, of_run = data, record is not None and record.holds(data)
    else:
        convention = None if options.masks.given_values else known
        dataset, of_run = _open_data(model, data, record, options, convention)
    if dataset.convention.num_classes != known.num_classes:
        raise InputError(
            f"{dataset.source} has {dataset.convention.num_classes} classes, the run {known.num_classes}: "
            "evaluate it on data with the same classes"
        )
    for scan in dataset.scans:
        predictor.check_channels(str(scan.sample.image), scan.channels, scan.channel_names)
    if of_run and record is not None:
        chosen = choose_of_run(dataset, record, split, predictor.folds)
    else:
        chosen = choose_foreign(dataset, images_seen(model), split, record.thumbnails if record is not None else None)
    samples, name, notes = chosen
    named = None if data is None or isinstance(data, Dataset) else str(data)
    source = record.source if of_run and record is not None else named or dataset.source
    convention = dataset.convention.model_copy(update={"class_names": known.class_names})
    return EvaluationImages(dataset, source, named, record, of_run, samples, name, notes, convention)


def _open_data(
    model: ModelRef,
    data: str | Path | None,
    record: RunData | None,
    options: DataOptions,
    convention: MaskConvention | None,
) -> tuple[Dataset, bool]:
    """Open what is to be evaluated on, and find out whether it is the run's own data.

    Raises:
        InputError: If it cannot be used, or if nothing is named and the network comes alone.
    """
    if record is None:
        if data is None:
            line = command("evaluate", str(model), Blank("DATA"))
            raise InputError(f"{model} comes without data: name what to evaluate it on, as {line}")
        return open_dataset(locate(data), options, convention=convention), False
    in_run = data is None or absolute_source(data) == record.source
    as_in_run = {name: given or getattr(record, name) for name, given in options.reading().items()}
    dataset = open_dataset(
        locate(record.source if data is None else data),
        options.model_copy(update=as_in_run if in_run else {}),
        convention=convention,
        of_run=in_run,
    )
    of_run = in_run or record.holds(dataset)
    if (
        of_run and not in_run and record.group is not None and options.group is None
    ):  # the run's patients, in another place
        options = options.model_copy(update={"group": record.group})
        dataset = open_dataset(locate(str(data)), options, convention=convention)
    return dataset, of_run


def choose_of_run(dataset: Dataset, record: RunData, split: str, folds: Folds | None) -> SplitChoice:
    """Choose a split of the run's own data.

    Raises:
        InputError: If the data have changed or have no such images.
    """
    record.check(dataset)
    has_test = "test" in record.splits.values()
    wanted = split if split != "auto" else "test" if has_test else "val"
    # With folds every training image is a validation image of one.
    searched = "train" if folds is not None and wanted == "val" else wanted
    samples = [sample for sample in dataset.samples if record.splits[sample.name] == searched]
    if not samples:
        raise InputError(f"{dataset.source} has no {wanted} images: choose another {setting('split')}")
    seen = sum(record.checksums[sample.name] in record.seen_in_pretraining for sample in samples)
    seen_by = "the weights that training started from, or by its teacher"
    notes = [f"{seen} of these images were seen by {seen_by}: too good"] if seen else []
    if searched == wanted:
        notes += warn_of_leakage(dataset.scans, record.splits, {sample.name for sample in samples})
    return samples, wanted, (*notes, *_changed(record, dataset, samples))


def _changed(record: RunData, dataset: Dataset, samples: list[Sample]) -> list[str]:
    """Note that masks are not those of the training: they may have been corrected, or damaged."""
    changed = record.changed_masks(dataset)
    if not changed:
        return []
    here = len({sample.name for sample in samples}.intersection(changed))
    return [f"{describe_changed_masks(changed)} ({here} of them evaluated here): train again if they were corrected"]


def choose_foreign(
    dataset: Dataset, seen: set[str] | None, split: str, thumbnails: Mapping[str, str] | None = None
) -> SplitChoice:
    """Choose what of a foreign data set the network was not trained on.

    Args:
        dataset: The foreign data set.
        seen: Checksums of what it was trained on; None where that is not known, which is noted.
        split: The split asked for: its test images, or all.
        thumbnails: Of what it was trained on, by name, where they were kept: copies of them are named.

    Raises:
        InputError: If there are none.
    """
    if split == "val":
        raise InputError(f"{dataset.source} is not what the run was trained on: it has no validation images of it")
    fresh = [scan.sample for scan in dataset.scans if scan.checksum not in (seen or ())]
    left_out = len(dataset.scans) - len(fresh)
    if not fresh:
        known = "the run, or what it started from, was trained on"
        raise InputError(f"{dataset.source} holds only images that {known}: evaluate it on others")
    known = f"{left_out} images are left out: the run, or what it started from, was trained on them"
    notes: tuple[str, ...] = (known,) if left_out else ()
    if seen is None:
        notes = ("which images the network was trained on is not known: they may be among these",)
    named_test = [sample for sample in fresh if sample.split == "test"]
    if named_test:
        notes = (*notes, "of this data set its own test images are used")
    chosen = named_test or fresh
    names = {sample.name for sample in chosen}
    copies = warn_of_copies([scan for scan in dataset.scans if scan.sample.name in names], thumbnails or {})
    return chosen, "all", (*notes, *copies)
