"""A data set opened: samples that can be used, what their masks mean, and what was wrong with the others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amsunet.data.duplicates import repeated_images
from amsunet.data.embedded import locate
from amsunet.data.images import Array, read_image, read_mask
from amsunet.data.layout import Sample, find_samples
from amsunet.data.masks import IGNORED, MaskConvention, MaskOptions, find_convention, refuse_soft_edges
from amsunet.data.scan import Problem, Scan, scan_samples
from amsunet.errors import InputError


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

    @property
    def samples(self) -> list[Sample]:
        return [scan.sample for scan in self.scans]

    def checksums(self) -> dict[str, str]:
        """Checksum of the pixels, by sample name."""
        return {scan.sample.name: scan.checksum for scan in self.scans}

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width in pixels, by sample name."""
        return {scan.sample.name: (scan.height, scan.width) for scan in self.scans}

    def read(self, sample: Sample) -> tuple[Array, Array]:
        """Read an image (H, W, C) and its labels (H, W) of uint8, ``IGNORED`` outside the region of interest."""
        return read_image(sample.image), self.read_labels(sample)

    def read_labels(self, sample: Sample) -> Array:
        """Labels (H, W) of uint8, ``IGNORED`` where ignored and outside the region of interest."""
        return read_labels(sample, self.convention)

    def foreground_share(self) -> dict[str, float]:
        """Share of pixels that belong to any class but the background, by sample name."""
        return {scan.sample.name: foreground_share(scan, self.convention) for scan in self.scans}


def read_labels(sample: Sample, convention: MaskConvention) -> Array:
    """Read a sample's mask files as labels: (H, W) of uint8, ``IGNORED`` where ignored."""
    if convention.kind == "folders":
        paths = [sample.masks[name] for name in convention.class_names[1:]]
        decoded = [convention.decode(read_mask(path), path) for path in paths]
        labels = np.zeros_like(decoded[0])
        # Where classes overlap the smaller one is on top: a cup in its disc, a tumour in its organ.
        for label in sorted(range(len(decoded)), key=lambda label: -int((decoded[label] == 1).sum())):
            labels[decoded[label] == 1] = label + 1
        for here in decoded:
            labels[here == IGNORED] = IGNORED
    else:
        (path,) = sample.masks.values()
        labels = convention.decode(read_mask(path), path)
    if sample.roi is not None:
        labels = np.where(read_mask(sample.roi) != 0, labels, np.uint8(IGNORED))
    return labels


