"""NIfTI: volumes as stacks of slices, which lie as in DICOM whatever the order on the disk.

Axes are those of the patient: ``x`` runs to the left, ``y`` to the back, ``z`` to the head. ``z012`` is axial, counted
from below, with the front up and the patient's right on the left; ``y012`` is coronal and ``x012`` sagittal, head up.
In a file of four dimensions ``cz012`` has the fourth one as channels, and ``t003z012`` its entry 3.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal, NamedTuple

from amsunet.data.image_header import MAXIMUM_PIXELS
from amsunet.data.readers.nifti_volume import Array, Axis, Volume, open_volume, quietly
from amsunet.errors import InputError
from amsunet.wording import setting

FourthAxis = Literal["channels", "time"]
_PLACE = re.compile(r"(?:t(\d+)|(c))?([xyz])(\d+)")
_MOST_SLICES = 100_000
"""A header that claims more is not true."""


class _Place(NamedTuple):
    """What an address says of a slice."""

    axis: Axis
    number: int
    entry: int | None
    """Of the fourth dimension; None where that is channels, or not there."""


def places(file: Path, axis: Axis | None = None, fourth_axis: FourthAxis | None = None) -> list[str]:
    """The slices of a file; ``[""]`` of one that is a single image.

    Args:
        file: The file.
        axis: That slices are cut across; that with the finest pixels when left out.
        fourth_axis: What the fourth dimension is, where the file does not say.

    Raises:
        InputError: If it cannot be read, or has a fourth dimension of which nothing says what it is.
    """
    volume = open_volume(file)
    chosen = axis or volume.axis
    count = volume.slices(chosen)
    if count > _MOST_SLICES:
        raise InputError(f"{file} claims {count} slices: the file is damaged, copy it again from where it came")
    if volume.entries == 1 or volume.is_vector:
        return [""] if count == 1 else [f"{chosen}{index:03}" for index in range(count)]
    if fourth_axis is None:
        raise InputError(_describe_fourth(volume))
    if fourth_axis == "channels":
        return [f"c{chosen}{index:03}" for index in range(count)]
    return [f"t{entry:03}{chosen}{index:03}" for entry in range(volume.entries) for index in range(count)]


def size(file: Path, place: str) -> tuple[int, int]:
    """Rows and columns of a slice, from the header."""
    volume = open_volume(file)
    return volume.size(_parse(volume, place).axis)


def read(file: Path, place: str) -> Array:
    """A slice, (H, W) or (H, W, C), with slope and intercept applied."""
    volume = open_volume(file)
    axis, index, entry = _parse(volume, place)
    if math.prod(volume.size(axis)) > MAXIMUM_PIXELS:
        raise InputError(f"{file} claims slices of {' x '.join(map(str, volume.size(axis)))} voxels: cut it into parts")
    with quietly():
        return volume.read(axis, index, entry)


def read_labels(file: Path, place: str) -> Array:
    """A slice of a mask, (H, W), in the numbers that are stored."""
    labels = read(file, place)
    if labels.ndim > 2:
        raise InputError(f"{file} has {labels.shape[2]} values a voxel, and a mask has one: save one number a voxel")
    return labels


def spacing(file: Path, place: str) -> tuple[float, float] | None:
    """Millimetres a pixel (rows, columns) of a slice."""
    volume = open_volume(file)
    return volume.pixel(_parse(volume, place).axis)


def channel_names(file: Path, place: str) -> tuple[str, ...]:
    """Numbers in place of names: three channels of a fourth dimension are no colours. Empty of other slices."""
    volume = open_volume(file)
    return tuple(f"channel {number}" for number in range(1, volume.entries + 1)) if place.startswith("c") else ()


def slice_distance(file: Path, place: str) -> float | None:
    """Millimetres from a slice to the next."""
    volume = open_volume(file)
    return volume.distance(_parse(volume, place).axis)


def _parse(volume: Volume, place: str) -> _Place:
    """What an address says of a slice of this file.

    Raises:
        InputError: If it names none.
    """
    if not place and volume.slices(volume.axis) == 1 and (volume.entries == 1 or volume.is_vector):
        return _Place(volume.axis, 0, None)
    found = _PLACE.fullmatch(place)
    axis: Axis = found[3] if found else "z"  # type: ignore[assignment]
    entry = int(found[1]) if found and found[1] else None
    ambiguous = volume.entries > 1 and not volume.is_vector and found is not None and entry is None and not found[2]
    if not place or ambiguous:
        raise InputError(
            _describe_fourth(volume, place)
            if volume.entries > 1 and not volume.is_vector
            else f"{volume.file} is a volume of {volume.slices(volume.axis)} slices: name one, as "
            f"{volume.file / volume.axis}000"
        )
    if found is None or int(found[4]) >= volume.slices(axis) or (entry or 0) >= volume.entries:
        raise InputError(f"{volume.file / place} does not exist: the file has {volume.voxels} voxels")
    return _Place(axis, int(found[4]), entry)


def _describe_fourth(volume: Volume, place: str = "") -> str:
    remedy = f"set {setting(fourth_axis='channels')} or {setting(fourth_axis='time')}"
    if place:
        remedy = f"name {volume.file / f'c{place}'} or {volume.file / f't000{place}'}"
    return (
        f"{volume.file} has 4 dimensions ({volume.voxels} x {volume.entries}), and nothing tells whether the last is "
        f"channels or time: {remedy}"
    )
