"""Open a data set: the samples that can be used, what their masks mean, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import Layout, Sample, find_samples
from amsunet.data.discovery.stacks import expand_stacks
from amsunet.data.groups import with_groups
from amsunet.data.images import Array, read_image
from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.convention import MaskConvention
from amsunet.data.masks.external import fit_convention, unknown_value
from amsunet.data.masks.joined import refuse_two_observers
from amsunet.data.masks.labels import read_labels
from amsunet.data.masks.mask_cache import MaskCache
from amsunet.data.masks.rules import absent_classes, find_convention
from amsunet.data.masks.summary import MaskSummary
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.data.pixel_grid import warn_of_turned_apart
from amsunet.data.scan import Problem, Scan, mixed_depths, scan_samples, with_same_channels
from amsunet.data.spacing import describe_spacings
from amsunet.data.volumes import expand_volumes
from amsunet.errors import InputError
from amsunet.safe_text import refuse_undecodable
from amsunet.wording import Blank, command, setting

_IN_DOUBT = "images with a mask in doubt"
_FEW_LEFT = 4
"""With at least so many problems per usable image, leaving them out is not advised."""


@dataclass(frozen=True)
class Dataset:
    """Images with their masks, ready to be read.

    ``scans`` are the usable samples in the order of their paths, and ``problems`` the others, each with the reason.
    ``convention`` is how masks are read. ``warnings`` name what may be wrong with samples that are used. ``notes``
    describe how files were interpreted; ``mask_notes`` are those on masks.
    """

    source: str
    scans: tuple[Scan, ...]
    convention: MaskConvention
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    mask_notes: tuple[str, ...] = ()
    slices: Counter[str] = field(default_factory=Counter)
    """How many slices each volume has, those that cannot be used included."""
    named_channels: tuple[str, ...] = ()
    """What the data set itself calls the channels of its images, as ``CT``."""
    masks: MaskCache = field(default_factory=MaskCache, repr=False, compare=False)
    """Mask files read before, as far as there is room."""

    @property
    def samples(self) -> list[Sample]:
        """The usable samples, in the order of their paths."""
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
        """Read an image and its labels.

        Args:
            sample: One of ``samples``.

        Returns:
            The image, (H, W, C) of the file's type, and its labels, (H, W) of uint8, ``IGNORE_INDEX`` where ignored and
            outside the field of view.

        Raises:
            InputError: If a file cannot be read.
        """
        return read_image(sample.image), self.read_labels(sample)

    def read_labels(self, sample: Sample) -> Array:
        """Read the labels, (H, W) of uint8, ``IGNORE_INDEX`` where ignored and outside the field of view."""
        return read_labels(sample, self.convention, self.masks)

    def has_foreground(self, scan: Scan) -> bool:
        """Whether the mask of a scan marks anything, found without reading it again."""
        return foreground_share(scan, self.convention) > 0

    def foreground_share(self) -> dict[str, float]:
        """Share of foreground pixels, of any class, by sample name."""
        return {scan.sample.name: foreground_share(scan, self.convention) for scan in self.scans}


def open_dataset(
    source: str | Path,
    options: DataOptions | None = None,
    *,
    convention: MaskConvention | None = None,
    of_run: bool = False,
    allow_problems: bool = False,
) -> Dataset:
    """Find the samples of a data set, read them once, and find out what their masks mean.

    Args:
        source: A folder, a CSV manifest, or ``sample:NAME``.
        options: What is set of the masks, the patients and what is broken; the rest is found out.
        convention: The convention of a trained network, which the masks must follow.
        of_run: Whether these are the data that the network was trained on.
        allow_problems: Return problems instead of raising an error, for an audit.

    Returns:
        The data set, with at least one usable sample.

    Raises:
        InputError: If no sample can be used, or if one is broken and broken ones are not skipped.
    """
    options = options or DataOptions()
    allow_problems = allow_problems or options.skip_broken
    path = refuse_undecodable(locate(source))
    layout = find_samples(path, options.channels)
    if options.axes is not None:
        expand_stacks(layout, options.axes)
    expand_volumes(layout, path, axis=options.axis, fourth_axis=options.fourth_axis)
    samples = with_groups(layout.samples, options.group, path)
    apart = convention.kind == "instances" if convention else options.masks.instances
    masks = MaskCache()
    scans, problems = scan_samples(samples, apart=apart, masks=masks, spacing=options.spacing)
    scans, of_other_channels = with_same_channels(scans)
    problems += [*of_other_channels, *_problems_of(layout)]
    if problems and not allow_problems:
        raise InputError(_refusal(problems, len(scans), source))
    if not scans:
        raise InputError(_refusal(problems, 0, source) if problems else f"{source} holds no image with a mask")
    refuse_two_observers([mask for scan in scans for mask in scan.masks.values()])
    convention, mask_notes, remedy = _convention_of(scans, layout, options.masks, convention, of_run=of_run)
    scans = [scan.read_as(convention.reading) for scan in scans]
    spacing_note, spacing_warning = describe_spacings({scan.sample.image: scan.spacing for scan in scans})
    notes = [*layout.notes, *mask_notes, *filter(None, [spacing_note])]
    absent = absent_classes([mask for scan in scans for mask in scan.masks.values()], convention)
    scans, unreadable = _with_known_values(scans, convention, remedy)
    if unreadable and not allow_problems:
        raise InputError(_refusal(unreadable, len(scans), source))
    problems += unreadable
    warnings = [*layout.warnings, *absent, *mixed_depths(scans), *warn_of_turned_apart(scans)]
    warnings += filter(None, [spacing_warning])
    return Dataset(
        str(source), tuple(scans), convention, tuple(problems), tuple(warnings), tuple(notes), tuple(mask_notes),
        Counter(sample.volume for sample in samples if sample.volume is not None), layout.channels, masks
    )  # fmt: skip


def _problems_of(layout: Layout) -> list[Problem]:
    """What is wrong with files before any is read."""
    problems = [Problem(*problem) for problem in layout.problems]
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
            f"{mask} may be a mask of {image} as well: name its masks in a manifest.csv, or remove that file",
        )
        for image, mask in layout.in_doubt.items()
    ]
    return problems


def _convention_of(
    scans: list[Scan],
    layout: Layout,
    options: MaskOptions,
    convention: MaskConvention | None,
    *,
    of_run: bool,
) -> tuple[MaskConvention, list[str], str]:
    """What all masks mean.

    Args:
        scans: Of the samples.
        layout: Which may name classes.
        options: What is set of the masks.
        convention: Of a trained network, which the masks must follow.
        of_run: As for ``open_dataset``.

    Returns:
        The convention, notes on it, and what to do about a mask that does not follow it.
    """
    named = _class_names(layout, scans)
    if convention is not None:
        remedy = f"fix the mask, or set {setting('classes')}, {setting('instances')} or {setting('threshold')}"
        return *fit_convention(convention, *_masks_by_class(scans, named), of_run=of_run), remedy
    convention, notes = _find_convention(scans, named, _with_named_classes(options, layout))
    if layout.only_class and convention.num_classes == 2 and options.class_names is None:
        convention = convention.named((layout.only_class,))
    return convention, notes, f"fix the mask, or set {setting('classes')} or {setting('ignore_value')}"


def _with_named_classes(options: MaskOptions, layout: Layout) -> MaskOptions:
    """What is set of the masks, else what the data set says of their numbers."""
    known = layout.named_classes
    if known is None or layout.class_names or options.given_values:
        return options
    names = options.class_names or known.names
    return MaskOptions(classes=known.values, class_names=names, ignore_value=known.ignore_value)


def _class_names(layout: Layout, scans: list[Scan]) -> tuple[str, ...]:
    """The classes that folders name; a single folder of masks with several values names none."""
    several = any(len(mask.foreground) > 1 for scan in scans for mask in scan.masks.values())
    return () if len(layout.class_names) == 1 and several else layout.class_names


def _find_convention(
    scans: list[Scan], class_names: tuple[str, ...], options: MaskOptions
) -> tuple[MaskConvention, list[str]]:
    masks, by_class = _masks_by_class(scans, class_names)
    if by_class:
        convention, mask_notes = find_folder_convention(by_class, options, [scan.masks for scan in scans])
    else:
        convention, mask_notes = find_convention(masks, options)
    read = [scan.read_as(convention.reading) for scan in scans]
    if convention.num_classes == 2 and all(foreground_share(scan, convention) == 1 for scan in read):
        raise InputError(
            f"{masks[0].path} and all other masks are foreground in every pixel ({convention}): nothing can be learned "
            "from that"
        )
    return convention, mask_notes


def _masks_by_class(
    scans: list[Scan], class_names: tuple[str, ...]
) -> tuple[list[MaskSummary], dict[str, list[MaskSummary]]]:
    """All masks, and where each class has a folder, by the folder's name."""
    masks = [mask for scan in scans for mask in scan.masks.values()]
    return masks, {name: [scan.masks[name] for scan in scans if name in scan.masks] for name in class_names}


