"""Files that hold several images, as volumes and series do: an image within is named by its address, FILE/PLACE.

Whatever takes the path of an image or a mask takes an address too: ``head.nii.gz/z012`` is the slice ``z012`` of the
file ``head.nii.gz``. A file of these formats that holds one image alone is an image like any other, and its path its
address. Nothing is kept open, and readers are imported at first use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy.typing as npt

from amsunet.data.channel_files import first_channel, split_channels
from amsunet.data.dicom_file import ZIP, is_dicom_archive, is_unnamed, is_unnamed_dicom
from amsunet.data.discovery.other_formats import suffix_of
from amsunet.errors import InputError

_DICOM, _DICOM_ARCHIVE = "amsunet.data.readers.dicom", "amsunet.data.readers.dicom_archive"
READERS: dict[str, str] = {
    **dict.fromkeys((".dcm", ".dicom", ".ima"), _DICOM),
    **dict.fromkeys((".nii", ".nii.gz"), "amsunet.data.readers.nifti"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "amsunet.data.readers.hdf5"),
}
"""The module that reads files of a suffix, see ``other_formats.suffix_of``."""
STACKS = dict.fromkeys((".tif", ".tiff", ".btf"), "amsunet.data.readers.tiff")
"""The same for files that are one image, and several only where a user sets their axes."""
PAIRS = frozenset({".h5", ".hdf5", ".hdf"})
"""Suffixes of files that may hold an image and its mask."""
VOLUMES = frozenset({".nii", ".nii.gz"})
"""Suffixes of volumes: each lies in space, and its mask is a file of the same kind."""
OUTLINE_SUFFIXES = frozenset({".geojson", ".json", ".roi", ".zip"})
"""Of files of outlines, which are masks and hold no images: addresses within begin with a size, see ``OUTLINES``."""
OUTLINES = "amsunet.data.readers.outlines"
"""The module that reads these addresses."""
_EVEN = 1.02
"""Factor up to which steps from slice to slice count as equal."""
_SIZE = re.compile(r"\d{1,7}x\d{1,7}(/|$)")
_SOMETIMES = STACKS.keys() | OUTLINE_SUFFIXES | {ZIP}
"""Suffixes of files of which some hold several images, or outlines."""


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

    # Of volumes also ``slice_distance(file, place) -> float | None``: millimetres from a slice to the next.
    # Of DICOM also ``modality(file, place) -> str``, and ``slice_position(file, place) -> float | None``: millimetres
    # along the line on which slices follow each other.


class Address(NamedTuple):
    """An image within a file."""

    file: Path
    place: str
    """Empty where the file is one image."""

    @property
    def reader(self) -> Reader:
        """What reads the file."""
        return cast(Reader, import_module(_module_of(self.file, self.place) or STACKS[suffix_of(self.file)]))


def find_address(path: Path) -> Address | None:
    """Find out whether a path leads into a file of several images, or is a file of such a format.

    Args:
        path: The path of an image; a folder that is called like such a file, as ``head.nii/``, is a folder.

    Returns:
        The file and the place within, of channels in a file each those of the first; None for any other path.
    """
    path = first_channel(path)
    named = [file for file in (path, *path.parents) if suffix_of(file) in READERS.keys() | _SOMETIMES]
    # Of case.zip/image.dcm the zip is the file on the disk; none is of a path that leads nowhere.
    for file in sorted(named, key=lambda file: not file.is_file()):
        place = path.relative_to(file).as_posix() if path != file else ""
        if _module_of(file, place) and not file.is_dir():
            return Address(file, place)
    for file in (path, path.parent) if is_unnamed(path) else ():
        if is_unnamed_dicom(file):
            return Address(file, path.name if path != file else "")
    return None


def is_outlined(path: Path) -> bool:
    """Whether a path is the address of a mask that outlines make."""
    address = find_address(path)
    return address is not None and _module_of(*address) == OUTLINES


def _module_of(file: Path, place: str) -> str:
    """The module that reads an image; empty where none does. A zip, or what has no suffix, is looked into for DICOM."""
    suffix = suffix_of(file)
    if suffix in OUTLINE_SUFFIXES and _SIZE.match(place):
        return OUTLINES
    if (known := (READERS | STACKS if place else READERS).get(suffix)) is not None:
        return known
    if is_unnamed_dicom(file):
        return _DICOM
    return _DICOM_ARCHIVE if is_dicom_archive(file) else ""


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
    """Whether a file has a format that may hold several images, by its name, or is DICOM; hidden files are not."""
    return bool(_module_of(path, "")) and not path.name.startswith(".")


def is_read_as_dicom(path: Path) -> bool:
    """Whether a file is read as DICOM: by its suffix, or by what stands in it where it has none."""
    return _module_of(path, "") == _DICOM and not path.name.startswith(".")


def is_volume(path: Path) -> bool:
    """Whether a path is that of a volume, by its name: of the whole file, not of a slice within."""
    address = find_address(path)
    return address is not None and not address.place and suffix_of(path) in VOLUMES


def holds_mask(path: Path) -> bool:
    """Whether a file holds an image and its mask; one that cannot be read may."""
    if suffix_of(path) not in PAIRS:
        return False
    from amsunet.data.readers import hdf5  # noqa: PLC0415 - which few need

    try:
        return hdf5.has_labels(path)
    except (InputError, OSError):  # described when it is read
        return True


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
        file: For which ``is_container`` holds; of channels in a file each, the first tells the images of all.

    Raises:
        InputError: If it cannot be read, or holds no image.
    """
    first = first_channel(file)
    places = Address(first, "").reader.places(first)
    if not places:
        raise InputError(f"{file} holds no image: remove it")
    return [file / place if place else file for place in places]


def voxel_volume(images: Sequence[Path]) -> float | None:
    """Cubic millimetres a voxel of a volume; None where files do not say so.

    Args:
        images: The addresses of its slices, in any order.
    """
    address = find_address(images[0])
    pixel = None if address is None else address.reader.spacing(*address)
    distance = _distance(images)
    return None if pixel is None or distance is None else float(pixel[0] * pixel[1] * distance)


def _distance(images: Sequence[Path]) -> float | None:
    """Millimetres from a slice to the next: by where slices lie, else as the file of one says it."""
    found = [find_address(image) for image in images]
    if any(address is None for address in found):
        return None
    known = [address for address in found if address is not None]
    position_of = getattr(known[0].reader, "slice_position", None)
    if position_of is not None:
        places = sorted(one for address in known if (one := position_of(*address)) is not None)
        steps = [after - before for before, after in pairwise(places)]
        if 0 in steps:  # several moments, of which each is a volume
            return None
        if len(places) == len(images) and steps and 0 < max(steps) <= _EVEN * min(steps):
            return float(sum(steps) / len(steps))
    distance_of = getattr(known[0].reader, "slice_distance", None)
    distance: float | None = None if distance_of is None else distance_of(*known[0])
    return distance
