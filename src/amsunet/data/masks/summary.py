"""Statistics of single masks, small enough to keep for every mask of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.data.masks.artefacts import is_dithered, is_even, is_smoothed
from amsunet.data.masks.convention import colour_numbers
from amsunet.data.masks.files import MaskFile, Reading, in_eight_bits, is_opaque
from amsunet.data.masks.regions import Region, is_enclosed, is_one_piece, measure_regions, shared_borders, thin_lines

LIMIT = 4096
"""Most values that the summary of one mask keeps."""
MAXIMUM_CLASSES = 20
_NEAR = 0.02
"""Largest JPEG noise within a flat region, as a share of the largest value."""
COLOUR_STEP = 17
"""Step in which colours of a JPEG are distinguished."""
_RIM = 255
"""The value of ignored pixels beside small class numbers, often drawn as rims of objects."""
_OPAQUE = 0.98
"""Least opacity, as a share of the largest, of pixels whose colour is compared: colours blur at edges."""
_FEW_CORES = 0.1
"""Largest share of the pixels of a colour of thin lines that have equal neighbours: where lines meet."""
_GRID = 48
"""Rows and columns of the coarse grid of where a mask is bright."""
_LOSSY = frozenset({".jpg", ".jpeg"})


@dataclass(frozen=True)
class MaskSummary:
    """What one mask holds, in one reading of its file."""

    path: Path
    colour: bool
    counts: Mapping[float, int]
    """Pixels by value, of colours by 65536 R + 256 G + B; at most ``LIMIT`` values are kept."""
    edge: Mapping[float, int]
    """The same of pixels on the border of the image."""
    flat: Mapping[float, int]
    """The same of pixels whose neighbours have equal values (nearly equal, where values are many): cores, not edges."""
    corners: tuple[float, ...] = ()
    """The values in the corners of the image."""
    marked: bytes = b""
    """Where the mask is bright, one bit a place on a grid of ``_GRID`` rows and columns."""
    antialiased: bool = False
    """Whether values in between are steps of an edge from dark to bright, not classes or objects."""
    one_piece: bool = False
    """Whether (nearly) every value but 0 forms a single connected region, but for specks."""
    enclosed: bool = False
    """Whether a value lies within another one, away from the background."""
    regions: Mapping[int, Region] = field(default_factory=dict)
    """Regions of the first values, or of colours where they are few, background included."""
    readings: Mapping[Reading, MaskSummary] = field(default_factory=dict)
    """Summaries of the other readings of the file."""
    palette: Mapping[int, int] | None = None
    """Colours of the indices in use."""
    opacity: tuple[int, int] | None = None
    """Least and largest opacity, of a file with an alpha channel."""
    shown: frozenset[int] = frozenset()
    """Colours of the opaque pixels, of a file with an alpha channel."""
    lossy: bool = False
    """Whether the file's compression changes values a little."""
    shared: tuple[int, int] | None = None
    """See ``MaskFile.shared``."""
    dithered: bool = False
    """Whether a mask of one bit a pixel holds dots in place of areas."""
    between: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Of each colour that is two others together: how much of its border is shared with these two, and all of it."""
    lines: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Of each colour with hardly any cores: how many of its pixels lie between two other colours, and all of them."""
    stepped: bool = False
    """Whether values lead up to others in steps around these, as where class numbers were smoothed."""

    @property
    def foreground(self) -> set[float]:
        """All values but 0."""
        return set(self.counts) - {0}

    @property
    def cores(self) -> Mapping[float, int]:
        """Pixels by value, without edges; all pixels of masks of at most two values, which have no soft edges."""
        return self.flat if len(self.counts) > 2 else self.counts

    @property
    def bright(self) -> Array:
        """Whether the mask is bright at the points of a coarse grid, as a flat array of 0 and 1."""
        return np.unpackbits(np.frombuffer(self.marked, np.uint8))

    def read_as(self, reading: Reading) -> MaskSummary:
        """The summary of the file in another reading.

        Args:
            reading: Which part of the file is the mask.

        Returns:
            The summary; this one, for a file that is the same in that reading.
        """
        return self.readings.get(reading, self)


def summarise(file: MaskFile, path: Path, image: Array | None = None) -> MaskSummary:
    """Summarise a mask file in all its readings.

    Args:
        file: The mask as read by ``open_mask``.
        path: Its file.
        image: Its image (H, W, C), where known.

    Returns:
        The summary of the stored values, which holds those of the other readings.
    """
    stored = replace(summarise_mask(file.pixels, path, image, lossy=file.lossy), shared=file.shared)
    readings: dict[Reading, MaskSummary] = {}
    if file.palette is not None:
        readings["colours"] = summarise_mask(file.read_as("colours"), path, image, lossy=file.lossy)
        indices = [int(index) for index in stored.counts]
        colours = colour_numbers(file.palette[indices][None])[0]
        stored = replace(stored, palette=dict(zip(indices, colours.tolist(), strict=True)))
    if file.alpha is not None:
        readings["alpha"] = summarise_mask(file.alpha, path, image, lossy=file.lossy)
        readings["visible"] = summarise_mask(file.read_as("visible"), path, image, lossy=file.lossy)
        colours = colour_numbers(in_eight_bits(file.read_as("colours")))[_is_shown(file.alpha)]
        stored = replace(
            stored,
            opacity=(int(file.alpha.min()), int(file.alpha.max())),
            shown=frozenset(np.unique(colours)[:LIMIT].tolist()),
        )
    return replace(stored, readings=readings) if readings else stored


