"""The images that addresses of stores name, as ``inputs`` finds those that paths name."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amsunet.data.discovery.other_formats import stem_of, without_suffix
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, find_inputs, is_input, named_apart, without_masks
from amsunet.inference.prediction_plan import size_of
from amsunet.inference.prediction_record import FileStamp, stamp
from amsunet.inference.stores import Store, is_url, version_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredImage:
    """An image in a store, or on a disk beside others that are in one."""

    place: str
    """Its address, or its path."""
    name: str
    """Of its mask."""
    size: int
    """Bytes."""
    file: FileStamp | None
    """What tells it from another one at the same place; None if nothing does."""


def find_stored(places: Sequence[str], out: str) -> list[StoredImage]:
    """Find the images that addresses, and paths beside them, name.

    An address is that of an object, of a folder of objects, or a pattern. As of folders on a disk, hidden objects,
    masks beside images and what lies below ``out`` are passed over, and no two masks get one name.

    Raises:
        InputError: If one names no image, or a store cannot be read.
    """
    found: dict[str, StoredImage] = {}
    jobs: dict[str, InputImage] = {}
    for place in places:
        if is_url(place):
            here = _in_store(place, out)
        else:
            on_disk = find_inputs([place], None if is_url(out) else Path(out))
            here = [
                (one, StoredImage(str(one.image), "", size_of(one.image) or 0, stamp(one.image))) for one in on_disk
            ]
        for job, image in here:
            found[image.place], jobs[image.place] = image, job
    named = named_apart([*jobs.values()])
    return [
        StoredImage(image.place, job.name, image.size, image.file)
        for image, job in zip(found.values(), named, strict=True)
    ]


def _in_store(address: str, out: str) -> list[tuple[InputImage, StoredImage]]:
    """The images of an address, with paths made of their keys for whatever goes by folders and names."""
    store = Store(address)
    root = _as_path(address, store.key)
    objects = {_as_path(address, key): (key, known) for key, known in sorted(store.find().items())}
    if {*objects} != {root}:  # an object that is named itself is taken as it is
        objects = _images(objects, root)
    outside = {path: one for path, one in objects.items() if not store.address_of(one[0]).startswith(f"{out}/")}
    images = []
    for path, (key, known) in (outside or objects).items():
        name = str(without_suffix(path.relative_to(root))) if root in path.parents else stem_of(path)
        image = StoredImage(store.address_of(key), name, int(known.get("size") or 0), version_of(known))
        images.append((InputImage(path, name), image))
    if not images:
        raise InputError(f"{address} names no image: check the address (objects, folders and patterns are fine)")
    return images


Objects = dict[Path, tuple[str, Mapping[str, Any]]]


def _images(objects: Objects, root: Path) -> Objects:
    """Those of a folder or a pattern that are images, by their names; what is left out is logged."""
    is_folder = any(root in path.parents for path in objects)
    below = len(root.parts) if is_folder else -1
    shown = [
        path for path in objects if is_input(path) and not any(part.startswith(".") for part in path.parts[below:])
    ]
    if left_out := len(objects) - len(shown):
        logger.info(f"note: {left_out} of {len(objects)} objects are no images by their names, and are left out")
    if is_folder:
        shown = without_masks(root, shown)
    return {path: objects[path] for path in shown}


def _as_path(address: str, key: str) -> Path:
    return Path("/", address.partition(":")[0], *key.split("/"))
