"""One image with its masks, and all that was found in a data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.words import Split


@dataclass(frozen=True)
class Sample:
    """One image with its mask, or with one mask per class.

    Attributes:
        name: Unique in the data set.
        image: The image file.
        masks: The mask file of each class by the name of its folder, or the only mask under ``""``. A class that is
            absent has no pixel in the image.
        roi: The mask of the field of view; pixels outside are ignored.
        group: The patient.
        split: The split that the data set names.
        more_masks: Further files of a mask, by the keys of ``masks``; ``open_sample_mask`` joins them.
        other_observer: The mask of a second observer, for scores only.
        volume: What the volume is called that the image is a slice of.
    """

    name: str
    image: Path
    masks: dict[str, Path]
    roi: Path | None = None
    group: str | None = None
    split: Split | None = None
    more_masks: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    other_observer: Path | None = None
    volume: str | None = None


@dataclass(frozen=True)
class NamedClasses:
    """What the numbers of masks mean."""

    values: tuple[int, ...]
    """The background first."""
    names: tuple[str, ...]
    ignore_value: int | None = None


@dataclass
class Layout:
    """What was found in a data set."""

    samples: list[Sample] = field(default_factory=list)
    images_without_mask: list[Path] = field(default_factory=list)
    masks_without_image: list[Path] = field(default_factory=list)
    in_doubt: dict[Path, Path] = field(default_factory=dict)
    """Images whose masks are uncertain, each with a further mask that may belong to it."""
    to_review: list[Sample] = field(default_factory=list)
    """The same images with the masks that were found."""
    undecodable_names: list[str] = field(default_factory=list)
    """Names that are not UTF-8, escaped."""
    class_names: tuple[str, ...] = ()
    named_classes: NamedClasses | None = None
    """What the data set says that the numbers of masks mean."""
    channels: tuple[str, ...] = ()
    """What the data set calls the channels of its images."""
    problems: list[tuple[str, Path, str]] = field(default_factory=list)
    """Files that cannot be used: the kind of problem, the file and the sentence about it."""
    notes: list[str] = field(default_factory=list)
    """How files were interpreted."""
    warnings: list[str] = field(default_factory=list)
    """What was left out or guessed."""