def _is_shown(alpha: Array) -> Array:
    """Where the colours of a file are those that were drawn: not at soft edges, where they are blurred."""
    drawn = is_opaque(alpha)
    shown: Array = drawn & ((alpha >= _OPAQUE * alpha.max(initial=0)) | (drawn == (alpha > 0)).all())
    return shown


def summarise_mask(raw: Array, path: Path, image: Array | None = None, *, lossy: bool | None = None) -> MaskSummary:
    """Summarise one mask in one reading.

    Args:
        raw: The mask, (H, W) of numbers or (H, W, 3) of uint8.
        path: Its file.
        image: Its image (H, W, C), where known.
        lossy: Whether the file's compression changes values; None decides by the path's suffix.

    Returns:
        The summary, without other readings.
    """
    colour = raw.ndim == 3
    flat = colour_numbers(raw) if colour else raw
    counts = _count(flat)
    border = _count(np.concatenate([flat[0], flat[-1], flat[1:-1, 0], flat[1:-1, -1]]))
    corners = tuple(flat[[0, 0, -1, -1], [0, -1, 0, -1]].tolist())
    lossy = path.suffix.lower() in _LOSSY if lossy is None else lossy
    dithered = [*counts] == [0, 1] and is_dithered(flat == 1)  # it makes one bit of a pixel
    summary = MaskSummary(path, colour, counts, border, {}, corners, _marked(raw), lossy=lossy, dithered=dithered)
    if len(counts) <= 2 and not (0 in counts and 1 <= max(counts) <= MAXIMUM_CLASSES):
        return summary
    if colour:
        if len(counts) > MAXIMUM_CLASSES:
            return replace(summary, flat=_flat_colours(raw))
        numbers = np.searchsorted(list(counts), flat)
        regions = {
            int([*counts][rank]): region for rank, region in measure_regions(numbers, image, MAXIMUM_CLASSES).items()
        }
        whole = is_one_piece(numbers, range(len(counts)))
        summary = replace(
            summary, flat=_flat(flat), one_piece=whole, regions=regions, between=shared_borders(flat, counts)
        )
        thin = [value for value, pixels in counts.items() if summary.flat.get(value, 0) <= _FEW_CORES * pixels]
        return replace(summary, lines=thin_lines(flat, thin))
    if len(counts) <= 3:
        summary = replace(summary, flat=_flat(flat))
    else:
        lowest, highest = ndimage.minimum_filter(raw, 3), ndimage.maximum_filter(raw, 3)
        top = max(counts)
        near = _NEAR * top if (len(counts) > MAXIMUM_CLASSES and top >= 64) or raw.dtype.kind == "f" else 0
        even = highest.astype(np.float64) - lowest <= near
        between = (raw != 0) & (raw != top)
        climbing = bool(between.any() and ((lowest < raw) & (raw < highest))[between].mean() > 0.5)
        summary = replace(summary, flat=_count(raw[even]), antialiased=climbing)
    if summary.antialiased or raw.dtype.kind == "f":
        return summary
    regions = measure_regions(raw, image, MAXIMUM_CLASSES)
    if len(counts) > 2 and sorted(counts)[-2] <= MAXIMUM_CLASSES and max(counts) == _RIM:  # ignored, around objects
        raw = np.where(raw == _RIM, 0, raw)
    return replace(
        summary,
        one_piece=is_one_piece(raw, counts),
        stepped=len(counts) > 2 and is_smoothed(raw),
        enclosed=2 < len(counts) <= MAXIMUM_CLASSES and is_enclosed(raw),
        regions=regions,
    )


def _marked(raw: Array) -> bytes:
    """See ``MaskSummary.marked``."""
    rows, columns = ((np.arange(_GRID) + 0.5) * side / _GRID for side in raw.shape[:2])
    seen = raw[rows.astype(int)[:, None], columns.astype(int)]
    seen = seen.max(axis=2) if seen.ndim == 3 else seen
    return np.packbits(seen > raw.max() / 2).tobytes()


def _count(values: Array) -> dict[float, int]:
    """Pixels by value, from the smallest on."""
    if values.dtype.kind == "u" and values.itemsize <= 2:  # many times faster than to sort them
        all_counts = np.bincount(values.ravel())
        found = np.flatnonzero(all_counts)
        counts = all_counts[found]
    else:
        found, counts = np.unique(values, return_counts=True)
    if len(found) > LIMIT:  # neighbouring values together, by their largest; the smallest, mostly 0, alone
        starts = np.concatenate([[0], np.arange(1, len(found), -(-len(found) // LIMIT))])
        found, counts = found[[*(starts[1:] - 1), -1]], np.add.reduceat(counts, starts)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _flat(numbers: Array) -> dict[float, int]:
    """Pixels by value whose eight neighbours have the same."""
    return _count(numbers[is_even(numbers)])


def _flat_colours(raw: Array) -> dict[float, int]:
    """Pixels in regions of nearly one colour, by that colour in coarse steps."""
    spread = ndimage.maximum_filter(raw, (3, 3, 1)).astype(np.int16) - ndimage.minimum_filter(raw, (3, 3, 1))
    coarse = (np.round(raw / COLOUR_STEP) * COLOUR_STEP).astype(np.uint8)
    return _count(colour_numbers(coarse)[(spread <= COLOUR_STEP).all(axis=2)])