def open_dataset(
    source: str | Path,
    options: MaskOptions | None = None,
    *,
    group: str | None = None,
    convention: MaskConvention | None = None,
    skip_broken: bool = False,
    allow_problems: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Find, read and understand a data set.

    Args:
        source: a folder, a CSV manifest, or ``sample:NAME``.
        options: what is said of the masks; the rest is found out.
        group: regular expression whose first group, found in an image's path from ``source`` on, names its patient.
        convention: a trained network's, which these masks must follow.
        skip_broken: leave out what cannot be used; otherwise it is an error.
        allow_problems: keep the problems in the result without an error, for an audit.
        progress: called with the samples read so far and their number.

    Raises: InputError if nothing usable is there, or if something is broken and not to be skipped.
    """
    path = locate(source)
    layout = find_samples(path)
    samples = _with_groups(layout.samples, group, path if path.is_dir() else path.parent)
    scans, problems = scan_samples(samples, progress)
    problems += [Problem("images without a mask", p, f"{p} has no mask") for p in layout.images_without_mask]
    problems += [Problem("masks without an image", p, f"{p} has no image") for p in layout.masks_without_image]
    if problems and not (skip_broken or allow_problems):
        raise InputError(_tell(problems))
    if not scans:
        raise InputError(_tell(problems) if problems else f"{source} holds no image with a mask")
    notes = list(layout.notes)
    remedy = "mend the mask, or name images whose masks have these classes"
    if convention is None:
        remedy = "mend the mask, or say --classes or --ignore-value"
        convention, said = _find_convention(scans, layout.class_names, options or MaskOptions())
        notes += said
    elif convention.kind == "folders" and tuple(layout.class_names) != convention.class_names[1:]:
        raise InputError(
            f"{source} lacks the class folders of the training data ({', '.join(convention.class_names[1:])}): "
            "give it the same folders"
        )
    scans, strange = _with_known_values(scans, convention, remedy)
    if strange and not (skip_broken or allow_problems):
        raise InputError(_tell(strange))
    problems += strange
    warnings = [*repeated_images(scans), *_guessed_groups(samples)]
    return Dataset(str(source), tuple(scans), convention, tuple(problems), tuple(warnings), tuple(notes))


def _find_convention(
    scans: list[Scan], class_names: tuple[str, ...], options: MaskOptions
) -> tuple[MaskConvention, list[str]]:
    masks = [mask for scan in scans for mask in scan.masks.values()]
    if not class_names:
        return find_convention(masks, options)
    if options.threshold is None:
        refuse_soft_edges(masks)
    if options.classes is not None or options.instances:
        raise InputError(f"{masks[0].path} lies in the folder of its class: leave --classes and --instances out")
    names = ("background", *class_names)
    convention = MaskConvention(
        kind="folders",
        values=tuple(range(len(names))),
        class_names=names,
        threshold=options.threshold,
        ignore_value=options.ignore_value,
    )
    return convention, ["where classes overlap, the smaller one counts"]


def _with_known_values(scans: list[Scan], convention: MaskConvention, remedy: str) -> tuple[list[Scan], list[Problem]]:
    """Part the samples whose masks the convention can read from the others.

    Raises: InputError if it can read none.
    """
    good, problems = [], []
    for scan in scans:
        values = {mask.path: convention.unknown_value(mask) for mask in scan.masks.values()}
        path, value = next(((path, value) for path, value in values.items() if value is not None), (None, None))
        if path is None:
            good.append(scan)
        else:
            message = (
                f"{path} holds the value {value}, which no class has (they are {list(convention.values)}): {remedy}"
            )
            problems.append(Problem("masks with strange values", path, message))
    if not good:
        raise InputError(_tell(problems))
    return good, problems


def foreground_share(scan: Scan, convention: MaskConvention) -> float:
    """Share of a sample's pixels that belong to any class but the background, from the scan alone."""
    background = convention.values[0] if convention.kind in ("values", "colours") else 0
    shares = []
    for mask in scan.masks.values():
        total = max(1, sum(mask.counts.values()))
        least = convention.threshold or 0
        counted = (
            n
            for value, n in mask.counts.items()
            if value not in (background, convention.ignore_value) and value >= least
        )
        shares.append(sum(counted) / total)
    return min(1.0, sum(shares))


def _with_groups(samples: list[Sample], pattern: str | None, root: Path) -> list[Sample]:
    if pattern is None:
        return samples
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group {pattern!r} is not a regular expression ({error}): mend it") from None
    if compiled.groups < 1:
        raise InputError(
            f"--group {pattern!r} marks nothing: put round brackets around the part that names the patient"
        )
    out = []
    for sample in samples:
        # The same wherever the data set is named from.
        path = sample.image.absolute()
        searched = (path.relative_to(root.absolute()) if path.is_relative_to(root.absolute()) else path).as_posix()
        match = compiled.search(searched)
        if match is None:
            raise InputError(f"--group {pattern!r} does not fit {searched} (in {root}): mend the pattern")
        out.append(replace(sample, group=match[1]))
    return out


def _tell(problems: list[Problem]) -> str:
    counts = Counter(problem.kind for problem in problems)
    told = "; ".join(f"{kind}: {count}" for kind, count in counts.items())
    more = f" ({told})" if len(problems) > 1 else ""
    return f"{problems[0].message}{more}; amsunet check lists all, --skip-broken leaves them out"


def _guessed_groups(samples: list[Sample]) -> list[str]:
    """Warn if names look like several images a patient, and of patients on both sides of a given split."""
    said = []
    if any(sample.group for sample in samples):
        splits: dict[str, set[str]] = defaultdict(set)
        for sample in samples:
            if sample.group:
                splits[sample.group].add("test" if sample.split == "test" else "train")
        both = [name for name, sides in splits.items() if len(sides) > 1 and any(s.split == "test" for s in samples)]
        if both:
            said.append(
                f"{len(both)} of {len(splits)} patients have images on both sides of the data set's own test split"
            )
        return said
    heads = Counter(
        match[1] for s in samples if (match := re.match(r"(.+?)[_\-](?:slice|frame|z|s|tile)?\d+$", s.name))
    )
    groups = [head for head, count in heads.items() if count > 1]
    if 1 < len(groups) < len(samples) and sum(heads[g] for g in groups) > len(samples) / 2:
        said.append(
            f"names look like {len(groups)} patients with several images each ({groups[0]}, {groups[1]}, ...): "
            r"if so, say --group '([^/]+)_\d+' to keep each on one side"
        )
    return said
