"""A data set opened: samples that can be used, what their masks mean, and what was wrong with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import Layout, Sample, find_samples
from amsunet.data.groups import with_groups
from amsunet.data.images import Array, read_image
from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention, MaskOptions
from amsunet.data.masks.files import read_region
from amsunet.data.masks.foreign import fit_convention, unknown_value
from amsunet.data.masks.joined import open_sample_mask, refuse_two_observers
from amsunet.data.masks.rules import absent_classes, find_convention
from amsunet.data.masks.summary import MaskSummary
from amsunet.data.options import DataOptions
from amsunet.data.scan import Problem, Scan, mixed_depths, scan_samples, turned_apart
from amsunet.errors import InputError
from amsunet.wording import command, setting

_IN_DOUBT = "images with a mask in doubt"
_FEW_LEFT = 4
"""Times as many problems as usable images: to leave them out is no remedy."""


@dataclass(frozen=True)
class Dataset:
    """Images and masks that fit together.

    ``scans`` are the usable samples in the order of their paths; ``problems`` the others; ``warnings`` do not
    keep anything from being used; ``notes`` say how something was understood.
    """

    source: str
    scans: tuple[Scan, ...]
    convention: MaskConvention
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    mask_notes: tuple[str, ...] = ()
    """Those of ``notes`` that tell how masks are read."""

    @property
    def samples(self) -> list[Sample]:
        return [scan.sample for scan in self.scans]

    def checksums(self) -> dict[str, str]:
        """Checksum of the pixels, by sample name."""
        return {scan.sample.name: scan.checksum for scan in self.scans}

    def mask_checksums(self) -> dict[str, str]:
        """Checksum of the masks, by sample name."""
        return {scan.sample.name: scan.mask_checksum for scan in self.scans}

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width in pixels, by sample name."""
        return {scan.sample.name: (scan.height, scan.width) for scan in self.scans}

    def read(self, sample: Sample) -> tuple[Array, Array]:
        """Read an image (H, W, C) and its labels (H, W) of uint8, ``IGNORE_INDEX`` outside the region of interest."""
        return read_image(sample.image), self.read_labels(sample)

    def read_labels(self, sample: Sample) -> Array:
        """Labels (H, W) of uint8, ``IGNORE_INDEX`` where ignored and outside the region of interest."""
        return read_labels(sample, self.convention)

    def foreground_share(self) -> dict[str, float]:
        """Share of pixels that belong to any class but the background, by sample name."""
        return {scan.sample.name: foreground_share(scan, self.convention) for scan in self.scans}


def read_labels(sample: Sample, convention: MaskConvention) -> Array:
    """Read a sample's mask files as labels: (H, W) of uint8, ``IGNORE_INDEX`` where ignored."""
    if convention.kind == "folders":
        # A class whose file is absent has nothing in this image.
        decoded = {
            label: _decode(sample, name, convention)
            for label, name in enumerate(convention.folder_names, start=1)
            if name in sample.masks
        }
        labels = np.zeros_like(next(iter(decoded.values())))
        for label in convention.order or _smallest_last(decoded):
            if label in decoded:
                labels[decoded[label] == 1] = label
        for here in decoded.values():
            labels[here == IGNORE_INDEX] = IGNORE_INDEX
    else:
        (name,) = sample.masks
        labels = _decode(sample, name, convention)
    if sample.roi is not None:
        labels = np.where(read_region(sample.roi), labels, np.uint8(IGNORE_INDEX))
    return labels


def _decode(sample: Sample, name: str, convention: MaskConvention) -> Array:
    file = open_sample_mask(sample, name, apart=convention.kind == "instances")
    return convention.decode(file.read_as(convention.reading), sample.masks[name])


def _smallest_last(decoded: Mapping[int, Array]) -> list[int]:
    """Classes by their area in one image: the order in runs of earlier versions."""
    return sorted(decoded, key=lambda label: -int((decoded[label] == 1).sum()))


