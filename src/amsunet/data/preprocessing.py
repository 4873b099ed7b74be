"""Prepare an image for the network: normalization, resizing, standardization. The record is saved with the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self, get_args

import numpy as np
from PIL import Image
from pydantic import BeforeValidator, Field, model_validator

from amsunet.choices import MOST_CHANNELS, ImageScale, Normalization, Polarity
from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange, find_range, normalize, with_channels
from amsunet.data.spacing import LIMITS, Spacing
from amsunet.data.value_range import PixelType, ValueRange
from amsunet.records import Record, refuse_removed

Size = tuple[int, int]
"""Height and width in pixels."""
_Side = Annotated[int, Field(ge=1, le=2**24)]
_Millimetres = Annotated[float, Field(ge=LIMITS[0], le=LIMITS[1])]
ALIKE = 1.1
"""Images whose sides, or whose pixels, differ by no more than this factor count as equal in size, and are not resampled
for it."""
InputFormat = tuple[int, str]
"""Channels and normalization: what distinguishes two inputs made of one image at one scale."""


class Preprocessing(Record):
    """How every image is prepared, in training and in prediction.

    1. ``normalize`` maps intensities to ``in_channels`` channels of uint8.

       - ``depth``: the range of the training images of the same type, or a window, which is the same for all images;
         for other values the standard range that they fill, else their percentiles.
       - ``percentiles``: the 0.5th to the 99.5th percentile of the image.
       - ``channels``: the same for every channel by itself.
       - ``gamma``: as ``percentiles``; then a dark image is raised to a power, 0.4 at the least, that brings its mean
         to 0.3, so that dim objects are seen beside bright ones.
       - ``bright_on_dark``: as ``gamma``, after images with dark objects are inverted (``find_polarity``), so that
         stained tissue looks like fluorescence.

    2. ``resize`` scales by ``scale``. An image of another size than the training images is treated by ``image_scale``:
       ``factor`` takes it as a larger or smaller view and scales it likewise; ``size`` takes it as the same view in
       more or fewer pixels and brings it to the area of ``typical_size`` first. Known spacings decide instead.
    3. Where the network runs, ``mean`` is subtracted and the result divided by ``std``, both of values in 0 ... 1.
    """

    former_names: ClassVar[Mapping[str, str]] = {"windowing": "normalization"}

    in_channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
    channel_names: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = ()
    """The names of the channels; empty for grey and colours."""
    normalization: Annotated[Normalization, BeforeValidator(refuse_removed)]
    scale: Annotated[float, Field(ge=1e-4, le=4)] = 1.0
    image_scale: ImageScale = "factor"
    typical_size: tuple[_Side, _Side] | None = None
    """Median height and width of the training images; None in files of earlier versions."""
    size_range: tuple[tuple[_Side, _Side], tuple[_Side, _Side]] | None = None
    """The smallest and the largest size of the training images."""
    spacing: tuple[_Millimetres, _Millimetres] | None = None
    """Millimetres a pixel of a typical training image, where all of them are known."""
    mean: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    std: tuple[Annotated[float, Field(ge=1e-4, le=1)], ...]
    values: Annotated[tuple[ValueRange, ...], Field(max_length=len(get_args(PixelType)))] = ()
    """The range of the training images of each pixel type; empty in networks of earlier versions, mostly 8 bits."""
    slice_axis: Literal["x", "y", "z"] | None = None
    """What the training images, slices of volumes, were cut across; None of other images, or where they differed."""
    polarity: Annotated[Polarity, Field(exclude=True)] = "auto"
    """A setting for the images at hand, for ``bright_on_dark``; not saved with the network."""

    @model_validator(mode="after")
    def _one_for_each_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.in_channels:
            raise ValueError("mean and std need a number for each channel")
        if self.channel_names and not len({*self.channel_names}) == len(self.channel_names) == self.in_channels:
            raise ValueError("channel_names needs a name for each channel, no two the same")
        if self.image_scale == "size" and self.typical_size is None:
            raise ValueError("image_scale size needs typical_size")
        return self

    @classmethod
    def blank(
        cls,
        in_channels: int,
        normalization: Normalization,
        scale: float,
        values: tuple[ValueRange, ...] = (),
        channel_names: tuple[str, ...] = (),
    ) -> Self:
        """Make a record before mean and standard deviation are known; they are 0 and 1.

        Args:
            in_channels: Channels of the network's input.
            normalization: How intensities are normalized.
            scale: Working pixels per pixel.
            values: The range of the training images of each pixel type.
            channel_names: The names of the channels; empty for grey and colours.
        """
        return cls(
            in_channels=in_channels,
            channel_names=channel_names,
            normalization=normalization,
            scale=scale,
            mean=(0.0,) * in_channels,
            std=(1.0,) * in_channels,
            values=values,
        )

    @property
    def input_format(self) -> InputFormat:
        """Channels and normalization."""
        return self.in_channels, self.normalization

    @property
    def scaling(self) -> tuple[float, ImageScale, Size | None, Spacing | None]:
        """All that the working size of an image depends on, for comparison between networks."""
        return self.scale, self.image_scale, self.typical_size, self.spacing

    def __call__(self, image: Array, spacing: Spacing | None = None) -> Array:
        """All steps: what a network takes in place of an image.

        Args:
            image: As read: (H, W), or (H, W, C), of uint8, uint16 or float32.
            spacing: Millimetres a pixel (rows, columns), where it is known.

        Returns:
            (in_channels, h, w) of float32, at working size.
        """
        image = image[..., None] if image.ndim == 2 else image
        pixels = channels_first(self.resize(self.normalize(image), spacing)).astype(np.float32) / np.float32(255)
        mean, std = (np.array(values, np.float32)[:, None, None] for values in (self.mean, self.std))
        standardised: Array = (pixels - mean) / std
        return np.ascontiguousarray(standardised)

    def find_range(self, image: Array) -> IntensityRange:
        """Find the range by which ``normalize`` maps an image, so that parts of it are normalized alike.

        Args:
            image: The whole image, (H, W, C).
        """
        return find_range(with_channels(image, self.in_channels), self.normalization, image, self.values, self.polarity)

    def normalize(self, image: Array, intensity_range: IntensityRange | None = None) -> Array:
        """Normalize the intensities of an image.

        Args:
            image: (H, W, C) of uint8, uint16 or float32.
            intensity_range: The range of the whole image, from ``find_range``, if this is a part of it.

        Returns:
            (H, W, in_channels) of uint8.
        """
        seen = with_channels(image, self.in_channels)
        found = intensity_range or find_range(seen, self.normalization, image, self.values, self.polarity)
        return normalize(seen, found)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The values of black and white, where they are the same for all images (``window`` of the plan)."""
        return next(((one.low, one.high) for one in self.values if one.always), None)

    def window(self, image: Array) -> Array:
        """Normalize the intensities of an image, by the former name of ``normalize``.

        Args:
            image: As for ``normalize``.
        """
        return self.normalize(image)

    def factors(self, height: int, width: int, spacing: Spacing | None = None) -> tuple[float, float]:
        """The scale factors for an image.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.
            spacing: Of the image, if known.

        Returns:
            Working pixels per pixel, down and across.
        """
        if spacing is not None and self.spacing is not None:
            down, across = (here / there for here, there in zip(spacing, self.spacing, strict=True))
            if all(1 / ALIKE <= ratio <= ALIKE for ratio in (down, across)):
                return self.scale, self.scale
            return self.scale * down, self.scale * across
        ratio = self.size_ratio(height, width)
        if self.image_scale == "factor" or 1 / ALIKE <= ratio <= ALIKE:
            return self.scale, self.scale
        return self.scale / ratio, self.scale / ratio

    def share(self, height: int, width: int, spacing: Spacing | None = None) -> float:
        """Pixels of an image that are as many working pixels as one of an image of the size trained on.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.
            spacing: Of the image, if known.
        """
        down, across = self.factors(height, width, spacing)
        return self.scale / down * (self.scale / across)

    def size_ratio(self, height: int, width: int) -> float:
        """Side of an image over that of a typical training image, from their areas; 1 if that size is not known.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.
        """
        return 1.0 if self.typical_size is None else math.sqrt(height * width / math.prod(self.typical_size))

    def by_factor(self, scale: float | None = None) -> Preprocessing:
        """The same record with one scale for images of any size.

        Args:
            scale: The scale; None keeps that of training.
        """
        if scale is None:
            return self.model_copy(update={"image_scale": "factor"})
        forgotten = {"typical_size": None, "size_range": None, "spacing": None}
        return self.model_copy(update={"image_scale": "factor", "scale": scale} | forgotten)

    def working_size(self, height: int, width: int, spacing: Spacing | None = None) -> Size:
        """Height and width in which the network sees an image.

        Args:
            height: Of the image, in pixels.
            width: Of the image, in pixels.
            spacing: Of the image, if known.
        """
        down, across = self.factors(height, width, spacing)
        return max(1, round(height * down)), max(1, round(width * across))

    def resize(self, image: Array, spacing: Spacing | None = None) -> Array:
        """Resize a normalized image to its working size.

        Args:
            image: (H, W, C) of uint8.
            spacing: Of the image, if known.

        Returns:
            (h, w, C) of uint8.
        """
        size = self.working_size(image.shape[0], image.shape[1], spacing)
        return _resized(image, size, Image.Resampling.BILINEAR)

    def resize_part(self, part: Array, box: tuple[float, float, float, float], height: int, width: int) -> Array:
        """Resize a box of a part of an image.

        The pixels equal those that ``resize`` gives for the whole image, if the part extends beyond the box by what one
        pixel of the result covers.

        Args:
            part: (H, W, C) of uint8.
            box: Left, top, right and bottom in pixels of the part.
            height: Of the result, in pixels.
            width: Of the result, in pixels.

        Returns:
            (height, width, C) of uint8.
        """
        return _resized(part, (height, width), Image.Resampling.BILINEAR, box)

    def resize_labels(self, labels: Array, spacing: Spacing | None = None) -> Array:
        """Resize labels, (H, W) of uint8, to their working size by nearest neighbour, which makes no new labels.

        Args:
            labels: Of an image.
            spacing: Of the image, if known.
        """
        height, width = labels.shape
        return _resized(labels, self.working_size(height, width, spacing), Image.Resampling.NEAREST)


def channels_first(image: Array) -> Array:
    """View an array (H, W, C) as (C, H, W)."""
    return np.moveaxis(image, 2, 0)


def _resized(
    array: Array,
    size: tuple[int, int],
    resampling: Image.Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> Array:
    if array.shape[:2] == size and box is None:
        return array
    if array.ndim == 3 and array.shape[2] not in (1, 3):  # Pillow would take channels for transparency
        channels = [_resized(array[..., channel], size, resampling, box) for channel in range(array.shape[2])]
        return np.stack(channels, axis=2)
    grey = array.ndim == 3 and array.shape[2] == 1
    picture = Image.fromarray(array[..., 0] if grey else array)
    out = np.asarray(picture.resize((size[1], size[0]), resampling, box))
    return out[..., None] if grey else out
