"""What the header of a DICOM file says of its images. Who the patient is is never read: only the elements named here.

pydicom warns of what is not as the standard has it, with the values it found, which may be names: it is kept quiet.
"""

from __future__ import annotations

import logging
import math
import warnings
import zlib
from collections.abc import Iterator, MutableSequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from amsunet.data.dicom_file import archive_of, has_mark, open_dicom
from amsunet.data.image_header import DEFLATE, Claim, refuse_claim, refuse_impossible
from amsunet.errors import InputError
from amsunet.optional import require
from amsunet.process_state import Borrowed, quiet

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of masks: one plane a segment, and class numbers."""
_DIRECTORY = "1.2.840.10008.1.3.10"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_MOST_INFLATED = 2 << 30
"""Bytes of a deflated file, once inflated."""
_MOST_FRAMES = 100_000
_PADDING = 256
"""Bytes that may stand behind the pixels."""
_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "Modality", "PatientID", "SeriesInstanceUID"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "PixelSpacing", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "SpacingBetweenSlices", "SequenceOfUltrasoundRegions"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("SegmentSequence", "SegmentationType", "MaximumFractionalValue", "ReferencedSeriesSequence"),
    *("ImagePositionPatient", "ImageOrientationPatient"),
)
_CENTIMETRES = 3
"""Of physical units of a region of ultrasound."""


def _ignore_warnings() -> ExitStack:
    stack = ExitStack()
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    return stack


def _heed_warnings(ignored: ExitStack | None) -> None:
    if ignored is not None:
        ignored.close()


# Python's own way to ignore warnings for a while mixes up what several threads have set.
_WITHOUT_WARNINGS = Borrowed[ExitStack | None](_ignore_warnings, _heed_warnings, None)


@contextmanager
def quietly() -> Iterator[None]:
    """Meanwhile let neither pydicom nor highdicom log or warn."""
    with quiet("pydicom", "highdicom", level=logging.CRITICAL + 1), _WITHOUT_WARNINGS():
        yield


@contextmanager
def header_errors(file: Path) -> Iterator[None]:
    """Turn any error of pydicom within, which may quote the header and so names, into one that does not.

    Args:
        file: The file, for the error.

    Raises:
        InputError: For an element that is not what it should be, sequences within sequences without end, ...
    """
    try:
        yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception:
        raise InputError(
            f"{file} is damaged (its header cannot be read): export it again, or copy it again from where it came",
            code="damaged",
        ) from None


def read_header(file: Path) -> Any:
    """Read what is needed of the header of a DICOM file.

    Args:
        file: The file.

    Returns:
        A ``pydicom.Dataset`` without pixels and without who the patient is, but for the number.

    Raises:
        InputError: If it is not DICOM, or holds no image.
    """
    found = (archive_of(file) or file).stat()
    return _read_header(file, (found.st_size, found.st_mtime_ns))


@lru_cache(4)  # every frame of a file asks for its header, which of a thousand frames takes a second
def _read_header(file: Path, stamp: tuple[int, int]) -> Any:
    with quietly(), header_errors(file), open_dicom(file) as opened:
        header = open_dataset(file, opened, specific_tags=[*_TAGS], stop_before_pixels=True)
        _refuse_other(file, header)
    return header


def open_dataset(file: Path, opened: Any, **options: Any) -> Any:
    """Parse a DICOM file by ``pydicom.dcmread``.

    Args:
        file: Its path, for errors.
        opened: The file, opened at its start.
        **options: Of ``dcmread``.

    Raises:
        InputError: If it is not DICOM, or inflates to more than can be true.
    """
    pydicom = require("pydicom")
    if not has_mark(opened):
        raise InputError(
            f"{file} is not a DICOM file, or an encrypted one (no letters DICM at byte 128): decrypt it, or "
            "save it again with the program that it came from"
        )
    meta = pydicom.filereader._read_file_meta_info(opened)
    syntax = pydicom.uid.UID(str(meta.get("TransferSyntaxUID", "")))
    if not syntax:
        raise InputError(f"{file} does not say how it is written (no transfer syntax): export it again")
    if not syntax.is_transfer_syntax:
        raise InputError(f"{file} is written as {syntax:.64}, which is not read: save it without compression")
    if syntax == _DEFLATED:
        _refuse_bomb(file, opened)
    opened.seek(0)
    return pydicom.dcmread(opened, **options)


def _refuse_bomb(file: Path, opened: Any) -> None:
    """Inflate a deflated file piece by piece before pydicom does it at once."""
    inflater, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while piece := inflater.unconsumed_tail or opened.read(1 << 16):
        total += len(inflater.decompress(piece, 1 << 20))
        if total > _MOST_INFLATED:
            raise InputError(f"{file} inflates to more than 2 GB: save it without compression")
        if inflater.eof:
            break


def _refuse_other(file: Path, header: Any) -> None:
    """Raise InputError for a file of DICOM that holds no image that can be read."""
    kind = header.file_meta.get("MediaStorageSOPClassUID", "")
    if kind == _DIRECTORY:
        raise InputError(f"{file} is the directory of a DICOM medium, not an image: name the folder that it lies in")
    if not header.get("Rows") or not header.get("Columns"):
        kind = getattr(header.get("SOPClassUID") or kind, "name", "") or "of no kind that is named"
        raise InputError(f"{file} is DICOM without an image ({kind.removesuffix(' Storage')}): leave it out")
    frames = count_frames(file, header)
    samples, native = int(header.get("SamplesPerPixel") or 1), not header.file_meta.TransferSyntaxUID.is_compressed
    is_deflated = header.file_meta.TransferSyntaxUID == _DEFLATED
    bits = samples * int(header.get("BitsAllocated") or 8)
    if "422" in str(header.get("PhotometricInterpretation")):
        bits = 2 * bits // 3
    archive = archive_of(file)
    ratio = None if archive or not native else DEFLATE if is_deflated else 1
    claim = Claim(header.Rows, header.Columns, bits, 4 * samples * 4, ratio)
    refuse_claim(archive or file, claim)
    refuse_impossible(archive or file, replace(claim, height=claim.height * frames))
    if archive is None and frames > file.stat().st_size:  # whatever packs them, each has a header
        raise InputError(
            f"{file} is damaged (it claims {frames} frames, more than its bytes): copy it again from where it came"
        )


def refuse_more_pixels(file: Path, header: Any) -> None:
    """Raise InputError if a file that is not compressed holds at least a row of pixels more than its header claims.

    Args:
        file: The file.
        header: As ``read_header`` gives it.
    """
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated or syntax == _DEFLATED:
        return
    found = (archive_of(file) or file).stat()
    stored = _stored_bytes(file, (found.st_size, found.st_mtime_ns))
    bits = int(header.get("SamplesPerPixel") or 1) * int(header.get("BitsAllocated") or 8)
    row = bits * int(header.Columns) * count_frames(file, header) / 8
    claimed = row * int(header.Rows)
    if stored - claimed >= max(row, _PADDING):
        raise InputError(
            f"{file} holds {stored:,} bytes of pixels, and its header claims {header.Rows} x {header.Columns} pixels "
            f"that take {claimed:,.0f}: the header is damaged, export the file again"
        )


@lru_cache(4)  # as of the header
def _stored_bytes(file: Path, stamp: tuple[int, int]) -> int:
    """Bytes of the pixels in a file; they are not read."""
    with quietly(), open_dicom(file) as opened:
        dataset = open_dataset(file, opened, specific_tags=["PixelData"], defer_size=_PADDING)
        found = dataset.get_item("PixelData", keep_deferred=True) if "PixelData" in dataset else None
        return int(getattr(found, "length", 0))


def count_frames(file: Path, header: Any) -> int:
    """The number of images in a file.

    Args:
        file: The file, for the error.
        header: As ``read_header`` gives it.

    Raises:
        InputError: If it is no number, or there are too many.
    """
    try:
        frames = int(header.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        frames = -1
    if not 0 < frames <= _MOST_FRAMES:
        raise InputError(f"{file} is damaged (its number of frames is no number that can be true): export it again")
    return frames


def numbers_in(header: Any, name: str, count: int) -> tuple[float, ...]:
    """The numbers of an element, as of a place in the patient.

    Args:
        header: A header, or an item of a sequence in it; None holds nothing.
        name: The keyword of the element.
        count: How many it has.

    Returns:
        The numbers; none where the element is missing, or is text that is no numbers, or another count of them.
    """
    try:
        value = None if header is None else header.get(name)
        numbers = [*map(float, value if isinstance(value, MutableSequence) else [value])]
    except (TypeError, ValueError):
        return ()
    return tuple(numbers) if len(numbers) == count and all(map(math.isfinite, numbers)) else ()


def functional_group(header: Any, frame: int, name: str) -> Any:
    """What is said of one frame, or of all of them, in a file of several.

    Args:
        header: As ``read_header`` gives it.
        frame: Its number, from 0 on.
        name: The keyword of the group's sequence.

    Returns:
        The first item of the sequence; None if there is none.
    """
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or ()
    for groups in (per_frame[frame : frame + 1], header.get("SharedFunctionalGroupsSequence") or ()):
        for group in groups:
            if items := group.get(name):
                return items[0]
    return None


def find_spacing(header: Any, frame: int) -> tuple[float, float] | None:
    """Find the size of a pixel.

    Args:
        header: As ``read_header`` gives it.
        frame: The number of the frame, from 0 on.

    Returns:
        Millimetres (rows, columns): in the patient where that is known, else at the detector, or of ultrasound where
        all regions have one; None where the file says nothing, or zero, which scanners write for it.
    """
    measures = functional_group(header, frame, "PixelMeasuresSequence")
    for values in (
        measures.get("PixelSpacing") if measures is not None else None,
        *(header.get(name) for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")),
        _of_ultrasound(header),
    ):
        if (found := _as_spacing(values)) is not None:
            return found
    return None


def _of_ultrasound(header: Any) -> tuple[float, float] | None:
    regions = header.get("SequenceOfUltrasoundRegions") or ()
    found = {
        (abs(10 * float(region.get("PhysicalDeltaY") or 0)), abs(10 * float(region.get("PhysicalDeltaX") or 0)))
        for region in regions
        if region.get("PhysicalUnitsXDirection") == region.get("PhysicalUnitsYDirection") == _CENTIMETRES
    }
    return found.pop() if len(found) == 1 else None


def _as_spacing(values: Any) -> tuple[float, float] | None:
    try:
        rows, columns = map(float, values)
    except (TypeError, ValueError):
        return None
    return (rows, columns) if 0 < rows < math.inf and 0 < columns < math.inf else None
