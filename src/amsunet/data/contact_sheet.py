"""The contact sheet of a data set: masks over their images, with a legend of classes and colours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from amsunet.data.channels import Names, common_names
from amsunet.data.dataset import Dataset
from amsunet.data.discovery.layout import Sample, Split
from amsunet.data.fonts import describe_missing_fonts, draw_text, shorten
from amsunet.data.images import Array
from amsunet.data.masks.convention import IGNORE_INDEX, MaskConvention
from amsunet.data.masks.joined import open_sample_mask
from amsunet.data.overlay import colour_of, draw_masks, fit, viewable, within
from amsunet.look import page_colour

_SHOWN = 20
_EXTREME = 2
"""Masks with least and with most foreground, which come first: a wrongly read mask is often among them."""
_COLUMNS, _CELL, _MARGIN = 5, 300, 14
_LETTERS, _LINE = 14, 22
_SWATCH = 16
_INK, _SOFT, _PAPER = page_colour("ink"), page_colour("soft"), page_colour("paper")


@dataclass(frozen=True)
class _Entry:
    """An entry of the legend: a class and its text."""

    label: int
    text: str


def draw_sheet(
    dataset: Dataset,
    splits: Mapping[str, Split],
    class_shares: Sequence[float],
    window: tuple[float, float] | None = None,
) -> Image.Image:
    """Draw some of the images with their masks below a legend, those with extreme shares of foreground first.

    Args:
        dataset: The data set.
        splits: The split of each sample, by its name.
        class_shares: Share of pixels of each class, background first.
        window: Values that are black and white in all images, if they are.

    Returns:
        The contact sheet, in RGB.
    """
    shares = dataset.foreground_share()
    pictures, ignored = [], 0.0
    chosen = _choose(dataset.samples, shares)
    for sample in chosen:
        image, labels = dataset.read(sample)
        ignored += float((labels == IGNORE_INDEX).mean()) / len(chosen)
        caption = f"{sample.name} ({splits[sample.name]}), {shares[sample.name]:.1%}"
        pictures.append((caption, _drawn(within(image, window), labels, _objects(dataset, sample))))
    outside = any(sample.roi for sample in dataset.samples)
    entries = _key(dataset.convention, class_shares, ignored, outside)
    title = f"{dataset.source}: {len(chosen)} of {len(dataset.samples)} images"
    if len(chosen) < len(dataset.samples):
        title += ", first those with least and with most foreground"
    if window is not None:
        title += f"; {window[0]:g} is black and {window[1]:g} white"
    title += _describe_composite(common_names([scan.channel_names for scan in dataset.scans]))
    return _lay_out(title, entries, pictures)


def _describe_composite(names: Names) -> str:
    """Which channels are shown, and in which colour, as ``viewable`` has it; empty for grey and colours."""
    shown = [f"{name} {colour}" for name, colour in zip(names, ("red", "green", "blue"), strict=False)]
    rest = len(names) - len(shown)
    return f"; {', '.join(shown)}{f', {rest} more not shown' * (rest > 0)}" if names else ""


def warn_of_missing_fonts(dataset: Dataset) -> str:
    """Warn of characters that the sheet shows as codes, because no font has them.

    Args:
        dataset: The data set of the sheet.

    Returns:
        The warning; empty if the sheet shows all characters.
    """
    chosen = _choose(dataset.samples, dataset.foreground_share())
    samples, convention = [sample.name for sample in chosen], dataset.convention
    channels = dataset.scans[0].channel_names
    return describe_missing_fonts([
        dataset.source, *convention.class_names, *convention.folder_names, *samples, *channels
    ])  # fmt: skip


def _choose(samples: Sequence[Sample], shares: Mapping[str, float]) -> list[Sample]:
    """The samples with least and with most foreground, and others evenly; all of few."""
    if len(samples) <= _SHOWN:
        return [*samples]
    ordered = sorted(samples, key=lambda sample: shares[sample.name])
    extreme = [*ordered[:_EXTREME], *ordered[: -_EXTREME - 1 : -1]]
    others = [sample for sample in samples if sample not in extreme]
    even = np.linspace(0, len(others) - 1, _SHOWN - len(extreme)).round().astype(int)
    return [*extreme, *(others[index] for index in even)]


def _objects(dataset: Dataset, sample: Sample) -> Array | None:
    """The object numbers (H, W) of instance masks; else None."""
    if dataset.convention.kind != "instances":
        return None
    (name,) = sample.masks
    return open_sample_mask(sample, name, apart=True).read_as(dataset.convention.reading)


def _drawn(image: Array, labels: Array, objects: Array | None) -> Array:
    """Draw labels over an image; it is resized to its cell first, so that all outlines have one width."""
    small = np.asarray(fit(viewable(image), _CELL, _CELL))
    size = small.shape[1], small.shape[0]
    # Labels and object numbers are never mixed.
    rows = (np.arange(size[1]) * labels.shape[0]) // size[1]
    columns = (np.arange(size[0]) * labels.shape[1]) // size[0]
    place = np.ix_(rows, columns)
    return draw_masks(small, labels[place], None if objects is None else objects[place])


def _key(convention: MaskConvention, shares: Sequence[float], ignored: float, outside: bool) -> list[_Entry]:
    entries = [
        _Entry(label, f"{name}: {_in_file(convention, label)}, {share:.1%}")
        for label, (name, share) in enumerate(zip(convention.class_names, shares, strict=True))
    ]
    if ignored:
        value = [] if convention.ignore_value is None else [f"value {convention.ignore_value}"]
        where = " and ".join(value + ["outside the field of view"] * outside)
        entries.append(_Entry(IGNORE_INDEX, f"ignored: {where}, {ignored:.1%} of these images"))
    return entries


def _in_file(convention: MaskConvention, label: int) -> str:
    """How a class stands in the mask files."""
    value = convention.values[label]
    if convention.kind == "folders":
        return f"folder {convention.folder_names[label - 1]}" if label else "in no folder's mask"
    if convention.kind == "instances":
        return "object numbers, each object in a colour" if label else "value 0"
    if convention.kind == "threshold":
        return f"values {'from' if label else 'below'} {convention.threshold:g}" + " on" * label
    return f"{'colour' if convention.kind == 'colours' else 'value'} {convention.name_value(value)}"


def _lay_out(title: str, entries: Sequence[_Entry], pictures: Sequence[tuple[str, Array]]) -> Image.Image:
    rows = [pictures[start : start + _COLUMNS] for start in range(0, len(pictures), _COLUMNS)]
    heights = [max(picture.shape[0] for _, picture in row) + _LINE + _MARGIN for row in rows]
    width = _COLUMNS * (_CELL + _MARGIN) + _MARGIN
    lines = _flow(entries, width)
    top = _MARGIN + (1 + len(lines)) * (_LINE + 4) + _MARGIN
    sheet = Image.new("RGB", (width, top + sum(heights)), _PAPER)
    pen = ImageDraw.Draw(sheet)
    draw_text(pen, (_MARGIN, _MARGIN), shorten(title, width - 2 * _MARGIN, size=_LETTERS), size=_LETTERS, fill=_INK)
    for number, line in enumerate(lines, start=1):
        for x, entry in line:
            y = _MARGIN + number * (_LINE + 4)
            sheet.paste(_swatch(entry.label), (x, y))
            pen.rectangle((x, y, x + _SWATCH, y + _SWATCH), outline=_SOFT)
            draw_text(pen, (x + _SWATCH + 6, y), entry.text, size=_LETTERS, fill=_INK)
    for y, row in zip(itertools.accumulate(heights[:-1], initial=top), rows, strict=True):
        for column, (caption, picture) in enumerate(row):
            x = _MARGIN + column * (_CELL + _MARGIN)
            sheet.paste(Image.fromarray(picture), (x + (_CELL - picture.shape[1]) // 2, y))
            name = shorten(caption, _CELL, size=_LETTERS - 1)
            draw_text(pen, (x, y + picture.shape[0] + 3), name, size=_LETTERS - 1, fill=_SOFT)
    return sheet


def _flow(entries: Sequence[_Entry], width: int) -> list[list[tuple[int, _Entry]]]:
    """Place the entries of the legend from left to right, in as many lines as they need."""
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines: list[list[tuple[int, _Entry]]] = []
    x = width
    for entry in entries:
        needed = _SWATCH + 6 + round(draw_text(pen, (0, 0), entry.text, size=_LETTERS, fill=_INK)) + 2 * _MARGIN
        if x + needed > width:
            lines.append([])
            x = _MARGIN
        lines[-1].append((x, entry))
        x += needed
    return lines


def _swatch(label: int) -> Image.Image:
    """A class as it looks in the pictures, on grey ground."""
    ground = np.full((_SWATCH, _SWATCH, 3), 128, np.uint8)
    drawn = draw_masks(ground, np.full((_SWATCH, _SWATCH), label, np.uint8))
    if label not in (0, IGNORE_INDEX):
        drawn[[0, 1, -2, -1]] = drawn[:, [0, 1, -2, -1]] = colour_of(label)
    return Image.fromarray(drawn)
