"""Outlines of COCO JSON, of many images in one file: polygons, and run lengths as numbers or text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from amsunet.data.readers.polygon_fill import OutlineError, OutsideError, Piece, fill

_MOST_BITS = 60
"""Of a run length; five more are no number of pixels, and thousands take for ever."""


class DataSet(NamedTuple):
    """What a file holds of each image, by the name of its file."""

    images: dict[str, dict[str, Any]]
    annotations: dict[str, list[tuple[str, dict[str, Any]]]]
    """With their classes."""


def parse(content: Any) -> DataSet | None:
    """The data set; None of a list of results, of captions and of any other JSON."""
    known = isinstance(content, dict) and all(isinstance(content.get(name), list) for name in ("images", "annotations"))
    if not known:
        return None
    objects = [one for one in content["annotations"] if "segmentation" in one or "bbox" in one]
    if content["annotations"] and not objects:
        return None
    names = {one["id"]: str(one["name"]) for one in content.get("categories", ())}
    images, name_of = {}, {}
    for image in content["images"]:
        name = image["file_name"]
        if not isinstance(name, str) or name in images:
            raise OutlineError(f"does not name each image once by its file ({name!r}): export it again")
        images[name], name_of[image["id"]] = image, name
    annotations: dict[str, list[tuple[str, dict[str, Any]]]] = {name: [] for name in images}
    for one in content["annotations"]:
        annotations[name_of[one["image_id"]]].append((names.get(one.get("category_id"), ""), one))
    return DataSet(images, annotations)


def find(data: DataSet) -> dict[str, list[str]]:
    """The classes of the objects of each image."""
    return {name: [class_name for class_name, _ in of_image] for name, of_image in data.annotations.items()}


def draw(data: DataSet, image: str, size: tuple[int, int]) -> Iterator[Piece]:
    """Each annotation is an object."""
    known = data.images[image]
    if (stated := (known.get("height"), known.get("width"))) != size and None not in stated:
        raise OutsideError(f"{image} has {stated[1]} x {stated[0]} pixels there, and its file {size[1]} x {size[0]}")
    for class_name, one in data.annotations[image]:
        yield _piece(class_name, one.get("segmentation"), size, image)


def _piece(class_name: str, drawn: Any, size: tuple[int, int], image: str) -> Piece:
    if not drawn:
        raise OutlineError(f"has an object of {image} without a segmentation (a box alone): draw it, or remove it")
    if isinstance(drawn, dict):
        if tuple(drawn["size"]) != size:
            raise OutsideError(f"an object has run lengths of {drawn['size'][1]} x {drawn['size'][0]} pixels")
        return _of_run_lengths(class_name, drawn["counts"], size)
    rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in drawn]
    if not any(len(ring) > 2 for ring in rings):
        raise OutlineError(f"has an object of {image} drawn as a line, which marks no area: draw it, or remove it")
    pieces = [fill(class_name, [ring], size) for ring in rings]
    if len(pieces) == 1:
        return pieces[0]
    whole = np.zeros(size, np.bool_)
    for one in pieces:  # several polygons are united
        height, width = one.inside.shape
        whole[one.top : one.top + height, one.left : one.left + width] |= one.inside
    return Piece(class_name, 0, 0, whole)


def _of_run_lengths(class_name: str, counts: list[int] | str, size: tuple[int, int]) -> Piece:
    """The columns from the first to the last one of an object."""
    height, whole = size[0], size[0] * size[1]
    lengths = np.asarray(_unpacked(counts) if isinstance(counts, str) else counts, np.int64)
    if ((lengths < 0) | (lengths > whole)).any() or lengths.sum() != whole:
        raise OutlineError("has run lengths that do not fill their image: export it again")
    lengths = lengths[: len(lengths) // 2 * 2]  # what follows the last run is outside
    if not lengths[1::2].any():
        return Piece(class_name, 0, 0, np.zeros((0, 0), np.bool_))
    left, right = int(lengths[0]) // height, -(-int(lengths.sum()) // height)
    lengths = np.append(lengths, right * height - lengths.sum())
    lengths[0] -= left * height
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return Piece(class_name, 0, left, inside.reshape(right - left, height).T)


def _unpacked(text: str) -> list[int]:
    """Run lengths of text: five bits a letter, and from the fourth number on what one differs from that two before."""
    numbers: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        if shift > _MOST_BITS:
            raise OutlineError("has run lengths that are no numbers: export it again")
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (bits & 16) and 1 << shift
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = shift = 0
    return numbers
