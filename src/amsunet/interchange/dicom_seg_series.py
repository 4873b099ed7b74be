"""The masks of the images of one series in one DICOM SEG, made of those of the single images.

A viewer shows it as a volume. What the header of an image says of the patient, the study and its place is in the mask
of the image too, so the images themselves are not read again and may have moved.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from amsunet.data.images import Array
from amsunet.data.readers import dicom
from amsunet.errors import InputError
from amsunet.interchange.dicom_seg_object import make_seg, pydicom, refusing, save_seg

logger = logging.getLogger(__name__)

_NAME = re.compile(r"series-[0-9a-f]{8}\.dcm")
"""Of the files in the folder: a checksum of what its images have in common, which names nobody."""

_SCANNER = "ContributingEquipmentSequence"


class _Part(NamedTuple):
    """The mask of one image."""

    header: Any
    labels: Array
    frame: int
    """From 1 on; 0 of an image that is a file."""

    @property
    def source(self) -> Any:
        """What the mask says of its image."""
        derived = self.header.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0]
        return derived.SourceImageSequence[0]

    @property
    def place(self) -> Any:
        """Where the image lies in the patient."""
        return self.header.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence

    @property
    def series(self) -> tuple[str, ...]:
        """What images of one mask have in common."""
        header, shared = self.header, self.header.SharedFunctionalGroupsSequence[0]
        values = (
            header.ReferencedSeriesSequence[0].SeriesInstanceUID,
            self.source.ReferencedSOPInstanceUID if self.frame else "",
            header.FrameOfReferenceUID,
            header.Rows,
            header.Columns,
            shared.PlaneOrientationSequence[0].ImageOrientationPatient,
            shared.PixelMeasuresSequence[0].PixelSpacing,
            *(one.SegmentLabel for one in header.SegmentSequence),
        )
        return tuple(map(str, values))


def join_series(parts: Sequence[Path], folder: Path) -> None:
    """Write ``series-CHECKSUM.dcm`` for each series of which there are masks of several images; for each plane that its
    slices lie in, if they lie in several.

    Args:
        parts: Masks of single images.
        folder: Where the files go; those of series that have no masks any more are removed.
    """
    several: dict[tuple[str, ...], dict[tuple[str, int], _Part]] = {}
    for path in parts:
        try:
            with refusing(path):
                part = _read(path)
                if part is not None:  # of one image the last
                    of_series = several.setdefault(part.series, {})
                    of_series[str(part.source.ReferencedSOPInstanceUID), part.frame] = part
        except (InputError, OSError) as error:
            logger.warning(f"{path} is left out of the masks of series: {error}")
    written = {path for series, found in several.items() if len(found) > 1
               for path in _write(series, [*found.values()], folder)}  # fmt: skip
    for path in folder.iterdir() if folder.is_dir() else ():
        if _NAME.fullmatch(path.name) and path not in written:
            path.unlink()


def _read(path: Path) -> _Part | None:
    """A mask; None of one without a place in the patient."""
    header = pydicom.dcmread(path, stop_before_pixels=True)
    if "PlaneOrientationSequence" not in header.SharedFunctionalGroupsSequence[0]:
        return None
    (place,) = dicom.places(path)
    part = _Part(header, dicom.read_labels(path, place), 0)
    return part._replace(frame=int(part.source.get("ReferencedFrameNumber") or 0))


def _write(series: tuple[str, ...], parts: Sequence[_Part], folder: Path) -> list[Path]:
    """Write the masks of one series; a series that cannot be one mask is named, and its images keep theirs."""
    # Of all of it: slices of one series may lie in several planes, and each of these gets a mask of its own.
    name = hashlib.sha256("\n".join(series).encode()).hexdigest()[:8]
    path = folder / f"series-{name}.dcm"
    try:
        with refusing(path):
            sources = [_source(part) for part in parts] if not parts[0].frame else [_source_of_frames(parts)]
            names = ("background", *(one.SegmentLabel for one in parts[0].header.SegmentSequence))
            seg = make_seg(
                [part.labels for part in parts],
                names,
                sources,
                [part.frame for part in parts] if parts[0].frame else (),
                str(folder.absolute()),
            )
            if _SCANNER in parts[0].header:  # else what made the parts would be taken for it
                seg[_SCANNER] = parts[0].header[_SCANNER]
            folder.mkdir(parents=True, exist_ok=True)
            save_seg(seg, path)
    except InputError as error:
        logger.warning(f"{error}; the masks of its images are written")
        return []
    return [path]


def _copied(part: _Part) -> Any:
    """The header of an image, as far as its mask has it."""
    source = pydicom.Dataset()
    source.update({element.tag: element for element in part.header if element.tag.group < 0x0028})
    source.Rows, source.Columns = part.header.Rows, part.header.Columns
    source.SOPClassUID = part.source.ReferencedSOPClassUID
    source.SOPInstanceUID = part.source.ReferencedSOPInstanceUID
    source.SeriesInstanceUID = part.header.ReferencedSeriesSequence[0].SeriesInstanceUID
    source.FrameOfReferenceUID = part.header.FrameOfReferenceUID
    return source


def _source(part: _Part) -> Any:
    source, shared = _copied(part), part.header.SharedFunctionalGroupsSequence[0]
    source.ImagePositionPatient = part.place[0].ImagePositionPatient
    source.ImageOrientationPatient = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    for name in ("PixelSpacing", "SliceThickness"):  # how far slices are apart follows from their places
        setattr(source, name, shared.PixelMeasuresSequence[0].get(name))
    return source


def _source_of_frames(parts: Sequence[_Part]) -> Any:
    source = _copied(parts[0])
    source.NumberOfFrames = len(parts)
    source.SharedFunctionalGroupsSequence = [parts[0].header.SharedFunctionalGroupsSequence[0]]
    groups = []
    for part in parts:
        group = pydicom.Dataset()
        group.PlanePositionSequence = part.place
        groups.append(group)
    source.PerFrameFunctionalGroupsSequence = groups
    return source
