"""Which pages of a TIFF are an image: one, one a channel, or those of a slice or moment that is asked for.

The axes of a file are those that OME, ImageJ or tifffile wrote into it, or those that a user set. They are written with
the letters of OME: T is time, Z depth, C channels, S samples of colour.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from amsunet.choices import MOST_CHANNELS
from amsunet.errors import InputError
from amsunet.safe_text import one_line
from amsunet.wording import setting

_PLACE = re.compile(r"(?:([TZC]*YX[CS]?)(?:/|$))?((?:[tz]\d{3,})*)")
_MASK = 4
"""Bit of tag 254 for a page that is the transparency of another one."""
_FEW = 12
"""A page of at most this width may hold channels that were mistaken for columns."""
_UNNAMED = "Q"
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_PLANES = re.compile(r"Size[CZT]\s*=\s*[\"'](\d{1,9})[\"']")
_MOST_PLANES = 1_000_000
"""Planes of an image that OME may name: tifffile makes a list of them all, whether or not the file has them."""
_LONGEST = 60
"""Characters of a channel's name that are kept."""


def refuse_planes(tiff: Any, path: Path) -> None:
    """Refuse a file whose metadata claim more planes than any file has.

    Args:
        tiff: The opened file, a ``tifffile.TiffFile``.
        path: Its path, for the error.

    Raises:
        InputError: If they do.
    """
    claimed = [math.prod(map(int, _PLANES.findall(one))) for one in _PIXELS.findall(tiff.ome_metadata or "")]
    if max(claimed, default=0) > _MOST_PLANES:
        raise InputError(
            f"{path} is damaged (its metadata, OME, claim {max(claimed):,} planes): save it again", code="damaged"
        )


def image_pages(tiff: Any) -> list[Any]:
    """The pages that show something; previews and transparencies do not.

    Args:
        tiff: The opened file, a ``tifffile.TiffFile``.
    """
    return [page for page in tiff.pages if not (page.is_reduced or page.subfiletype & _MASK)] or list(tiff.pages[:1])


def only_page(tiff: Any, path: Path) -> Any:
    """Find the page of the only image in a TIFF: that of a mask, which has neither slices nor channels.

    Args:
        tiff: The opened file.
        path: Its path, for the error.

    Raises:
        InputError: If there are several pages.
    """
    pages = image_pages(tiff)
    if len(pages) > 1:
        error = _several(tiff, pages, path, ", a page each: save the one that is meant")
        if error.code == "channels":
            raise error
        raise InputError(
            f"{path} holds {len(pages)} pages, where the mask of an image has one: save one number a pixel, or each "
            "page as a mask of its own, which are joined if their names begin alike, and classes in folders of these"
        )
    return pages[0]


def only_image(tiff: Any, path: Path) -> list[Any]:
    """Find the pages of the only image in a TIFF: one, or one for each channel if the file says that they are channels.

    Args:
        tiff: The opened file.
        path: Its path, for the error.

    Raises:
        InputError: If there are several images, or it is not clear whether there are.
    """
    pages = image_pages(tiff)
    if len(pages) == 1:
        return pages
    if [letter for letter, _ in _stacked(tiff, pages)] == ["C"]:
        return _alike(_in_order(tiff, pages), path)
    raise _several(tiff, pages, path, "")


def planes(tiff: Any, path: Path, axes: str) -> list[str]:
    """The images of a file by the axes that are set: the places within it, see ``pages_at``.

    Args:
        tiff: The opened file.
        path: Its path, for the error.
        axes: As ``TZCYX``; every slice and moment is an image.

    Returns:
        The places in order; ``[""]`` if it is one image as it stands.

    Raises:
        InputError: If the file has other axes.
    """
    stacked = _stacked(tiff, pages := image_pages(tiff))
    before, samples = _parts(axes)
    if not stacked:
        return [f"YX{samples}" if samples and pages[0].samplesperpixel > 1 else ""]
    lengths = _lengths(stacked, before, path, axes)
    letters = [letter for letter in lengths if letter != "C"]
    as_it_stands = _assumed(stacked, letters) == "".join(lengths) and not samples
    prefix = "" if as_it_stands else f"{''.join(lengths)}YX{samples}"
    if not letters:
        return [prefix]
    each = np.ndindex(*(lengths[letter] for letter in letters))
    inside = ("".join(f"{letter.lower()}{at:03}" for letter, at in zip(letters, place, strict=True)) for place in each)
    return [f"{prefix}/{place}" if prefix else place for place in inside]


