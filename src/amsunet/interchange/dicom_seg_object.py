"""A DICOM SEG made of masks and of what is known of their images. Whatever goes wrong, no error quotes a header."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import amsunet
from amsunet.atomic_io import atomic_write
from amsunet.data.images import Array
from amsunet.data.overlay import colour_of
from amsunet.data.readers.dicom_header import quietly
from amsunet.errors import InputError
from amsunet.inference.result_formats import NOT_WRITABLE
from amsunet.optional import require

highdicom, pydicom = require("highdicom"), require("pydicom")

_SERIES_NUMBER = 300
"""Behind those of the scanner, which counts from 1."""
_LONGEST_LABEL = 64
_OTHERS = "leave that form out, for a mask in PNG, or take nifti in its place"


@contextmanager
def refusing(image: Path) -> Iterator[None]:
    """Turn any error of pydicom and highdicom within, which may quote the header, into one that does not."""
    try:
        with quietly():
            yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception:  # of headers that are not as the standard has them: ValueError, AttributeError, LookupError, ...
        raise refusal(image, "has a header that the standard has no mask for") from None


def refusal(image: Path, why: str) -> InputError:
    """The sentence about an image that gets no DICOM SEG."""
    return InputError(f"{image} {why}, and gets no DICOM SEG: {_OTHERS}", code=NOT_WRITABLE)


def make_seg(
    masks: Sequence[Array], class_names: Sequence[str], sources: Sequence[Any], frames: Sequence[int], series: str
) -> Any:
    """Make a DICOM SEG.

    Args:
        masks: (H, W) of class numbers, of each image.
        class_names: Of all classes, the background first; a segment is a class.
        sources: The header of each image; of frames of one file, that of the file with what it says of them alone.
        frames: The number of each frame, from 1 on, in place of its place among ``sources``; none of single images.
        series: What masks that belong to one series have in common, beside the study.

    Returns:
        The object, ready to be saved. The same masks are the same object, which an archive takes twice without keeping
        it twice.
    """
    source, stack = sources[0], np.stack(masks)
    uid = pydicom.uid.generate_uid
    of_series = uid(entropy_srcs=[source.StudyInstanceUID, series])
    number = str(frames[0]) if frames else str(None)
    of_mask = [of_series, source.SOPInstanceUID, number, hashlib.sha256(stack.tobytes()).hexdigest()]
    seg = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=stack,
        segmentation_type="BINARY",
        segment_descriptions=[_describe(label, class_names) for label in range(1, len(class_names))],
        series_instance_uid=of_series,
        series_number=_SERIES_NUMBER,
        series_description="amsunet",
        sop_instance_uid=uid(entropy_srcs=of_mask),
        instance_number=max(1, frames[0] if frames else int(source.get("InstanceNumber") or 1)),
        manufacturer="amsunet",
        manufacturer_model_name="amsunet",
        software_versions=amsunet.__version__,
        device_serial_number="none",
        content_label="SEGMENTATION",
        specific_character_set="ISO_IR 192",  # UTF-8, which holds the names of the classes too
    )
    seg.ContentCreatorName = None  # nobody's, and has to be there
    groups = seg.PerFrameFunctionalGroupsSequence if frames else ()
    images = [group.DerivationImageSequence[0].SourceImageSequence[0] for group in groups]
    for image in {id(one): one for one in images}.values():  # highdicom has one for all segments of a frame
        image.ReferencedFrameNumber = frames[int(image.get("ReferencedFrameNumber") or 1) - 1]
    if "PlaneOrientationSequence" not in seg.SharedFunctionalGroupsSequence[0]:
        seg.PatientOrientation = source.get("PatientOrientation") or None  # has to be there, and may be empty
    return seg


def save_seg(seg: Any, path: Path) -> None:
    """Write it, wholly or not at all."""
    with atomic_write(path, durable=False) as temporary:
        seg.save_as(temporary, enforce_file_format=True)


def _describe(label: int, class_names: Sequence[str]) -> Any:
    codes = require("pydicom.sr.codedict").codes
    return highdicom.seg.SegmentDescription(
        segment_number=label,
        segment_label=class_names[label][:_LONGEST_LABEL],
        # Nobody was asked what a class is in the body: this is the code that 3D Slicer has for that.
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type="AUTOMATIC",
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="amsunet", version=amsunet.__version__, family=codes.cid7162.ArtificialIntelligence
        ),
        display_color=highdicom.color.CIELabColor.from_rgb(*colour_of(label).tolist()),
    )