def open_dataset(
    source: str | Path,
    options: DataOptions | None = None,
    *,
    convention: MaskConvention | None = None,
    of_run: bool = False,
    allow_problems: bool = False,
) -> Dataset:
    """Find, read and understand a data set.

    Args:
        source: A folder, a CSV manifest, or ``sample:NAME``.
        options: What is set of the masks, the patients and what is broken; the rest is found out.
        convention: A trained network's, which these masks must follow.
        of_run: Whether these are the data that it was trained on.
        allow_problems: Keep the problems in the result without an error, for an audit.

    Returns:
        The samples that can be used, and what was wrong with the others.

    Raises:
        InputError: If nothing usable is found, or if something is broken and not to be skipped.
    """
    options = options or DataOptions()
    allow_problems = allow_problems or options.skip_broken
    path = locate(source)
    layout = find_samples(path)
    samples = with_groups(layout.samples, options.group, path)
    apart = convention.kind == "instances" if convention else options.masks.instances
    scans, problems = scan_samples(samples, apart=apart)
    problems += [Problem("images without a mask", p, f"{p} has no mask") for p in layout.images_without_mask]
    problems += [
        Problem("names that are not UTF-8", Path(name), f"{name} has a name that is not UTF-8: rename the file")
        for name in layout.undecodable_names
    ]
    problems += [Problem("masks without an image", p, f"{p} has no image") for p in layout.masks_without_image]
    problems += [
        Problem(
            _IN_DOUBT,
            image,
            f"{mask} may be a mask of {image} as well: name its masks in a manifest.csv, or take that file away",
        )
        for image, mask in layout.in_doubt.items()
    ]
    if problems and not allow_problems:
        raise InputError(_note_masks(problems, len(scans), source))
    if not scans:
        raise InputError(_note_masks(problems, 0, source) if problems else f"{source} holds no image with a mask")
    refuse_two_observers([mask for scan in scans for mask in scan.masks.values()])
    remedy = f"mend the mask, or say {setting('classes')}, {setting('instances')} or {setting('threshold')}"
    if convention is None:
        remedy = f"mend the mask, or say {setting('classes')} or {setting('ignore_value')}"
        convention, said = _find_convention(scans, _class_names(layout, scans), options.masks)
    else:
        convention, said = fit_convention(
            convention, *_masks_by_class(scans, _class_names(layout, scans)), of_run=of_run
        )
    scans = [scan.read_as(convention.reading) for scan in scans]
    notes = [*layout.notes, *said]
    absent = absent_classes([mask for scan in scans for mask in scan.masks.values()], convention)
    scans, with_unknown_values = _with_known_values(scans, convention, remedy)
    if with_unknown_values and not allow_problems:
        raise InputError(_note_masks(with_unknown_values, len(scans), source))
    problems += with_unknown_values
    warnings = [*layout.warnings, *absent, *mixed_depths(scans), *turned_apart(scans)]
    return Dataset(str(source), tuple(scans), convention, tuple(problems), tuple(warnings), tuple(notes), tuple(said))


def _class_names(layout: Layout, scans: list[Scan]) -> tuple[str, ...]:
    """The classes that folders name; a single folder of masks with several values names none."""
    several = any(len(mask.foreground) > 1 for scan in scans for mask in scan.masks.values())
    return () if len(layout.class_names) == 1 and several else layout.class_names


def _find_convention(
    scans: list[Scan], class_names: tuple[str, ...], options: MaskOptions
) -> tuple[MaskConvention, list[str]]:
    masks, by_class = _masks_by_class(scans, class_names)
    if by_class:
        convention, said = find_folder_convention(by_class, options, [scan.masks for scan in scans])
    else:
        convention, said = find_convention(masks, options)
    read = [scan.read_as(convention.reading) for scan in scans]
    if convention.num_classes == 2 and all(foreground_share(scan, convention) == 1 for scan in read):
        raise InputError(
            f"{masks[0].path} and all other masks are foreground in every pixel ({convention}): nothing can be learned "
            "from that"
        )
    return convention, said


def _masks_by_class(
    scans: list[Scan], class_names: tuple[str, ...]
) -> tuple[list[MaskSummary], dict[str, list[MaskSummary]]]:
    """All masks, and where each class has a folder, by the folder's name."""
    masks = [mask for scan in scans for mask in scan.masks.values()]
    return masks, {name: [scan.masks[name] for scan in scans if name in scan.masks] for name in class_names}


def _with_known_values(scans: list[Scan], convention: MaskConvention, remedy: str) -> tuple[list[Scan], list[Problem]]:
    """Part the samples whose masks the convention can read from the others.

    Raises: InputError if it can read none.
    """
    good, problems = [], []
    for scan in scans:
        found = ((mask.path, _with_unknown_values(mask, convention)) for mask in scan.masks.values())
        path, with_unknown_values = next(
            ((path, with_unknown_values) for path, with_unknown_values in found if with_unknown_values), (None, "")
        )
        if path is None:
            good.append(scan)
        else:
            problems.append(Problem("masks with strange values", path, f"{with_unknown_values}: {remedy}"))
    if not good:
        raise InputError(_note_masks(problems, 0))
    return good, problems


def _with_unknown_values(mask: MaskSummary, convention: MaskConvention) -> str:
    """What of a mask the convention cannot read: the beginning of a sentence, or nothing."""
    unknown = unknown_value(mask, convention)
    if unknown is None:
        return ""
    if mask.colour and convention.kind != "colours":
        return f"{mask.path} is a colour mask while others are grey"
    return convention.describe_unknown_value(mask.path, unknown)


def foreground_share(scan: Scan, convention: MaskConvention) -> float:
    """Share of a sample's pixels that belong to any class but the background, from the scan alone."""
    shares = []
    for mask in scan.masks.values():
        counted = sum(n for value, n in mask.counts.items() if convention.is_foreground(value, colour=mask.colour))
        shares.append(counted / max(1, sum(mask.counts.values())))
    return min(1.0, sum(shares))


def _note_masks(problems: list[Problem], left: int, source: str | Path = "DATA") -> str:
    """Name the first problem and count all. To leave them out is advised only where enough images are left and none of
    those left out may be fine.
    """
    in_doubt = [problem for problem in problems if problem.kind == _IN_DOUBT]
    counts = Counter(problem.kind for problem in problems)
    told = "; ".join(f"{kind}: {count}" for kind, count in counts.items())
    more = f" ({told})" if len(problems) > 1 else ""
    advice = "amsunet check lists all"
    if in_doubt:
        advice += f", {command('draft_manifest', source)} drafts a manifest.csv to be mended"
    elif left > len(problems) / _FEW_LEFT:
        advice += f", {setting(skip_broken=True)} leaves them out"
    else:
        advice += f"; of the images {left or 'none'} can be used as they are"
    return f"{(in_doubt or problems)[0].message}{more}; {advice}"
