"""Masks as DICOM SEG: objects of the patient's own study, which archives keep and viewers lay over the image.

A segment is a class, and its pixels are bits (BINARY), which all viewers read. Who the patient is goes from the header
of the image into that of the mask, where the standard has it, and nowhere else: no error of a library, which may quote
what it found, is passed on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import amsunet
from amsunet.atomic_io import atomic_write
from amsunet.data.containers import find_address
from amsunet.data.dicom_file import is_dicom, is_dicom_archive, open_dicom
from amsunet.data.overlay import colour_of
from amsunet.data.readers.dicom import frame_of
from amsunet.data.readers.dicom_archive import within
from amsunet.data.readers.dicom_header import find_spacing, open_dataset, quietly, read_header
from amsunet.errors import InputError
from amsunet.inference.objects import Objects
from amsunet.inference.result_formats import NOT_WRITABLE
from amsunet.inference.segmentation import Segmentation
from amsunet.optional import require

highdicom, pydicom = require("highdicom"), require("pydicom")

suffix = ".dcm"
joined = "seg-series"
"""A folder: a file for each series of which several images have masks."""

_SERIES_NUMBER = 300
"""Behind those of the scanner, which counts from 1."""
_MAY_BE_EMPTY = ("PatientID", "PatientName", "AccessionNumber", "StudyID", "ReferringPhysicianName", "Modality")
_OF_SERIES = ("SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns", "ImageOrientationPatient")
_SEXES = ("M", "F", "O")
_LONGEST_LABEL = 64
_OTHERS = "leave that form out, for a mask in PNG, or take nifti in its place"


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
    with _refusing(image):
        source, frame = _read_source(image)
        if frame is None:
            _set_thickness(source, image)
        _save(_segmentation([result], [source], frame, path), path)


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
    with _refusing(images[0]):
        sources = [_read_source(image)[0] for image in images]
        series = [tuple(map(str, (source.get(name) for name in _OF_SERIES))) for source in sources]
        usual = series.index(max(series, key=series.count))
        for image, source, of_image in zip(images, sources, series, strict=True):
            if "ImagePositionPatient" not in source:
                raise _refusal(image, "is no slice with a place in the patient")
            if of_image != series[usual]:
                raise _refusal(image, f"is not a slice of the series of {images[usual]}")
        places = [source.ImagePositionPatient for source in sources]
        distance, _ = highdicom.spatial.get_volume_positions(places, sources[0].ImageOrientationPatient)
        for image, source in zip(images, sources, strict=True):
            _set_thickness(source, image, distance if len(sources) > 1 else None)
        _save(_segmentation([results[image] for image in images], sources, None, path), path)


@contextmanager
def _refusing(image: Path) -> Iterator[None]:
    """Turn any error of pydicom and highdicom within, which may quote the header, into one that does not."""
    try:
        with quietly():
            yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception:  # of headers that are not as the standard has them: ValueError, AttributeError, LookupError, ...
        raise _refusal(image, "has a header that the standard has no mask for") from None


def _save(seg: Any, path: Path) -> None:
    with atomic_write(path, durable=False) as temporary:
        seg.save_as(temporary, enforce_file_format=True)


def _read_source(image: Path) -> tuple[Any, int | None]:
    """The header of the image as a mask needs it, and the number of the frame, from 1 on, if it has several."""
    file, place = _locate(image)
    known = read_header(file)
    frame = frame_of(file, place, known)
    with open_dicom(file) as opened:
        source = open_dataset(file, opened, stop_before_pixels=True)
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not source.get(name):
            raise _refusal(image, f"does not say which study it is of ({name})")
    _conform(source)
    if place or "PerFrameFunctionalGroupsSequence" in source:
        _keep_frame(source, frame, image)
        return source, frame + 1
    if find_spacing(known, frame) is None and "PixelSpacing" in source:
        del source.PixelSpacing  # zero, which stands for nothing
    if "FrameOfReferenceUID" in source and not source.get("ImagePositionPatient"):
        del source.FrameOfReferenceUID  # positions are counted from somewhere, and there are none
    if "FrameOfReferenceUID" not in source and source.get("ImagePositionPatient"):
        raise _refusal(image, "does not say from where its position is counted (FrameOfReferenceUID)")
    return source, None


def _set_thickness(source: Any, image: Path, distance: float | None = None) -> None:
    """Set how thick a slice with a place in the patient is, and how far from the next: the same if one is unknown."""
    if "FrameOfReferenceUID" not in source:
        return
    distance = distance or source.get("SpacingBetweenSlices")
    if not (thickness := source.get("SliceThickness") or distance):
        raise _refusal(image, "does not say how thick its slice is (SliceThickness)")
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
        raise _refusal(image, "is not DICOM")
    return address


def _refusal(image: Path, why: str) -> InputError:
    return InputError(f"{image} {why}, and gets no DICOM SEG: {_OTHERS}", code=NOT_WRITABLE)


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
        raise _refusal(image, "is a frame without a place in the patient")
    source.NumberOfFrames = 1
    source.PerFrameFunctionalGroupsSequence = [own[frame]]
    own[frame].PlanePositionSequence = places["PlanePositionSequence"]
    shared[0].PlaneOrientationSequence = places["PlaneOrientationSequence"]
    shared[0].PixelMeasuresSequence = places["PixelMeasuresSequence"]
    if not places["PixelMeasuresSequence"][0].get("SliceThickness"):
        raise _refusal(image, "does not say how thick its slice is (SliceThickness)")


def _segmentation(results: Sequence[Segmentation], sources: Sequence[Any], frame: int | None, path: Path) -> Any:
    result, source = results[0], sources[0]
    masks = np.stack([one.mask for one in results])
    # The masks of a run are one series of a study, whoever writes them and in how many goes; one and the same
    # mask is one and the same object, which an archive takes twice without keeping it twice.
    series = pydicom.uid.generate_uid(entropy_srcs=[source.StudyInstanceUID, str(_folder_of(result, path).absolute())])
    of_mask = [series, source.SOPInstanceUID, str(frame), hashlib.sha256(masks.tobytes()).hexdigest()]
    seg = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=masks,
        segmentation_type="BINARY",
        segment_descriptions=[_describe(label, result) for label in range(1, len(result.class_names))],
        series_instance_uid=series,
        series_number=_SERIES_NUMBER,
        series_description="amsunet",
        sop_instance_uid=pydicom.uid.generate_uid(entropy_srcs=of_mask),
        instance_number=max(1, frame or int(source.get("InstanceNumber") or 1)),
        manufacturer="amsunet",
        manufacturer_model_name="amsunet",
        software_versions=amsunet.__version__,
        device_serial_number="none",
        content_label="SEGMENTATION",
        specific_character_set="ISO_IR 192",  # UTF-8, which holds the names of the classes too
    )
    seg.ContentCreatorName = None  # nobody's, and has to be there
    if frame is not None:
        for group in seg.PerFrameFunctionalGroupsSequence:
            group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = frame
    if "PlaneOrientationSequence" not in seg.SharedFunctionalGroupsSequence[0]:
        seg.PatientOrientation = source.get("PatientOrientation") or None  # has to be there, and may be empty
    return seg


def _folder_of(result: Segmentation, path: Path) -> Path:
    """The folder of all masks, in which the name of a result may lead into another one."""
    depth = len(Path(result.name).parts)
    return path.parents[depth - 1] if path.with_suffix("").parts[-depth:] == Path(result.name).parts else path.parent


def _describe(label: int, result: Segmentation) -> Any:
    codes = require("pydicom.sr.codedict").codes
    return highdicom.seg.SegmentDescription(
        segment_number=label,
        segment_label=result.class_names[label][:_LONGEST_LABEL],
        # Nobody was asked what a class is in the body: this is the code that 3D Slicer has for that.
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="amsunet", version=amsunet.__version__, family=codes.cid7162.ArtificialIntelligence
        ),
        display_color=highdicom.color.CIELabColor.from_rgb(*colour_of(label).tolist()),
    )