def pages_at(tiff: Any, path: Path, place: str) -> tuple[list[Any], str]:
    """Find the pages of an image within a file.

    Args:
        tiff: The opened file.
        path: Its path, for the error.
        place: As ``planes`` gives it: ``z003``, ``t000z003``, with axes before it that the file does not say, as
            ``ZCYX/z003``; or axes alone, as ``CYX`` for pages and ``YXC`` for samples that are channels.

    Returns:
        The pages, one or one for each channel, and what their samples are: ``C``, ``S``, or empty for what they say.

    Raises:
        InputError: If there is no such place.
    """
    found = _PLACE.fullmatch(place)
    if found is None:
        raise InputError(f"{path} holds no {one_line(place)}: check the address")
    axes, at = found[1] or "", {letter.upper(): int(number) for letter, number in re.findall(r"([tz])(\d+)", found[2])}
    pages = image_pages(tiff)
    stacked = _stacked(tiff, pages)
    before, samples = _parts(axes) if axes else (_assumed(stacked, at), "")
    lengths = _lengths(stacked, before, path, axes or f"{before}YX") if stacked else {}
    if {*lengths} - {"C"} != {*at} or any(index >= lengths[letter] for letter, index in at.items()):
        raise InputError(f"{path} holds no {one_line(place)}: check the address")
    if not stacked:
        return pages, samples
    pages = _in_order(tiff, pages) if _names_itself(stacked) else pages
    grid = np.arange(len(pages)).reshape(tuple(lengths.values()))
    chosen = np.atleast_1d(grid[tuple(at.get(letter, slice(None)) for letter in lengths)])
    return _alike([pages[int(index)] for index in chosen], path), samples


def channel_names(tiff: Any, count: int) -> tuple[str, ...]:
    """The names of channels as OME, ImageJ or tifffile wrote them.

    Args:
        tiff: The opened file.
        count: Of the channels.

    Returns:
        A name for each, all different; else empty.
    """
    names: list[str] = []
    if tiff.is_ome:
        try:
            pixels = ElementTree.fromstring(tiff.ome_metadata).find("{*}Image/{*}Pixels")
            names = [channel.get("Name", "") for channel in (() if pixels is None else pixels.iterfind("{*}Channel"))]
        except ElementTree.ParseError:
            names = []
    elif tiff.is_imagej:
        names = (tiff.imagej_metadata or {}).get("Labels", [])
    elif tiff.shaped_metadata:
        channel = tiff.shaped_metadata[0].get("Channel")
        names = channel.get("Name", []) if isinstance(channel, dict) else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return ()
    kept = tuple(one_line(name.strip())[:_LONGEST] for name in names)
    return kept if len(kept) == count and all(kept) and len({*kept}) == count else ()


def _parts(axes: str) -> tuple[str, str]:
    """What stands before and behind the Y and X of axes."""
    before, _, behind = axes.partition("YX")
    return before, behind


def _assumed(stacked: list[tuple[str, int]], letters: Iterable[str]) -> str:
    """The axes of an address without axes: those that the file names, else those of its place."""
    return "".join(dict(stacked) if _names_itself(stacked) else letters)


def _stacked(tiff: Any, pages: list[Any]) -> list[tuple[str, int]]:
    """The axes along which pages are stacked, with their lengths; ``Q`` for those that the file does not name."""
    if len(pages) == 1:
        return []
    series = tiff.series[0]
    before = len(series.axes) - len(pages[0].axes)
    found = [(letter, length) for letter, length in zip(series.axes, series.shape, strict=True)][:before]
    found = [(letter if letter in "TZC" else _UNNAMED, length) for letter, length in found if length > 1]
    named = [letter for letter, _ in found if letter != _UNNAMED]
    whole = math.prod(length for _, length in found) == len(pages) == len(_in_order(tiff, pages))
    return found if whole and len(named) == len({*named}) else [(_UNNAMED, len(pages))]


def _in_order(tiff: Any, pages: list[Any]) -> list[Any]:
    """The pages in the order of the axes, for OME stores them in any; fewer if some are missing or in another file."""
    at = {page.index: page for page in pages}
    inside = [page for page in tiff.series[0].pages if page is not None and page.parent is tiff]
    return [at[page.index] for page in inside if page.index in at]


