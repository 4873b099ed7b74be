"""Volumes of a data set: each pair of files becomes a sample a slice, all of one patient."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from amsunet.data.containers import addresses, file_of, files_of, find_address, is_container, is_volume
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.groups import propose_groups
from amsunet.data.image_file import read_errors
from amsunet.data.readers import hdf5, nifti
from amsunet.data.readers.nifti import FourthAxis
from amsunet.data.readers.nifti_volume import AXES, Axis, describe_apart, open_volume
from amsunet.errors import InputError
from amsunet.wording import setting

_PLANES: dict[str, str] = {"x": "sagittal", "y": "coronal", "z": "axial"}
_PLACE_NAME = re.compile(r"^c|^image/")
"""What of a place is not in the name of a slice."""
_MOMENT = re.compile(r"t\d+")
"""What a place begins with in a file whose fourth dimension is time: each moment is a volume."""
_KINDS = {"apart": "masks of another volume"}
"""Kinds of problems by the code of the error."""


def expand_volumes(
    layout: Layout, source: Path, *, axis: Axis | None = None, fourth_axis: FourthAxis | None = None
) -> None:
    """Put a sample for each slice in the place of one for a whole file.

    A slice is called after its file and its place, as ``NAME_z012``. Its group is the patient: what the data set names,
    else what the names of the files propose, else the file.

    Args:
        layout: Its samples are expanded; files that cannot be used become problems.
        source: The data set's folder.
        axis: That slices are cut across; that with the finest pixels of each file when left out.
        fourth_axis: What the fourth dimension of files is, where they do not say.
    """
    if not any(is_container(sample.image) for sample in layout.samples):
        return
    layout.samples = _without_channel(layout.samples)
    whole = [sample for sample in layout.samples if is_container(sample.image)]
    patients = _patients(whole, source)
    volumes: dict[Path, list[Sample]] = {}
    expanded = []
    for sample in layout.samples:
        if sample.image not in patients:
            expanded.append(sample)
            continue
        try:
            with read_errors(sample.image):
                places = _places(sample.image, axis, fourth_axis, len(layout.channels))
            slices = _slices(replace(sample, group=patients[sample.image]), places)
        except InputError as error:
            layout.problems.append((_KINDS.get(error.code, "unreadable files"), sample.image, str(error)))
            continue
        if len(slices) > 1:
            volumes[sample.image] = slices
        expanded += slices
    layout.samples = expanded
    _note(volumes, layout)


def _without_channel(samples: Sequence[Sample]) -> list[Sample]:
    """Call volumes by their case: without the channel that names of nnU-Net end in, ``NAME_0000``."""
    names = {sample.name for sample in samples}
    return [
        replace(sample, name=case)
        if is_volume(sample.image) and (case := sample.name.removesuffix("_0000")) not in names
        else sample
        for sample in samples
    ]


def _patients(whole: Sequence[Sample], source: Path) -> dict[Path, str]:
    """The patient of each file."""
    proposal = propose_groups(whole, source) if len(whole) > 1 else None
    proposed = {sample.image: sample.group for sample in proposal.samples} if proposal else {}
    return {sample.image: sample.group or proposed.get(sample.image) or sample.name for sample in whole}


def _slices(sample: Sample, places: Sequence[str]) -> list[Sample]:
    """A sample for each image in a file of several."""
    file = sample.image
    for mask in (one for one in _masks(sample) if one != file):
        with read_errors(mask):
            _refuse_other(file, mask, len(places), in_time=places[0].startswith("t"))
    if len(places) == 1 and sample.group == sample.name:  # one image a file: the patient may be in the names
        sample = replace(sample, group=None)
    if places == [""]:
        return [sample]
    moments = [found[0] if (found := _MOMENT.match(place)) else "" for place in places]
    slices = Counter(moments)
    return [
        replace(
            sample,
            name=f"{sample.name}_{_PLACE_NAME.sub('', place)}" if len(places) > 1 else sample.name,
            image=file / place,
            masks={name: _at(mask, place, file) for name, mask in sample.masks.items()},
            more_masks={
                name: tuple(_at(mask, place, file) for mask in more) for name, more in sample.more_masks.items()
            },
            roi=sample.roi and _at(sample.roi, place, file),
            other_observer=sample.other_observer and _at(sample.other_observer, place, file),
            volume=f"{sample.name}_{moment}".removesuffix("_") if slices[moment] > 1 else None,
        )
        for place, moment in zip(places, moments, strict=True)
    ]


def _places(file: Path, axis: Axis | None, fourth_axis: FourthAxis | None, channels: int) -> list[str]:
    """The images in a file; the data set may have as many channels as a volume has entries in its fourth dimension."""
    if not is_volume(file):
        return ["" if one == file else one.relative_to(file).as_posix() for one in addresses(file)]
    first, *others = files_of(file)
    volume = open_volume(first)
    if fourth_axis is None and volume.entries == channels > 1:
        fourth_axis = "channels"
    places = nifti.places(first, axis, fourth_axis)
    for other in others:
        apart = describe_apart(first, other)
        if volume.entries != open_volume(other).entries:
            apart = "differ in the fourth dimension"
        if apart or places[0].startswith("c"):
            apart = apart or "have a fourth dimension of channels each"
            raise InputError(
                f"{first} and {other} are channels of one image and {apart}: save all on one grid, a channel a file",
                code="apart",
            )
    return places


def _masks(sample: Sample) -> Iterable[Path]:
    yield from sample.masks.values()
    for more in sample.more_masks.values():
        yield from more
    yield from filter(None, (sample.roi, sample.other_observer))


def _at(mask: Path, place: str, image: Path) -> Path:
    """The part of a mask's file that belongs to a slice of the image; a mask has no channels."""
    return mask / (hdf5.label_place(place) if mask == image else place.removeprefix("c"))


