"""One image with what belongs to it, and what was found of a data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from amsunet.data.discovery.words import Split


@dataclass(frozen=True)
class Sample:
    """One image with its mask, or with one mask for each class by the class's name.

    With class folders a class may be absent from ``masks``: the image has nothing of it.
    """

    name: str
    image: Path
    masks: dict[str, Path]
    roi: Path | None = None
    group: str | None = None
    split: Split | None = None
    more_masks: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    """Further files of a mask, by the same names as in ``masks``: read with ``open_sample_mask``, which joins them."""
    other_observer: Path | None = None
    """A second observer's mask: nothing is trained on it."""


@dataclass
class Layout:
    """What was found in a folder."""

    samples: list[Sample] = field(default_factory=list)
    images_without_mask: list[Path] = field(default_factory=list)
    masks_without_image: list[Path] = field(default_factory=list)
    in_doubt: dict[Path, Path] = field(default_factory=dict)
    """Images of which it is not sure which masks are theirs, each with one that may be."""
    to_review: list[Sample] = field(default_factory=list)
    """These images with the masks that were found."""
    undecodable_names: list[str] = field(default_factory=list)
    """Names that are not UTF-8, escaped."""
    class_names: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    """How something was understood."""
    warnings: list[str] = field(default_factory=list)
    """What was left out, or guessed."""
