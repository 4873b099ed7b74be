"""A second observer's masks of images, read as the reference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amsunet.data.dataset import Dataset, read_labels
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks.convention import MaskConvention
from amsunet.data.masks.external import fit_convention
from amsunet.data.scan import scan_samples
from amsunet.errors import InputError


@dataclass(frozen=True)
class OtherObserver:
    """A second observer's masks that can be used, and what is to be said of them."""

    samples: dict[str, Sample]
    """By the names of the images, with the second observer's mask in place of the reference."""
    convention: MaskConvention
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def read_labels(self, name: str) -> Array | None:
        """Labels (H, W) of uint8 in the classes of the reference; None of an image without such a mask."""
        return read_labels(self.samples[name], self.convention) if name in self.samples else None


def open_other_observer(dataset: Dataset, samples: Sequence[Sample]) -> OtherObserver:
    """Open the second observer's masks of some samples; empty where there are none, or none that can be used.

    They are understood as masks of another data set are: their values may differ from those of the reference.
    """
    named = [
        replace(sample, masks={"": sample.other_observer}, more_masks={}, other_observer=None)
        for sample in samples
        if sample.other_observer is not None
    ]
    scans, problems = scan_samples(named)
    warnings: tuple[str, ...] = ()
    if problems:
        warnings = (f"{len(problems)} of {len(named)} masks of the second observer are not scored: "
                     f"{problems[0].message}",)  # fmt: skip
    if not scans:
        return OtherObserver({}, dataset.convention, warnings=warnings)
    try:
        convention, said = fit_convention(dataset.convention, [scan.masks[""] for scan in scans], {})
    except InputError as refusal:
        warnings += (f"the second observer's masks are not scored: {refusal}",)
        return OtherObserver({}, dataset.convention, warnings=warnings)
    notes = tuple(f"second observer: {line}" for line in said[:1])
    return OtherObserver({scan.sample.name: scan.sample for scan in scans}, convention, notes, warnings)
