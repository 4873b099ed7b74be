"""DICOM as a data set: which image a DICOM SEG was drawn on, what its segments are called, and whose image it is.

A SEG names its images by their UIDs, so names of files and folders do not matter. Who a patient is does not leave the
file: the group of a sample is a checksum.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amsunet.data.containers import addresses, file_of, is_read_as_dicom
from amsunet.data.discovery.sample import Layout, NamedClasses, Sample
from amsunet.data.discovery.tree import Tree
from amsunet.errors import InputError
from amsunet.safe_text import name_problem

_PATIENT, _DIGITS = "patient-", 8
_BACKGROUND = "background"
_POSITION = "ImagePositionPatient"


def pair_segmentations(tree: Tree, layout: Layout) -> None:
    """Pair DICOM images with the DICOM SEG that were drawn on them, and take both from the pictures of a folder.

    Args:
        tree: Of the folder.
        layout: Gets the samples, the names of the classes, and masks that cannot be used.
    """
    headers = _read_headers([path for path in tree.pictures if is_read_as_dicom(path)])
    masks = {path: header for path, header in headers.items() if _is_mask(header)}
    if not masks:
        return
    images = {str(header.get("SOPInstanceUID")): path for path, header in headers.items() if path not in masks}
    drawn = _by_image(_of_one_numbering(masks, layout), images, layout)
    for image, mask in sorted(drawn.items()):
        try:
            layout.samples += _samples(image, headers[image], mask)
        except InputError as error:
            layout.problems.append(("masks without the place of their images", image, str(error)))
    used = {*masks, *drawn}
    tree.pictures = [path for path in tree.pictures if path not in used]
    if drawn:
        layout.notes.append(
            f"{len(drawn)} DICOM images have their masks in {len(masks)} DICOM SEG, which name them: the classes are "
            f"the segments ({', '.join(layout.named_classes.names[1:]) if layout.named_classes else ''})"
        )


def name_patients(layout: Layout) -> None:
    """Group the samples whose images are DICOM by patient, unless the data set names patients itself, and slices by
    series.

    Args:
        layout: Its samples get groups, and slices of a series its name.
    """
    files = {sample.image: file_of(sample.image) for sample in layout.samples}
    headers = _read_headers({file for file in files.values() if is_read_as_dicom(file)})
    series = {image: _series_of(headers[file]) for image, file in files.items() if file in headers and image == file}
    slices = Counter(series.values())
    layout.samples = [
        replace(
            sample,
            group=sample.group or patient_of(headers[files[sample.image]]),
            volume=sample.volume or (name if slices[name := series.get(sample.image)] > 1 else None),
        )
        if files[sample.image] in headers
        else sample
        for sample in layout.samples
    ]
    if known := {sample.group for sample in layout.samples if (sample.group or "").startswith(_PATIENT)}:
        layout.notes.append(
            f"{len(known)} patients are told apart by the numbers in their DICOM files, and are called by checksums of "
            "them"
        )


def patient_of(header: Any) -> str | None:
    """What a patient is called: a checksum of the number in a header, which tells patients apart and names none."""
    number = str(header.get("PatientID") or "").strip()
    return f"{_PATIENT}{_checksum(number)}" if number else None


def _series_of(header: Any) -> str | None:
    """What the series of a slice is called; None of an image without a place in the patient."""
    series = str(header.get("SeriesInstanceUID") or "") if header.get(_POSITION) else ""
    return f"series-{_checksum(series)}" if series else None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _read_headers(files: Iterable[Path]) -> dict[Path, Any]:
    """The headers of those that can be read; the scan says what is wrong with the others."""
    from amsunet.data.readers.dicom_header import read_header  # noqa: PLC0415 - where there are any

    found = {}
    for path in files:
        try:
            found[path] = read_header(path)
        except (InputError, OSError, ValueError):
            continue
    return found


def _is_mask(header: Any) -> bool:
    from amsunet.data.readers.dicom_segments import is_segmentation  # noqa: PLC0415 - where there are any

    return is_segmentation(header)


def _of_one_numbering(masks: Iterable[Path], layout: Layout) -> list[Path]:
    """The masks whose segments are numbered alike; the others become problems."""
    from amsunet.data.readers.dicom_segments import segments_of  # noqa: PLC0415 - where there are any

    names: dict[int, tuple[str, Path]] = {}
    kept = []
    for mask in sorted(masks):
        try:
            own = segments_of(mask).names
        except (InputError, ValueError, AttributeError) as error:
            layout.problems.append(("unreadable files", mask, str(error)))
            continue
        other = next((number for number, name in own.items() if names.get(number, (name,))[0] != name), None)
        if other is not None:
            name, first = names[other]
            layout.problems.append((
                "masks with other class numbers", mask,
                f"{mask} calls segment {other} {own[other]}, and {first} {name}: number segments alike",
            ))  # fmt: skip
            continue
        names = {number: (name, mask) for number, name in own.items()} | names
        kept.append(mask)
    numbers = sorted(names)
    called = [_class_name(names[number][0], number) for number in numbers]
    if len({*called}) == len(called):
        layout.named_classes = NamedClasses((0, *numbers), (_BACKGROUND, *called))
    return kept


def _class_name(label: str, number: int) -> str:
    label = label.replace("/", " ").replace("\\", " ").strip()
    return label if label.lower() != _BACKGROUND and not name_problem(label) else f"segment {number}"


def _by_image(masks: Sequence[Path], images: dict[str, Path], layout: Layout) -> dict[Path, Path]:
    """The mask of each image."""
    from amsunet.data.readers.dicom_segments import segments_of  # noqa: PLC0415 - where there are any

    found: dict[Path, list[Path]] = defaultdict(list)
    for mask in masks:
        here = [uid for uid in segments_of(mask).images if uid in images]
        if not here:
            layout.masks_without_image.append(mask)
        for uid in here:
            found[images[uid]].append(mask)
    for image, several in found.items():
        if len(several) > 1:
            one, other = several[:2]
            layout.problems.append((
                "images with several DICOM SEG", image,
                f"{image} has a mask in {one} and in {other}: keep one, or put their segments into one",
            ))  # fmt: skip
    return {image: several[0] for image, several in found.items() if len(several) == 1}


def _samples(image: Path, header: Any, mask: Path) -> list[Sample]:
    """A sample for the image in a file, or for each of its frames."""
    from amsunet.data.readers.dicom_header import functional_group, numbers_in  # noqa: PLC0415 - where there are any
    from amsunet.data.readers.dicom_segments import find_plane  # noqa: PLC0415

    patient = patient_of(header)
    if int(header.get("NumberOfFrames") or 1) > 1:
        own = f"{image.stem}-{_checksum(str(header.SOPInstanceUID))}"  # names of files repeat
        placed = (functional_group(header, frame, "PlanePositionSequence") for frame in itertools.count())
        return [
            Sample(
                f"{image.stem}_{frame.name}",
                frame,
                {"": mask / find_plane(mask, frame.name, numbers_in(place, _POSITION, 3))},
                None,
                patient,
                volume=own,
            )
            for frame, place in zip(addresses(image), placed, strict=False)
        ]
    series = str(header.get("SeriesInstanceUID") or "")
    called = f"series-{_checksum(series)}" if series else None
    plane = mask / find_plane(mask, str(header.SOPInstanceUID), numbers_in(header, _POSITION, 3))
    return [Sample(image.stem, image, {"": plane}, None, patient, volume=called)]
