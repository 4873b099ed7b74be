"""Masks in DICOM SEG: which image each plane was drawn on, what its segments are called, and their pixels.

A plane is named after the image that it was drawn on: by that image's UID, or as its frame, ``frame003``, where the
images are frames of one file. A plane of which the mask does not say that much is found by its place in the patient,
and named after it. A mask of one plane needs no name.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
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
_AT = "at"
"""What the name of a plane begins with that is named after its place, and all of the name where that is not said."""
_NUMBERED = re.compile(rf"{_FRAME}(\d+)")
_NEAR = 0.01
"""Millimetres: planes that are no farther apart are one; positions are text, and rounded."""
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
        positions: Where planes lie that are found by their place: millimetres, by the name of the plane.
    """

    names: dict[int, str]
    numbers: dict[int, int]
    planes: dict[str, list[tuple[int, int]]]
    images: frozenset[str]
    positions: dict[str, tuple[float, ...]]


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
    frames = [_Plane(header, frame, numbers) for frame in range(count_frames(file, header))]
    planes, positions = _by_name(frames)
    if len(planes) == 1 and not any(place.startswith(_FRAME) for place in planes):
        planes[""] = next(iter(planes.values()))
    images = frozenset(filter(None, {*_referenced(header)}.union(*(one.images for one in frames))))
    return Segments(names, numbers, planes, images, positions)


class _Plane:
    """What the header says of one frame of a mask."""

    def __init__(self, header: Any, frame: int, numbers: dict[int, int]) -> None:
        identified = functional_group(header, frame, "SegmentIdentificationSequence")
        derived = functional_group(header, frame, "DerivationImageSequence")
        placed = functional_group(header, frame, "PlanePositionSequence")
        sources = (derived.get("SourceImageSequence") or []) if derived is not None else []
        source = sources[0] if len(sources) == 1 else None  # some name all images at every plane
        position = placed.get("ImagePositionPatient") if placed is not None else None
        named = [] if source is None else source.get("ReferencedFrameNumber")
        of_images = [int(one) for one in (named if isinstance(named, Sequence) else [named or 0])]
        self.frame = frame
        self.label = 0 if identified is None else numbers[int(identified.ReferencedSegmentNumber)]
        self.images = {str(one.get("ReferencedSOPInstanceUID") or "") for one in sources}
        self.image = "" if source is None else str(source.get("ReferencedSOPInstanceUID") or "")
        self.frame_of_image = of_images[0] if len(of_images) == 1 else 0
        self.position = tuple(map(float, position)) if position else ()


def _by_name(frames: Sequence[_Plane]) -> tuple[dict[str, list[tuple[int, int]]], dict[str, tuple[float, ...]]]:
    """The frames of each plane with their classes, and where planes lie that are named after their place."""
    of_image: dict[str, set[tuple[float, ...]]] = defaultdict(set)
    for one in frames:
        of_image[one.image].add(one.position)
    planes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    positions = {}
    for one in frames:
        if one.frame_of_image:
            name = _frame_name(one.frame_of_image)
        elif one.image and len(of_image[one.image]) == 1:
            name = one.image
        else:  # no image is named, or one file of several frames without saying which
            name = _AT + "_".join(f"{value:g}" for value in one.position)
            if one.position:
                positions[name] = one.position
        planes[name].append((one.frame, one.label))
    return dict(planes), positions


def _frame_name(number: int) -> str:
    return f"{_FRAME}{number:03}"


def find_plane(file: Path, named: str, position: Sequence[float]) -> str:
    """Find the plane of a mask that belongs to an image.

    Args:
        file: A DICOM SEG.
        named: What the mask would call it: the UID of the image, or its frame.
        position: Where the image lies, in millimetres; empty where its file does not say so.

    Returns:
        The name of the plane: ``named``, where the mask names its images or has nothing at the image's place.

    Raises:
        InputError: If the mask does not name the images of its planes, and it or the image has no place.
    """
    known = segments_of(file)
    if named in known.planes or not (known.positions or _AT in known.planes):
        return named
    if known.images == {named}:
        return ""
    if not position or _AT in known.planes:
        which = "it has" if _AT in known.planes else "an image has"
        raise InputError(
            f"{file} does not name the images of its planes, and {which} no places in the patient by which they could "
            "be found: export the mask with references to its images"
        )
    near = (name for name, where in known.positions.items() if math.dist(where, position) <= _NEAR)
    return next(near, named)


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
    if found := _NUMBERED.fullmatch(place):
        place = _frame_name(int(found[1]))
    frames = known.planes.get(place)
    of_frames = found is not None and any(one.startswith(_FRAME) or one in known.positions for one in known.planes)
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
