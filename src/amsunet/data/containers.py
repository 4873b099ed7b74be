"""Files that hold several images, as volumes and series do: an image within is named by its address, FILE/PLACE.

Whatever takes the path of an image or a mask takes an address too: ``head.nii.gz/z012`` is the slice ``z012`` of the
file ``head.nii.gz``. A file of these formats that holds one image alone is an image like any other, and its path its
address. Nothing is kept open, and readers are imported at first use.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy.typing as npt

from amsunet.data.channel_files import first_channel, split_channels
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.errors import InputError

READERS: dict[str, str] = {}
"""The module that reads files of a suffix, see ``other_formats.suffix_of``."""
STACKS = dict.fromkeys((".tif", ".tiff", ".btf"), "amsunet.data.readers.tiff")
"""The same for files that are one image, and several only where a user sets their axes."""


class Reader(Protocol):
    """The functions of a module of ``amsunet.data.readers``; each raises InputError for a file that it refuses."""

    def places(self, file: Path) -> list[str]:
        """The images in a file, in their order, from its header; ``[""]`` if it is one image."""
        ...

    def size(self, file: Path, place: str) -> tuple[int, int]:
        """Height and width of an image in pixels, from the header."""
        ...

    def read(self, file: Path, place: str) -> npt.NDArray[Any]:
        """An image, (H, W) or (H, W, C), in the values that the format defines."""
        ...

    def read_labels(self, file: Path, place: str) -> npt.NDArray[Any]:
        """A mask, (H, W), in the numbers that are stored."""
        ...

    def spacing(self, file: Path, place: str) -> tuple[float, float] | None:
        """Millimetres a pixel (rows, columns), where the file says so."""
        ...


class Address(NamedTuple):
    """An image within a file."""

    file: Path
    place: str
    """Empty where the file is one image."""

    @property
    def reader(self) -> Reader:
        """What reads the file."""
        return cast(Reader, import_module((READERS | STACKS)[suffix_of(self.file)]))


def find_address(path: Path) -> Address | None:
    """Find out whether a path leads into a file of several images, or is a file of such a format.

    Args:
        path: The path of an image; a folder that is called like such a file, as ``head.nii/``, is a folder.

    Returns:
        The file and the place within, of channels in a file each those of the first; None for any other path.
    """
    path = first_channel(path)
    for file in (path, *path.parents):
        suffix = suffix_of(file)
        if (suffix in READERS or (suffix in STACKS and file != path)) and not file.is_dir():
            return Address(file, path.relative_to(file).as_posix() if path != file else "")
    return None


def file_of(path: Path) -> Path:
    """The file on disk that an image lies in: the path itself, or that of the file of several images; of channels in a
    file each that of the first.
    """
    address = find_address(path)
    return first_channel(path) if address is None else address.file


def files_of(path: Path) -> list[Path]:
    """All files on disk that an image lies in: one, or one for each channel."""
    return [file_of(part) for part in split_channels(path).values()] or [file_of(path)]


def is_container(path: Path) -> bool:
    """Whether a file has a format that may hold several images, by its name; hidden files are not."""
    return suffix_of(path) in READERS and not path.name.startswith(".")


def addresses(file: Path) -> list[Path]:
    """The address of every image in a file of several, in their order.

    Args:
        file: For which ``is_container`` holds; of channels in a file each, the first tells the images of all.

    Raises:
        InputError: If it cannot be read, or holds no image.
    """
    first = first_channel(file)
    places = Address(first, "").reader.places(first)
    if not places:
        raise InputError(f"{file} holds no image: remove it")
    return [file / place if place else file for place in places]
