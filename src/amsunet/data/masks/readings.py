"""Which part of mask files is the mask: stored numbers, palette colours, or transparency; the same for a data set."""

from __future__ import annotations

from collections.abc import Sequence

from amsunet.data.masks.convention import name_colours
from amsunet.data.masks.files import Reading
from amsunet.data.masks.summary import MAXIMUM_CLASSES, MaskSummary
from amsunet.data.options import MaskOptions
from amsunet.errors import InputError
from amsunet.wording import setting

_FLAT = 0.1
"""Least share of what is seen that one colour of a drawing covers, not of a picture."""
_AREA = 0.003
"""Least share of a mask that the cores of a colour cover, to be no rest at an edge."""


def choose_reading(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[Reading, list[str]]:
    """Choose how all files of a data set are read.

    Args:
        masks: Summaries of all masks.
        options: What the user has set.

    Returns:
        The reading, and notes for the user on why.

    Raises:
        InputError: If transparency may mean two things.
    """
    indexed = any(mask.palette is not None for mask in masks)
    if indexed and options.instances:
        return "stored", []
    reading, notes = _choose(masks, options)
    if options.colours:
        return ("colours" if reading == "stored" else reading), []
    if (
        indexed
        and options.classes is not None
        and not _holds(masks, reading, options)
        and _holds(masks, "stored", options)
    ):
        return "stored", [f"palette masks are read by their indices, as {setting('classes')} names these"]
    return reading, notes


def _holds(masks: Sequence[MaskSummary], reading: Reading, options: MaskOptions) -> bool:
    """Whether the masks hold only values that the user has set, in this reading."""
    known = {*(options.classes or ()), options.ignore_value}
    return all(not mask.colour and set(mask.counts) <= known for mask in (mask.read_as(reading) for mask in masks))


def _choose(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[Reading, list[str]]:
    clear = [mask for mask in masks if mask.opacity is not None and mask.opacity[0] < 128]
    if any(mask.opacity is not None and mask.opacity[0] < mask.opacity[1] for mask in clear):
        return _choose_of_transparent(masks, options)
    if any(mask.palette is not None for mask in masks) and not _are_class_indices(masks):
        same = _is_shared_palette(masks)
        why = "their indices are no class numbers" if same else "palettes differ from file to file"
        grey = all(mask.read_as("colours").foreground <= {255} and not mask.read_as("colours").colour for mask in masks)
        return "colours", [] if grey and same else [f"palette masks are read by their colours: {why}"]
    return "stored", []


def _choose_of_transparent(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[Reading, list[str]]:
    drawn = [mask for mask in masks if mask.shown]
    if drawn and all(map(_is_cut_out, drawn)):
        return "alpha", ["masks are pictures cut out on transparent: what is opaque is foreground"]
    # A file without transparency, such as an earlier prediction, shows all that it holds.
    shown = {colour for mask in masks for colour in mask.shown}
    if len(shown) < 2:
        if not options.given_values:
            _refuse_channels(masks, shown)
        return "alpha", [
            f"masks are drawn in one colour ({name_colours([*shown])}) on transparent: what is opaque is foreground"
        ]
    black = next((mask for mask in masks if 0 in mask.shown), None)
    if black is not None and not _is_black_where_transparent(masks):
        raise InputError(
            f"{black.path} shows black beside transparent pixels and {len(shown) - 1} other colours, and either may be "
            "the background: save the masks without transparency, the background black"
        )
    return "visible", ["masks have transparent pixels: these are background, and the visible colours are classes"]


def _is_cut_out(mask: MaskSummary) -> bool:
    """Whether what is seen of a mask is a picture: many colours, none of which covers much."""
    seen = [count for value, count in mask.read_as("visible").counts.items() if value]
    return len(seen) > MAXIMUM_CLASSES and max(seen) < _FLAT * sum(seen)


def _refuse_channels(masks: Sequence[MaskSummary], shown: set[int]) -> None:
    """Refuse areas of several colours beneath what is transparent: four channels, of a class each, look like that."""
    for mask in masks:
        stored = mask.read_as("colours")
        grey = 1 if stored.colour else 0x010101
        least = _AREA * sum(stored.counts.values())
        hidden = [int(value) * grey for value, count in stored.cores.items() if count > least]
        if len(hidden := [colour for colour in hidden if colour not in shown]) > 1:
            top = max(mask.read_as("alpha").counts)
            raise InputError(
                f"{mask.path} shows one colour ({name_colours([*shown])}), and others lie beneath its transparent "
                f"pixels ({name_colours(hidden[:4])}), as where four channels are a class each: save one class number "
                f"a pixel if so, or set {setting(threshold=(top + 1) // 2)} if what is opaque is the object"
            )


def _is_black_where_transparent(masks: Sequence[MaskSummary]) -> bool:
    """Whether transparent pixels hold nothing but black beneath, so that both readings are the same."""
    return all(
        mask.read_as("visible").counts == mask.read_as("colours").counts for mask in masks if mask.opacity is not None
    )


def _are_class_indices(masks: Sequence[MaskSummary]) -> bool:
    """Whether palettes only illustrate class indices: they are the same in all files, and black, if any, is 0."""
    palettes = [mask.palette for mask in masks if mask.palette is not None]
    if not _is_shared_palette(masks):
        return False
    shared = {index: colour for palette in palettes for index, colour in palette.items()}
    others = [mask for mask in masks if mask.palette is None and mask.foreground]
    if not all(not mask.colour and max(mask.foreground - {255}, default=255) <= MAXIMUM_CLASSES for mask in others):
        return False  # greys or colours beside palettes, not the same numbers without colours
    if len(set(shared.values())) < len(shared):
        return True  # a palette that was never filled in: two indices look the same
    numbers = [index for index in shared if index != 255]
    if max(numbers, default=0) > max(MAXIMUM_CLASSES, 2 * len(numbers)):
        return False  # places in a palette of many colours, as of the web
    greys = all(colour % 0x010101 == 0 for colour in shared.values())
    see_through = any(mask.opacity is not None for mask in masks)
    return not greys and (shared.get(0, 0) == 0 or see_through) and 0 not in [shared[i] for i in shared if i]


def _is_shared_palette(masks: Sequence[MaskSummary]) -> bool:
    shared: dict[int, int] = {}
    for mask in masks:
        for index, colour in (mask.palette or {}).items():
            if shared.setdefault(index, colour) != colour:
                return False
    return True
