"""The images that a run is judged on."""

from __future__ import annotations

from amsunet.data.dataset import Dataset
from amsunet.data.layout import Sample
from amsunet.errors import InputError
from amsunet.inference.ensemble import Folds
from amsunet.training.run import RunData


def choose_samples(
    dataset: Dataset, record: RunData, split: str, folds: Folds | None, *, of_run: bool
) -> tuple[list[Sample], str, tuple[str, ...]]:
    """Choose a split of the run's own data, or what of a foreign data set the run was not trained on.

    Returns: the samples, what they are (``test``, ``val``, or ``all`` of a foreign data set), and what is to be said.
    Raises: InputError if there are none.
    """
    if of_run:
        record.check(dataset)
        has_test = "test" in record.splits.values()
        wanted = split if split != "auto" else "test" if has_test else "val"
        # With folds every training image is a validation image of one.
        searched = "train" if folds is not None and wanted == "val" else wanted
        samples = [sample for sample in dataset.samples if record.splits[sample.name] == searched]
        if not samples:
            raise InputError(f"{dataset.source} has no {wanted} images: choose another --split")
        told = sum(record.checksums[sample.name] in record.seen_before for sample in samples)
        notes = (
            (f"{told} of these images were seen by the weights that training started from: too good",) if told else ()
        )
        return samples, wanted, notes
    if split == "val":
        raise InputError(f"{dataset.source} is not what the run was trained on: it has no validation images of it")
    seen = record.seen()
    fresh = [scan.sample for scan in dataset.scans if scan.checksum not in seen]
    left_out = len(dataset.scans) - len(fresh)
    if not fresh:
        raise InputError(f"{dataset.source} holds only images that the run was trained on: judge it on others")
    notes = (f"{left_out} images are left out: the run was trained on them",) if left_out else ()
    named_test = [sample for sample in fresh if sample.split == "test"]
    if named_test:
        return named_test, "all", (*notes, "of this data set its own test images are used")
    return fresh, "all", notes