def _refuse_other(image: Path, mask: Path, count: int, *, in_time: bool) -> None:
    """Raise InputError for a mask that is not of the same volume as its image."""
    if is_volume(image) and is_volume(mask):
        entries, of_mask = open_volume(file_of(image)).entries if in_time else 1, open_volume(mask).entries
        apart = describe_apart(file_of(image), mask)
        if entries != of_mask:
            apart = f"have {entries} and {of_mask} entries in the fourth dimension"
        if apart:
            raise InputError(
                f"{image} and its mask {mask} {apart}: save the mask on the grid of its image, or remove both",
                code="apart",
            )
        return
    others = len(addresses(mask)) if is_container(mask) else 1
    if others != count:
        raise InputError(
            f"{image} holds {count} images and its mask {mask} {others}: give it a mask with one image for each",
            code="apart",
        )


def _note(volumes: dict[Path, list[Sample]], layout: Layout) -> None:
    """Note how volumes were cut, and warn where it was not across one axis."""
    if not volumes:
        return
    count = sum(map(len, volumes.values()))
    patients = len({slices[0].group for slices in volumes.values()})
    axes = Counter(axis for slices in volumes.values() if (axis := _axis_of(slices[0])))
    planes = " and ".join(_PLANES[axis] for axis in axes)
    layout.notes.append(
        f"{len(volumes)} volumes are read as {count} {planes + ' ' if planes else ''}slices, each by itself (2D); "
        f"those without any foreground are kept, and the slices of a patient stay in one split ({patients} patients)"
    )
    if len(axes) > 1:
        (first, _), (other, _) = axes.most_common(2)
        one, two = (next(f for f, slices in volumes.items() if _axis_of(slices[0]) == axis) for axis in (first, other))
        layout.warnings.append(
            f"volumes differ in the axis of their finest slices: {one} is cut {_PLANES[first]}, {two} "
            f"{_PLANES[other]}; {setting(axis=first)} cuts all alike"
        )


def slice_axis(samples: Iterable[Sample]) -> Axis | None:
    """What slices are cut across; None of other images, and where samples differ."""
    axes = {_axis_of(sample) for sample in samples}
    return next((axis for axis in AXES if axes == {axis}), None)


def _axis_of(sample: Sample) -> str:
    address = find_address(sample.image)
    found = re.fullmatch(r".*([xyz])\d+", address.place) if address and is_volume(address.file) else None
    return found[1] if found else ""
