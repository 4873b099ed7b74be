"""A slide as networks see it: one level, normalized and at working size, read in parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property

import numpy as np

from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange
from amsunet.data.preprocessing import InputFormat, Preprocessing
from amsunet.data.slides import Slide, SlideError
from amsunet.data.spacing import Spacing

_SAMPLE = 64
"""Side in pixels of the squares from which the intensity range is found."""
_READ = 2048
"""Side in pixels of the part of a slide that is read at a time."""
_NEARLY = 0.99


class SlideView:
    """A slide at the scale of training.

    Pixels come from the coarsest level that is at least as large as the working size. The intensity range is that of
    the whole slide, from squares in a grid over it.

    Args:
        slide: The opened slide.
        preprocessings: How the networks want images, all at one scale. A slide is a larger view, so the factor of
            training applies.
        level: The level that is taken as the image; the mask has its size.
        spacing: Of the pixels of this level, in place of what the slide says.

    Raises:
        SlideError: If the slide has no such level.
    """

    def __init__(
        self,
        slide: Slide,
        preprocessings: Mapping[InputFormat, Preprocessing],
        level: int = 0,
        spacing: Spacing | None = None,
    ) -> None:
        if level >= len(slide.sizes):
            last = len(slide.sizes) - 1
            raise SlideError(
                f"{slide.path} has no level {level}: " + (f"choose 0 to {last}" if last else "leave it out")
            )
        self._slide, self._preprocessings = slide, {key: kind.by_factor() for key, kind in preprocessings.items()}
        self.image_size = slide.sizes[level]
        self.spacing = spacing or _spacing_of(slide, level)
        """Millimetres a pixel of the image, down and across, where it is known."""
        self.size = next(iter(self._preprocessings.values())).working_size(*self.image_size, self.spacing)
        """Height and width as the networks see them."""
        self.source = max(
            (there for there in range(level, len(slide.sizes)) if _holds(slide.sizes[there], self.size)), default=level
        )
        """The level from which pixels are read."""

    @cached_property
    def _ranges(self) -> dict[InputFormat, IntensityRange]:
        squares = _mosaic(
            self._slide.sizes[self.source], lambda rows, columns: self._slide.read(self.source, rows, columns)
        )
        return {key: kind.find_range(squares) for key, kind in self._preprocessings.items()}

    @property
    def guess(self) -> str:
        """How the values were interpreted, if they are not those of the training images; else empty."""
        return "; ".join(dict.fromkeys(one.guess for one in self._ranges.values() if one.guess))

    def choose_ranges(
        self, choose: Callable[[InputFormat, IntensityRange, Callable[[IntensityRange], Array]], IntensityRange]
    ) -> list[tuple[IntensityRange, IntensityRange]]:
        """Choose each intensity range that is uncertain.

        Args:
            choose: Gets the input format, the range, and a function that gives squares from all over the slide
                normalized by a range; returns the range to use.

        Returns:
            For each uncertain range the one found first and the one chosen.
        """
        uncertain = [(key, found) for key, found in self._ranges.items() if found.other is not None]
        for key, found in uncertain:

            def look(one: IntensityRange, key: InputFormat = key) -> Array:
                self._ranges[key] = one
                return self._sample(key)

            self._ranges[key] = choose(key, found, look)
        return [(found, self._ranges[key]) for key, found in uncertain]

    def read(self, rows: slice, columns: slice) -> dict[InputFormat, Array]:
        """Read a part at working size.

        Args:
            rows: In pixels of ``size``.
            columns: In pixels of ``size``.

        Returns:
            By input format (h, w, in_channels) of uint8, equal to that part of the whole image normalized and resized.

        Raises:
            SlideError: If the file is damaged there.
        """
        return self._read(rows, columns, self._preprocessings)

    def _read(self, rows: slice, columns: slice, preprocessings: Collection[InputFormat]) -> dict[InputFormat, Array]:
        height, width = self._slide.sizes[self.source]
        down, across = height / self.size[0], width / self.size[1]
        lines = [
            [self._part(y, x, down, across, preprocessings) for x in _pieces(columns, int(_READ / across))]
            for y in _pieces(rows, int(_READ / down))
        ]
        return {
            key: np.concatenate([np.concatenate([part[key] for part in line], axis=1) for line in lines])
            for key in preprocessings
        }

    def sample(self) -> dict[InputFormat, Array]:
        """Squares at working size from all over the slide, side by side; an image of up to 1,024 x 1,024 is whole."""
        return {key: self._sample(key) for key in self._preprocessings}

    def _sample(self, key: InputFormat) -> Array:
        return _mosaic(self.size, lambda rows, columns: self._read(rows, columns, [key])[key])

    def _part(
        self, rows: slice, columns: slice, down: float, across: float, preprocessings: Collection[InputFormat]
    ) -> dict[InputFormat, Array]:
        if self._slide.sizes[self.source] == self.size:
            return self._normalized(rows, columns, preprocessings)
        height, width = self._slide.sizes[self.source]
        # The filter reaches as far as one pixel of the result beyond the box.
        y, x = _reach(rows, down, height), _reach(columns, across, width)
        box = (
            columns.start * across - x.start,
            rows.start * down - y.start,
            min(columns.stop * across, x.stop) - x.start,
            min(rows.stop * down, y.stop) - y.start,
        )
        size = rows.stop - rows.start, columns.stop - columns.start
        normalized = self._normalized(y, x, preprocessings)
        return {key: self._preprocessings[key].resize_part(normalized[key], box, *size) for key in preprocessings}

    def _normalized(
        self, rows: slice, columns: slice, preprocessings: Collection[InputFormat]
    ) -> dict[InputFormat, Array]:
        pixels = self._slide.read(self.source, rows, columns)
        return {key: self._preprocessings[key].normalize(pixels, self._ranges[key]) for key in preprocessings}


def _spacing_of(slide: Slide, level: int) -> Spacing | None:
    if slide.spacing is None:
        return None
    down, across = (
        side * finest / here
        for side, finest, here in zip(slide.spacing, slide.sizes[0], slide.sizes[level], strict=True)
    )
    return down, across


def _mosaic(size: tuple[int, int], read: Callable[[slice, slice], Array]) -> Array:
    """Squares in a grid over an image of a size, put together in their order."""
    height, width = size
    return np.concatenate(
        [np.concatenate([read(rows, columns) for columns in _squares(width)], axis=1) for rows in _squares(height)]
    )


def _squares(side: int) -> Iterator[slice]:
    """The squares along a side; they cover all of it if it is short."""
    for start in range(0, side, max(_SAMPLE, side // 16)):
        yield slice(start, min(start + _SAMPLE, side))


def _holds(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    return all(side >= _NEARLY * least for side, least in zip(size, wanted, strict=True))


def _pieces(whole: slice, step: int) -> Iterator[slice]:
    step = max(1, step)
    for start in range(whole.start, whole.stop, step):
        yield slice(start, min(start + step, whole.stop))


def _reach(part: slice, by: float, side: int) -> slice:
    margin = math.ceil(by) + 1
    return slice(max(0, math.floor(part.start * by) - margin), min(side, math.ceil(part.stop * by) + margin))