def _names_itself(stacked: list[tuple[str, int]]) -> bool:
    return all(letter != _UNNAMED for letter, _ in stacked)


def _lengths(stacked: list[tuple[str, int]], before: str, path: Path, axes: str) -> dict[str, int]:
    """The length of each axis before Y and X: what the user set is taken, if there are as many axes."""
    known = dict(stacked)
    if _names_itself(stacked) and [letter for letter in before if letter in known] == [*known]:
        return {letter: known[letter] for letter in before if letter in known}
    if _names_itself(stacked) and _contradicts(before, [*known]):
        own = "".join(known)
        raise InputError(
            f"{path} says that its pages run along {own}, and {setting(axes=axes)} names these axes in another order: "
            f"set {setting(axes=f'{own}YX')}, or save the file with the right axes",
            code="pages",
        )
    if len(stacked) != len(before):
        is_named = f"along {''.join(known)}" if _names_itself(stacked) else "and does not say what they are"
        counts = " x ".join(str(length) for _, length in stacked)
        raise InputError(
            f"{path} holds {counts} pages {is_named}, which {setting(axes=axes)} does not fit: set axes for each of "
            "these numbers, or save it as OME-TIFF with all axes",
            code="pages",
        )
    return dict(zip(before, (length for _, length in stacked), strict=True))


def _contradicts(before: str, known: list[str]) -> bool:
    """Whether axes that a user set have those of the file in another order; other letters may be more right."""
    shared = [letter for letter in before if letter in known]
    return shared != sorted(shared, key=known.index)


def _alike(pages: list[Any], path: Path) -> list[Any]:
    """Pages that can be the channels of one image.

    Raises:
        InputError: If they are too many, or differ in size or type.
    """
    if len(pages) > MOST_CHANNELS:
        raise InputError(f"{path} holds {len(pages)} channels, more than {MOST_CHANNELS}: save those that are needed")
    if len(pages) > 1 and any(
        (one.shape, one.dtype, one.axes) != (pages[0].shape, pages[0].dtype, "YX") for one in pages
    ):
        raise InputError(f"{path} holds channels that differ in size, type or colours: save them alike and grey")
    return pages


def _several(tiff: Any, pages: list[Any], path: Path, of_channels: str) -> InputError:
    """The error about a file of several pages of which one image is wanted, or one mask, with ``of_channels``."""
    count, page, stacked = len(pages), pages[0], _stacked(tiff, pages)
    each, code = "save each page as a file of its own", ""
    axes = "".join(letter for letter, _ in stacked)
    if axes == "C":
        text, code = f"holds {count} channels{of_channels}", "channels"
    elif page.imagewidth <= _FEW < count and page.samplesperpixel == 1:
        taken = f"{page.imagewidth} channels of one image of {page.imagelength} x {count} pixels"
        text = f"holds {count} pages, each {page.imagewidth} pixels wide: if these are {taken}, save them as channels"
        text, code = f"{text}, one page each; else {each}", "channels"
    elif _names_itself(stacked):
        counts = " x ".join(f"{length} along {letter}" for letter, length in stacked)
        text = f"holds {count} pages: {each}, or set {setting(axes=f'{axes}YX')} to take each slice and moment as an "
        text = f"{text}image ({counts})"
    else:
        if count == 3 and page.samplesperpixel == 1:
            text = f"holds 3 pages: if these are red, green and blue, save them as RGB; else {each}"
        else:
            text = f"holds {count} pages: {each}"
        if len({one.shape for one in pages}) > 1:  # as the levels of a pyramid that no tag calls so
            return InputError(f"{path} holds {count} pages of different sizes: save the one that is meant")
        if page.samplesperpixel > 1:  # colours are no channels
            way = setting(axes="ZYX" if len(stacked) == 1 else "TZYX")
            return InputError(f"{path} {text}, or set {way} if they are images")
        ways = ("CYX", "ZYX") if len(stacked) == 1 else ("CZYX", "ZCYX")
        what = ("they are channels", "they are images") if len(stacked) == 1 else ("channels come first", "slices do")
        text += f", or set {setting(axes=ways[0])} if {what[0]}, {setting(axes=ways[1])} if {what[1]}"
    return InputError(f"{path} {text}", code=code)