def _with_known_values(scans: list[Scan], convention: MaskConvention, remedy: str) -> tuple[list[Scan], list[Problem]]:
    """Separate the samples whose masks the convention can read from the others.

    Raises:
        InputError: If it can read none.
    """
    good, problems = [], []
    for scan in scans:
        found = ((mask.path, _describe_unknown_value(mask, convention)) for mask in scan.masks.values())
        path, reason = next(((path, reason) for path, reason in found if reason), (None, ""))
        if path is None:
            good.append(scan)
        else:
            problems.append(Problem("masks with unknown values", path, f"{reason}: {remedy}"))
    if not good:
        raise InputError(_refusal(problems, 0, Blank("DATA")))
    return good, problems


def _describe_unknown_value(mask: MaskSummary, convention: MaskConvention) -> str:
    """The value of a mask that the convention cannot read, as the start of a sentence; empty if there is none."""
    unknown = unknown_value(mask, convention)
    if unknown is None:
        return ""
    if mask.colour and convention.kind != "colours":
        return f"{mask.path} is a colour mask while others are grey"
    return convention.describe_unknown_value(mask.path, unknown)


def foreground_share(scan: Scan, convention: MaskConvention) -> float:
    """Share of foreground pixels, of any class, computed from a scan without reading the mask again.

    Args:
        scan: The scan of a sample.
        convention: How its masks are read.
    """
    shares = []
    for mask in scan.masks.values():
        counted = sum(n for value, n in mask.counts.items() if convention.is_foreground(value, colour=mask.colour))
        shares.append(counted / max(1, sum(mask.counts.values())))
    return min(1.0, sum(shares))


def _refusal(problems: list[Problem], left: int, source: str | Path) -> str:
    """Name the first problem and count all. Leaving them out is advised only if enough images are left and no mask
    is in doubt.
    """
    in_doubt = [problem for problem in problems if problem.kind == _IN_DOUBT]
    counts = Counter(problem.kind for problem in problems)
    by_kind = "; ".join(f"{kind}: {count}" for kind, count in counts.items())
    more = f" ({by_kind})" if len(problems) > 1 else ""
    advice = f"{command('check', source)} lists all"
    if in_doubt:
        advice += f", {command('draft_manifest', source)} drafts a manifest.csv to edit"
    elif left > len(problems) / _FEW_LEFT:
        advice += f", {setting(skip_broken=True)} leaves them out"
    else:
        advice += f"; {left or 'none'} of the images can be used as they are"
    return f"{(in_doubt or problems)[0].message}{more}; {advice}"
