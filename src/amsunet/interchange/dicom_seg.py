"""Masks as DICOM SEG: objects of the patient's own study, which archives keep and viewers lay over the image.

A segment is a class, and its pixels are bits (BINARY), which all viewers read. Who the patient is goes from the header
of the image into that of the mask, where the standard has it, and nowhere else: no error of a library, which may quote
what it found, is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from amsunet.data.containers import find_address
from amsunet.data.dicom_file import is_dicom, is_dicom_archive, open_dicom
from amsunet.data.readers.dicom import frame_of
from amsunet.data.readers.dicom_archive import within
from amsunet.data.readers.dicom_header import find_spacing, open_dataset, read_header
from amsunet.errors import InputError
from amsunet.inference.objects import Objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange.dicom_seg_object import highdicom, make_seg, refusal, refusing, save_seg
from amsunet.interchange.dicom_seg_series import join_series
from amsunet.optional import require

suffix = ".dcm"
joined = "seg-series"
"""A folder: a file for each series of which several images have masks."""

_MAY_BE_EMPTY = ("PatientID", "PatientName", "AccessionNumber", "StudyID", "ReferringPhysicianName", "Modality")
_OF_SERIES = ("SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns", "ImageOrientationPatient")
_SEXES = ("M", "F", "O")


def write(result: Segmentation, objects: Objects, image: Path, path: Path) -> None:
    """Write the mask of an image that is DICOM.

    Args:
        result: The segmentation.
        objects: Not used, because a segment is a class.
        image: Where the image was read from.
        path: The file.

    Raises:
        InputError: If the image is not DICOM, or its header has no place for a mask.
    """
    with refusing(image):
        source, frame = _read_source(image)
        if frame is None:
            _set_thickness(source, image)
        frames = () if frame is None else (frame,)
        save_seg(make_seg([result.mask], result.class_names, [source], frames, _folder_of(result, path)), path)


def join(parts: Sequence[Path], path: Path) -> None:
    """Join the masks of single images into one file for each series, in a folder, see ``result_formats.Joiner``."""
    join_series(parts, path)


def write_series(results: Mapping[Path, Segmentation], path: Path) -> None:
    """Write the masks of the slices of one series into one file, which viewers show as a volume.

    Args:
        results: The segmentation of each slice by where it was read from, in any order.
        path: The file.

    Raises:
        InputError: If a slice is not DICOM or has no place in the patient, or if they are not of one series.

    Example:
        A folder of slices::

            network, slices = amsunet.load("RUN"), sorted(Path("CT").iterdir())
            write_series({image: network.predict(image) for image in slices}, Path("seg.dcm"))
    """
    if not (images := sorted(results)):
        raise InputError(f"{path} would be a mask of no slice: name the slices of a series")
    with refusing(images[0]):
        sources = [_read_source(image)[0] for image in images]
        series = [tuple(map(str, (source.get(name) for name in _OF_SERIES))) for source in sources]
        usual = series.index(max(series, key=series.count))
        for image, source, of_image in zip(images, sources, series, strict=True):
            if "ImagePositionPatient" not in source:
                raise refusal(image, "is no slice with a place in the patient")
            if of_image != series[usual]:
                raise refusal(image, f"is not a slice of the series of {images[usual]}")
        places = [source.ImagePositionPatient for source in sources]
        distance, _ = highdicom.spatial.get_volume_positions(places, sources[0].ImageOrientationPatient)
        for image, source in zip(images, sources, strict=True):
            _set_thickness(source, image, distance if len(sources) > 1 else None)
        first, masks = results[images[0]], [results[image].mask for image in images]
        save_seg(make_seg(masks, first.class_names, sources, (), _folder_of(first, path)), path)


def _read_source(image: Path) -> tuple[Any, int | None]:
    """The header of the image as a mask needs it, and the number of the frame, from 1 on, if it has several."""
    file, place = _locate(image)
    known = read_header(file)
    frame = frame_of(file, place, known)
    with open_dicom(file) as opened:
        source = open_dataset(file, opened, stop_before_pixels=True)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not source.get(name):
            raise refusal(image, f"does not say which study it is of ({name})")
    _conform(source)
    if place or "PerFrameFunctionalGroupsSequence" in source:
        _keep_frame(source, frame, image)
        return source, frame + 1
    if find_spacing(known, frame) is None and "PixelSpacing" in source:
        del source.PixelSpacing  # zero, which stands for nothing
    if "FrameOfReferenceUID" in source and not source.get("ImagePositionPatient"):
        del source.FrameOfReferenceUID  # positions are counted from somewhere, and there are none
    if "FrameOfReferenceUID" not in source and source.get("ImagePositionPatient"):
        raise refusal(image, "does not say from where its position is counted (FrameOfReferenceUID)")
    return source, None


def _set_thickness(source: Any, image: Path, distance: float | None = None) -> None:
    """Set how thick a slice with a place in the patient is, and how far from the next: the same if one is unknown."""
    if "FrameOfReferenceUID" not in source:
        return
    distance = distance or source.get("SpacingBetweenSlices")
    if not (thickness := source.get("SliceThickness") or distance):
        raise refusal(image, "does not say how thick its slice is (SliceThickness)")
    as_text = require("pydicom.valuerep").format_number_as_ds
    source.SliceThickness, source.SpacingBetweenSlices = (
        as_text(float(thickness)),
        as_text(float(distance or thickness)),
    )


def _locate(image: Path) -> tuple[Path, str]:
    """The DICOM file that an image lies in, and the image within it."""
    address = find_address(image)
    if address is not None and is_dicom_archive(address.file):
        return within(*address)
    if address is None or not is_dicom(address.file):
        raise refusal(image, "is not DICOM")
    return address


def _conform(source: Any) -> None:
    """Give a header what highdicom asks of it: elements that may be empty are there, dates are written as today."""
    for name in _MAY_BE_EMPTY:
        if name not in source:
            setattr(source, name, "")
    if source.get("PatientSex") not in _SEXES:
        source.PatientSex = ""
    valuerep = require("pydicom.valuerep")
    for name, kind, marks in (
        ("PatientBirthDate", valuerep.DA, ".-"),
        ("StudyDate", valuerep.DA, ".-"),
        ("StudyTime", valuerep.TM, ":"),
    ):
        text = str(source.get(name) or "").translate(dict.fromkeys(map(ord, marks)))
        try:
            kind(text)
        except ValueError:
            text = ""
        setattr(source, name, text)


def _keep_frame(source: Any, frame: int, image: Path) -> None:
    """Leave of a header of several frames what it says of one, with the place that it has in the patient."""
    own, shared = (source.get(f"{which}FunctionalGroupsSequence") or () for which in ("PerFrame", "Shared"))
    groups = [*own[frame : frame + 1], *shared[:1]]
    places: dict[str, Any] = {
        name: next((group[name].value for group in groups if group.get(name)), None)
        for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    }
    if "FrameOfReferenceUID" not in source or not shared or not own or None in places.values():
        raise refusal(image, "is a frame without a place in the patient")
    source.NumberOfFrames = 1
    source.PerFrameFunctionalGroupsSequence = [own[frame]]
    own[frame].PlanePositionSequence = places["PlanePositionSequence"]
    shared[0].PlaneOrientationSequence = places["PlaneOrientationSequence"]
    shared[0].PixelMeasuresSequence = places["PixelMeasuresSequence"]
    if not places["PixelMeasuresSequence"][0].get("SliceThickness"):
        raise refusal(image, "does not say how thick its slice is (SliceThickness)")


def _folder_of(result: Segmentation, path: Path) -> str:
    """The folder of all masks, which are one series, whoever writes them and in how many goes; the name of a result may
    lead into another folder within.
    """
    depth = len(Path(result.name).parts)
    folder = path.parents[depth - 1] if path.with_suffix("").parts[-depth:] == Path(result.name).parts else path.parent
    return str(folder.absolute())
