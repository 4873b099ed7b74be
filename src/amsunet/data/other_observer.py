"""The masks of a second observer, read in the classes of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amsunet.data.dataset import Dataset
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks.convention import MaskConvention
from amsunet.data.masks.external import fit_convention
from amsunet.data.masks.labels import read_labels
from amsunet.data.scan import scan_samples
from amsunet.errors import InputError

_ONE_CLASS = 2
"""Classes, background included, of masks that one file holds whatever it marks with."""


@dataclass(frozen=True)
class OtherObserver:
    """The usable masks of a second observer, with notes and warnings."""

    samples: dict[str, Sample]
    """The samples by name, with the second observer's mask in place of the reference."""
    convention: MaskConvention
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def read_labels(self, name: str) -> Array | None:
        """Labels (H, W) of uint8 in the classes of the reference; None for an image without a second mask."""
        return read_labels(self.samples[name], self.convention) if name in self.samples else None


def open_other_observer(dataset: Dataset, samples: Sequence[Sample]) -> OtherObserver:
    """Open the masks of a second observer.

    They are read like masks of another data set: their values may differ from those of the reference.

    Args:
        dataset: The data set, with the convention of its masks.
        samples: The samples to look at.

    Returns:
        The masks that can be used; no samples if there are none.
    """
    named = [
        replace(sample, masks={"": sample.other_observer}, more_masks={}, other_observer=None)
        for sample in samples
        if sample.other_observer is not None
    ]
    if named and dataset.convention.kind == "folders" and dataset.convention.num_classes > _ONE_CLASS:
        return OtherObserver({}, dataset.convention, warnings=(
            f"the second observer's masks are not scored, as {named[0].masks['']}: an image has one file of "
            "them, and one for each class of the reference",
        ))  # fmt: skip
    scans, problems = scan_samples(named)
    warnings: tuple[str, ...] = ()
    if problems:
        warnings = (f"{len(problems)} of {len(named)} masks of the second observer are not scored: "
                     f"{problems[0].message}",)  # fmt: skip
    if not scans:
        return OtherObserver({}, dataset.convention, warnings=warnings)
    try:
        convention, mask_notes = fit_convention(dataset.convention, [scan.masks[""] for scan in scans], {})
    except InputError as refusal:
        warnings += (f"the second observer's masks are not scored: {refusal}",)
        return OtherObserver({}, dataset.convention, warnings=warnings)
    notes = tuple(f"second observer: {line}" for line in mask_notes[:1])
    return OtherObserver({scan.sample.name: scan.sample for scan in scans}, convention, notes, warnings)
