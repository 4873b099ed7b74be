"""Write what was found in a folder as a draft of a manifest, for the user to edit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import find_all
from amsunet.data.discovery.manifest import write_manifest
from amsunet.errors import InputError


@dataclass(frozen=True)
class Draft:
    """A draft of a manifest that was written."""

    path: Path
    images: int
    with_mask: int
    next_source: str
    """The data set to pass to the next command, so that it follows the manifest."""


def draft_manifest(source: str | Path, path: Path | None = None) -> Draft:
    """Write a manifest that lists each image with the mask that was found for it; images without a mask are listed too.

    Args:
        source: The folder of the data set, or ``sample:NAME``.
        path: The file to write. By default ``manifest.csv`` in the data set's folder, which every command follows
            from then on.

    Returns:
        Where the manifest was written, and how many images and masks it names.

    Raises:
        InputError: If the folder holds no images, or the file exists already.
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
    inside = target.absolute() == (folder / "manifest.csv").absolute()
    return Draft(target, images, len(layout.samples), str(source) if inside else str(target))
