"""Images in a zip of DICOM files: ``case.zip/IM0001``, of a file of several ``case.zip/cine.dcm/frame003``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy.typing as npt

from amsunet.data.dicom_file import members
from amsunet.data.readers import dicom
from amsunet.errors import InputError

_FRAME = re.compile(r"(.+)/(frame\d+)")


def places(file: Path) -> list[str]:
    """The images in a zip, see ``containers.Reader``; what holds none is left out."""
    found = []
    for name in members(file):
        try:
            frames = dicom.places(file / name)
        except InputError:  # a report, a plan, ...
            continue
        found += [f"{name}/{frame}" if frame else name for frame in frames]
    return found


def size(file: Path, place: str) -> tuple[int, int]:
    """Height and width of an image, see ``containers.Reader``."""
    return dicom.size(*within(file, place))


def spacing(file: Path, place: str) -> tuple[float, float] | None:
    """Millimetres a pixel, see ``containers.Reader``."""
    return dicom.spacing(*within(file, place))


def slice_distance(file: Path, place: str) -> float | None:
    """Millimetres from a slice to the next, see ``dicom.slice_distance``."""
    return dicom.slice_distance(*within(file, place))


def slice_position(file: Path, place: str) -> float | None:
    """Millimetres along the line on which slices follow each other, see ``dicom.slice_position``."""
    return dicom.slice_position(*within(file, place))


def modality(file: Path, place: str) -> str:
    """What an image was taken with, see ``dicom.modality``."""
    return dicom.modality(*within(file, place))


def read(file: Path, place: str) -> npt.NDArray[Any]:
    """An image, see ``containers.Reader``."""
    return dicom.read(*within(file, place))


def read_labels(file: Path, place: str) -> npt.NDArray[Any]:
    """A mask, see ``containers.Reader``."""
    return dicom.read_labels(*within(file, place))


def within(file: Path, place: str) -> tuple[Path, str]:
    """The file in a zip, and the image in it.

    Args:
        file: The zip.
        place: As ``places`` names it.

    Raises:
        InputError: If no image is named.
    """
    if not place:
        raise InputError(f"{file} holds several images: name one, as {file / next(iter(places(file)), '')}")
    found = _FRAME.fullmatch(place)
    return (file / found[1], found[2]) if found else (file / place, "")
