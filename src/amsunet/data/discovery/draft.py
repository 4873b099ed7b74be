"""A draft of a manifest from what was found, to be edited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import find_all
from amsunet.data.discovery.manifest import write_manifest
from amsunet.errors import InputError


@dataclass(frozen=True)
class Draft:
    """What was written."""

    path: Path
    images: int
    with_mask: int
    next_source: str
    """What a command is to be given to follow the manifest."""


def draft_manifest(source: str | Path, path: Path | None = None) -> Draft:
    """Write which mask belongs to which image as a manifest; where nothing was found, the images alone.

    Args:
        path: ``manifest.csv`` in the data set's folder if left out, which every command follows from then on.

    Raises: InputError if there are no images, or a file is there already.
    """
    folder = locate(source)
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: name the folder of the data set to write a manifest of")
    target = path or folder / "manifest.csv"
    if target.is_dir():
        target /= "manifest.csv"
    layout = find_all(folder)
    write_manifest(target, layout)
    images = len(layout.samples) + len(layout.images_without_mask)
    own = target.absolute() == (folder / "manifest.csv").absolute()
    return Draft(target, images, len(layout.samples), str(source) if own else str(target))
