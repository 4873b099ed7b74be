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

from amsunet.data.dicom_file import ZIP, is_dicom_archive, is_unnamed, is_unnamed_dicom
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.errors import InputError

_DICOM, _DICOM_ARCHIVE = "amsunet.data.readers.dicom", "amsunet.data.readers.dicom_archive"
READERS: dict[str, str] = {
    **dict.fromkeys((".dcm", ".dicom", ".ima"), _DICOM),
}
"""The module that reads files of a suffix, see ``other_formats.suffix_of``."""
_SUFFIXES = READERS.keys() | {ZIP}


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

    # Of DICOM also ``modality(file, place) -> str``.


class Address(NamedTuple):
    """An image within a file."""

    file: Path
    place: str
    """Empty where the file is one image."""

    @property
    def reader(self) -> Reader:
        """What reads the file."""
        return cast(Reader, import_module(_module_of(self.file)))


def _module_of(file: Path) -> str:
    """The module that reads a file; empty where none does. A zip, or what has no suffix, is looked into for DICOM."""
    if (known := READERS.get(suffix_of(file))) is not None:
        return known
    if is_unnamed_dicom(file):
        return _DICOM
    return _DICOM_ARCHIVE if is_dicom_archive(file) else ""


def find_address(path: Path) -> Address | None:
    """Find out whether a path leads into a file of several images, or is a file of such a format.

    Args:
        path: The path of an image; a folder that is called like such a file, as ``head.nii/``, is a folder.

    Returns:
        The file and the place within; None for any other path.
    """
    named = [file for file in (path, *path.parents) if suffix_of(file) in _SUFFIXES]
    # Of case.zip/image.dcm the zip is the file on the disk; none is of a path that leads nowhere.
    for file in sorted(named, key=lambda file: not file.is_file()):
        if _module_of(file) and not file.is_dir():
            return Address(file, path.relative_to(file).as_posix() if path != file else "")
    for file in (path, path.parent) if is_unnamed(path) else ():
        if is_unnamed_dicom(file):
            return Address(file, path.name if path != file else "")
    return None


def file_of(path: Path) -> Path:
    """The file on disk that an image lies in: the path itself, or that of the file of several images."""
    address = find_address(path)
    return path if address is None else address.file


def is_container(path: Path) -> bool:
    """Whether a file has a format that may hold several images, by its name, or is DICOM; hidden files are not."""
    return bool(_module_of(path)) and not path.name.startswith(".")


def is_read_as_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its suffix, or by what stands in it where it has none."""
    return _module_of(path) == _DICOM and not path.name.startswith(".")


def modality_of(path: Path) -> str:
    """What an image was taken with, as ``MR`` or ``US``; empty where its file does not say so, or cannot be read.

    Args:
        path: An image file, or the address of an image.
    """
    if (address := find_address(path)) is None or not hasattr(address.reader, "modality"):
        return ""
    try:
        return str(address.reader.modality(*address))
    except (InputError, OSError):
        return ""


def addresses(file: Path) -> list[Path]:
    """The address of every image in a file of several, in their order.

    Args:
        file: For which ``is_container`` holds.

    Raises:
        InputError: If it cannot be read, or holds no image.
    """
    places = Address(file, "").reader.places(file)
    if not places:
        raise InputError(f"{file} holds no image: remove it")
    return [file / place if place else file for place in places]
