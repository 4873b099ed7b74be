"""Masks in DICOM SEG: which image each plane was drawn on, what its segments are called, and their pixels.

A plane is named after the image that it was drawn on: by that image's UID, or as its frame, ``frame003``, where the
images are frames of one file. A mask of one plane needs no name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amsunet.data.dicom_file import archive_of
from amsunet.data.readers.dicom_header import SEGMENTATIONS, count_frames, functional_group, header_errors, read_header
from amsunet.errors import InputError

Array = npt.NDArray[Any]
Decode = Callable[[int], Array]
"""The pixels of a frame, counted from 0."""

_FRAME = "frame"
_MOST_SEGMENTS = 254
_DRAW_AGAIN = "save its segments as BINARY without overlap"


@dataclass(frozen=True)
class Segments:
    """What the header of a mask says.

    Attributes:
        names: The name of each class by its number: that of the first segment of this name.
        numbers: The class of each segment.
        planes: The frames of each plane, from 0 on, each with its class; 0 where a frame holds the numbers of segments.
        images: The UIDs of the images that it was drawn on, those without a pixel of it too.
    """

    names: dict[int, str]
    numbers: dict[int, int]
    planes: dict[str, list[tuple[int, int]]]
    images: frozenset[str]


def is_segmentation(header: Any) -> bool:
    """Whether a header, as ``read_header`` gives it, is that of a mask."""
    return header.get("SOPClassUID") in SEGMENTATIONS


def segments_of(file: Path) -> Segments:
    """Read what the header of a mask says.

    Args:
        file: A DICOM SEG.

    Raises:
        InputError: If it has more segments than classes can be told apart.
    """
    found = (archive_of(file) or file).stat()
    with header_errors(file):
        return _segments_of(file, (found.st_size, found.st_mtime_ns))


@lru_cache(16)  # every plane asks for it, and the header of a volume is long
def _segments_of(file: Path, stamp: tuple[int, int]) -> Segments:
    header = read_header(file)
    described = header.get("SegmentSequence") or ()
    labels = {int(one.SegmentNumber): str(one.get("SegmentLabel") or "") for one in described if one.SegmentNumber}
    # Several segments of one name, as lesions, are one class; without a name each is its own.
    first = {label: number for number, label in sorted(labels.items(), reverse=True) if label}
    numbers = {number: first.get(label, number) for number, label in labels.items()}
    names = {number: labels[number] for number in sorted({*numbers.values()})}
    if not names or max(names) > _MOST_SEGMENTS:
        raise InputError(f"{file} has {len(labels)} segments, where a mask has 1 to {_MOST_SEGMENTS}: part it")
    planes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    sources = set()
    for frame in range(count_frames(file, header)):
        identified = functional_group(header, frame, "SegmentIdentificationSequence")
        number = 0 if identified is None else numbers[int(identified.ReferencedSegmentNumber)]
        uid, frame_of_image = _image_of(header, frame)
        sources.add(uid)
        planes[f"{_FRAME}{frame_of_image:03}" if frame_of_image else uid or _position(header, frame)].append(
            (frame, number)
        )
    if len(planes) == 1 and not any(place.startswith(_FRAME) for place in planes):
        planes[""] = next(iter(planes.values()))
    return Segments(names, numbers, dict(planes), frozenset(filter(None, {*sources, *_referenced(header)})))


def _image_of(header: Any, frame: int) -> tuple[str, int]:
    """The UID of the image that a frame was drawn on, and the number of its frame; empty and 0 where not said."""
    derived = functional_group(header, frame, "DerivationImageSequence")
    source = (derived.get("SourceImageSequence") or [None])[0] if derived is not None else None
    if source is None:
        return "", 0
    return str(source.get("ReferencedSOPInstanceUID") or ""), int(source.get("ReferencedFrameNumber") or 0)


def _position(header: Any, frame: int) -> str:
    """A plane by where it lies, for masks that name no images."""
    position = functional_group(header, frame, "PlanePositionSequence")
    values = position.get("ImagePositionPatient") if position is not None else None
    return "at" + "_".join(f"{float(value):g}" for value in values) if values else "at"


def _referenced(header: Any) -> set[str]:
    return {
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    }


def places_of(file: Path) -> list[str]:
    """The planes of a mask, in their order; ``[""]`` if there is one."""
    planes = segments_of(file).planes
    return [""] if "" in planes else [*planes]


def read_segments(file: Path, header: Any, place: str, decode: Decode) -> Array:
    """Read a plane of a mask.

    Args:
        file: A DICOM SEG.
        header: Its header.
        place: The plane, or the UID of an image that it was drawn on.
        decode: Decodes a frame.

    Returns:
        (H, W) of uint8 with the numbers of segments, 0 where there is none.

    Raises:
        InputError: If there is no such plane, or pixels are of two segments, or of a share of one.
    """
    known = segments_of(file)
    frames = known.planes.get(place)
    of_frames = place.startswith(_FRAME) and any(one.startswith(_FRAME) for one in known.planes)
    if frames is None and place not in known.images and not of_frames:
        named = f"no plane {place}" if place else f"{len(known.planes)} planes, and none is named"
        raise InputError(f"{file} holds {named}: name one, as {file / next(iter(known.planes))}")
    labels = np.zeros((int(header.Rows), int(header.Columns)), np.uint8)
    full = int(header.get("MaximumFractionalValue") or 1)
    for frame, number in frames or ():
        pixels = decode(frame)
        if number == 0:  # class numbers (LABELMAP)
            return _to_classes(pixels, known)
        inside = pixels > 0
        if header.get("SegmentationType") == "FRACTIONAL" and (pixels[inside] != full).any():
            raise InputError(f"{file} holds shares of segments (FRACTIONAL), not masks: {_DRAW_AGAIN}")
        if ((labels[inside] != 0) & (labels[inside] != number)).any():
            other = int(labels[inside & (labels != number)].max())
            raise InputError(
                f"{file} has pixels of both {known.names.get(other, other)} and {known.names.get(number, number)}: "
                f"{_DRAW_AGAIN}"
            )
        labels[inside] = number
    return labels


def _to_classes(pixels: Array, known: Segments) -> Array:
    """Numbers of segments as classes; what is no segment is background."""
    table = np.zeros(int(pixels.max(initial=0)) + 1, np.uint8)
    for number, label in known.numbers.items():
        if number < len(table):
            table[number] = label
    return np.asarray(table[pixels])
