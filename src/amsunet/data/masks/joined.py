"""Masks of one or several files: several are joined into one mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsunet.data.containers import is_outlined
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks.convention import colour_numbers, name_colours
from amsunet.data.masks.files import MaskFile, in_eight_bits, is_opaque, open_mask, read_objects
from amsunet.data.masks.summary import MaskSummary
from amsunet.errors import InputError
from amsunet.wording import setting

_SAME_OBJECT = 0.5
"""Intersection over union from which on two masks mark one object twice."""
_HARD = 20
"""Values of a mask without soft edges, at most."""
_OPAQUE = 250
_OBSERVERS = 2
_OVERLAP = 0.1
"""Share of marked pixels that two files mark, above which they are hardly of different objects."""


def open_sample_mask(sample: Sample, name: str, *, apart: bool = False) -> MaskFile:
    """Open the mask of one class of a sample.

    Several files are joined: what any of them marks is foreground. Their palette and transparency stay, so that the
    whole data set is read in one way.

    Args:
        sample: The image with its mask files.
        name: The class, '' without class folders.
        apart: Whether to number the objects of several files, or of outlines, 1, 2, ... in their order.

    Returns:
        The mask, of the image's size.

    Raises:
        InputError: If files cannot be read or joined.
    """
    first, more = sample.masks[name], sample.more_masks.get(name, ())
    if not more:
        return MaskFile(read_objects(first)) if apart and is_outlined(first) else open_mask(first)
    paths = (first, *more)
    files = _of_one_kind([open_mask(path) for path in paths])
    file = files[0]
    numbers = np.zeros(file.pixels.shape[:2], np.uint16)
    pixels, ground = np.full_like(file.pixels, _ground(file)), _ground(file)
    alpha = None if file.alpha is None else np.zeros_like(file.alpha)
    values: set[int] = set()
    twice = 0
    for number, (path, one) in enumerate(zip(paths, files, strict=True), start=1):
        _refuse_to_join(one, path, file, first)
        here, held = _marked(one)
        _refuse_same_object(numbers, here, path, paths)
        twice += int((numbers[here] > 0).sum())
        numbers[here] = number
        pixels[here] = one.pixels[here] if held is None else held
        values |= _values(one, here) if held is None else {held}
        if alpha is not None and one.alpha is not None:
            alpha = np.maximum(alpha, one.alpha)
    if apart:
        return MaskFile(numbers)
    values -= {ground}
    if values == {1, 255} and file.palette is None:  # of one bit and of eight
        pixels[pixels == 1] = 255
    elif len(values) > 1:
        shown = name_colours(sorted(values)[:4]) if pixels.ndim == 3 else ", ".join(map(str, sorted(values)[:4]))
        raise InputError(
            f"{first} and {len(more)} more masks of {sample.image} mark with the values {shown}, which cannot be "
            "joined: save all with one value",
            code="not-joined",
        )
    shared = (twice, int((numbers > 0).sum())) if len(paths) == _OBSERVERS else None
    return MaskFile(pixels, file.palette, alpha, shared=shared)


def _of_one_kind(files: list[MaskFile]) -> list[MaskFile]:
    """Greys among colours as colours: a mask that happens to be black, or white."""
    if not any(file.pixels.ndim == 3 for file in files) or any(file.palette is not None for file in files):
        return files
    return [
        file if file.pixels.ndim == 3 else replace(file, pixels=np.repeat(in_eight_bits(file.pixels)[..., None], 3, 2))
        for file in files
    ]


def refuse_two_observers(masks: Sequence[MaskSummary]) -> None:
    """Refuse two masks an image that overlap much: they are two observers', for objects hardly overlap.

    Args:
        masks: Summaries of all masks.

    Raises:
        InputError: If they do; the message names the masks of one image.
    """
    pairs = [mask.shared for mask in masks if mask.shared is not None]
    both, either = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    if pairs and len(pairs) == len(masks) and both > _OVERLAP * either:
        odd = max(masks, key=lambda mask: mask.shared[0] if mask.shared else 0)
        raise InputError(
            f"{odd.path} and a second mask of the same image overlap, as do those of all {len(masks)} images by "
            f"{both / either:.0%} of what they mark: keep one of them if they are two observers', or name one for each "
            f"image in a manifest.csv with the columns image,mask; set {setting(instances=True)} if they are objects"
        )


def _marked(file: MaskFile) -> tuple[Array, int | None]:
    """Where a file marks its object, and the value to write there: white for soft edges, None for the file's."""
    if file.alpha is not None and file.alpha.min(initial=255) < 128:
        return is_opaque(file.alpha), None
    if file.pixels.ndim == 3:
        return np.asarray(file.pixels.any(axis=2)), None
    values = np.flatnonzero(np.bincount(file.pixels.ravel())) if file.pixels.dtype == np.uint8 else None
    if values is None:
        values = np.unique(file.pixels)
    if file.palette is None and (len(values) > _HARD or (len(values) > 2 and file.lossy)):
        bright: Array = file.pixels > values[-1] / 2
        return bright, 255
    return file.pixels != _ground(file), None


def _ground(file: MaskFile) -> int:
    """The number of the background: of a palette what is black, if one colour in use is."""
    if file.palette is None:
        return 0
    used = np.flatnonzero(np.bincount(file.pixels.ravel()))
    black = [index for index in used.tolist() if not file.palette[index].any()]
    return black[0] if len(black) == 1 else 0


def _values(file: MaskFile, here: Array) -> set[int]:
    if file.alpha is not None:
        here = here & (file.alpha >= _OPAQUE)  # edges hold what is beneath
    found = colour_numbers(file.pixels[here][None]) if file.pixels.ndim == 3 else file.pixels[here]
    return {int(value) for value in np.unique(found)}


def _refuse_to_join(one: MaskFile, path: Path, file: MaskFile, first: Path) -> None:
    if one.pixels.shape != file.pixels.shape or (one.alpha is None) != (file.alpha is None):
        raise InputError(
            f"{path} and {first} are masks of one image, but not of one size and kind: save them alike",
            code="not-joined",
        )
    palettes = [palette for palette in (one.palette, file.palette) if palette is not None]
    if len(palettes) == 1 or not all(np.array_equal(palette, palettes[0]) for palette in palettes):
        raise InputError(
            f"{path} and {first} are masks of one image with different palettes: save them with one", code="not-joined"
        )


def _refuse_same_object(numbers: Array, here: Array, path: Path, paths: tuple[Path, ...]) -> None:
    """Refuse two masks of one object: they are two observers', and joining them would be wrong for both."""
    below = np.bincount(numbers[here], minlength=1)
    below[0] = 0
    if not below.any():
        return
    other = int(below.argmax())
    either = int((numbers == other).sum()) + int(here.sum()) - int(below[other])
    if below[other] > _SAME_OBJECT * either:
        raise InputError(
            f"{path} and {paths[other - 1]} mark the same object: keep one of them if they are two observers', or "
            "name one for each image in a manifest.csv with the columns image,mask",
            code="same-object",
        )
