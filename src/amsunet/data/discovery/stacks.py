"""Expand TIFF files of several slices or moments into an image each, by the axes that a user set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from amsunet.data.channel_files import first_channel, image_name
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.image_file import is_tiff
from amsunet.data.readers.tiff import places_along
from amsunet.errors import InputError


def expand_stacks(layout: Layout, axes: str) -> None:
    """Put the slices and moments of every TIFF in the place of its sample.

    They are called ``NAME_z003`` and keep the group of the sample; without one, the file is their group.

    Args:
        layout: What was found in a data set; it is changed.
        axes: As ``places_along`` takes them.

    Raises:
        InputError: If a file has other axes, or a mask is not of as many slices and moments as its image.
    """
    layout.samples = [one for sample in layout.samples for one in _expanded(sample, axes)]


def planes_of(image: Path, axes: str) -> list[tuple[str, Path]]:
    """The slices and moments of an image with their addresses.

    Args:
        image: The path or address of an image.
        axes: As ``places_along`` takes them.

    Returns:
        Of each what is put behind the image's name, empty for an image that is one as it stands, and its address.
    """
    first = first_channel(image)
    if not is_tiff(first):
        return [("", image)]
    return [(place.rpartition("/")[2] if place[-1:].isdigit() else "", image / place if place else image)
            for place in places_along(first, axes)]  # fmt: skip


def _expanded(sample: Sample, axes: str) -> list[Sample]:
    planes = planes_of(sample.image, axes)
    if len(planes) == 1:
        return [replace(sample, image=planes[0][1])]
    of_masks = axes.replace("C", "").replace("S", "")
    masks = {path: _masks_of(path, of_masks, sample, len(planes)) for path in _masks(sample)}
    group = sample.group or image_name(sample.image)
    return [
        replace(
            sample,
            name=f"{sample.name}_{behind}",
            image=image,
            masks={label: masks[path][at] for label, path in sample.masks.items()},
            more_masks={label: tuple(masks[p][at] for p in paths) for label, paths in sample.more_masks.items()},
            roi=masks[sample.roi][at] if sample.roi else None,
            other_observer=masks[sample.other_observer][at] if sample.other_observer else None,
            group=group,
        )
        for at, (behind, image) in enumerate(planes)
    ]


def _masks(sample: Sample) -> set[Path]:
    more = {path for paths in sample.more_masks.values() for path in paths}
    return {*sample.masks.values(), *more, *filter(None, (sample.roi, sample.other_observer))}


def _masks_of(mask: Path, axes: str, sample: Sample, count: int) -> list[Path]:
    """The masks of an image's slices, one for each."""
    found = [address for _, address in planes_of(mask, axes)]
    if len(found) != count:
        raise InputError(
            f"{sample.image} holds {count} slices or moments, its mask {mask} {len(found)}: give it a mask of as many"
        )
    return found
