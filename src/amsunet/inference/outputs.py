"""Where the results for an image go: every file that a prediction writes, known before it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amsunet.data.images import Array, write_image
from amsunet.data.masks import MaskConvention
from amsunet.errors import InputError
from amsunet.inference.result_formats import open_writer, write_forms

if TYPE_CHECKING:
    from amsunet.inference.segmentation import Segmentation


def place_below(out: Path, name: str) -> Path:
    """The file of a result, which lies below the folder of all results wherever names and links lead.

    A link that stands where the file is to be leads nowhere: it is replaced, and what it leads to stays as it is.

    Args:
        out: The folder of all results; it may be a link itself.
        name: The path of the file within it, made of names that others chose.

    Returns:
        ``out / name``.

    Raises:
        InputError: If that would lie elsewhere.
    """
    target = out / name
    try:
        home, inside = out.resolve(), target.parent.resolve().joinpath(target.name)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL
        home, inside = out, Path()
    # Since Python 3.13 a loop of links is left as it stands.
    if any(one.is_symlink() for one in inside.parents if one != home and one.is_relative_to(home)):
        inside = home
    if target.name == ".." or "\0" in name or inside == home or not inside.is_relative_to(home):
        raise InputError(
            f"{target} would not lie in {out}: rename what it is called after, or remove the link that leads out"
        )
    return target


def mask_paths(out: Path, name: str, convention: MaskConvention, suffix: str = ".png") -> list[Path]:
    """Of the masks: one file, or one in the folder of each class."""
    if convention.kind == "folders":
        return [place_below(out, f"{class_name}/{name}{suffix}") for class_name in convention.class_names[1:]]
    return [place_below(out, f"{name}{suffix}")]


def form_paths(out: Path, name: str, forms: Sequence[str]) -> dict[str, Path]:
    """Of the other forms of one result: a file in the folder of each form."""
    return {form: place_below(out, f"{form}/{name}{open_writer(form).suffix}") for form in forms}


@dataclass(frozen=True)
class Outputs:
    """The files of one image."""

    masks: list[Path]
    overlay: Path | None = None
    """Of the image with outlines."""
    probabilities: Mapping[int, Path] = field(default_factory=dict)
    """Of the probability maps, by class number: of two classes that of the foreground alone."""
    forms: Mapping[str, Path] = field(default_factory=dict)
    """For other programs, by the name of the form, see ``result_formats``."""

    @classmethod
    def of(
        cls,
        out: Path,
        name: str,
        convention: MaskConvention,
        *,
        overlay: bool = False,
        probability: bool = False,
        also: Sequence[str] = (),
    ) -> Outputs:
        """Name the files below ``out``; overlays, probability maps and other forms only where they are wanted."""
        maps = dict(enumerate(convention.class_names)) if probability else {}
        if len(maps) == 2:
            maps = {1: ""}
        return cls(
            mask_paths(out, name, convention),
            place_below(out, f"overlays/{name}.png") if overlay else None,
            {
                label: place_below(out, f"probabilities/{name}{class_name and '_'}{class_name.replace(' ', '_')}.png")
                for label, class_name in maps.items()
            },
            form_paths(out, name, also),
        )

    def __iter__(self) -> Iterator[Path]:
        yield from self.masks
        if self.overlay is not None:
            yield self.overlay
        yield from self.probabilities.values()
        yield from self.forms.values()

    def write(self, segmentation: Segmentation, image: Array | None, source: Path) -> None:
        """Write all of them.

        Args:
            segmentation: What the files show.
            image: As read; it is needed for the overlay alone.
            source: Where it was read from, which some forms repeat.
        """
        write_forms(self.forms, segmentation, source)  # first: where one is not possible there is nothing
        segmentation.write_to(self.masks)
        if self.overlay is not None and image is not None:
            write_image(self.overlay, np.asarray(segmentation.overlay(image)))
        for label, path in self.probabilities.items():
            write_image(path, (segmentation.probability[label] * 65535).round().astype(np.uint16))
