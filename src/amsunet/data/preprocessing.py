"""From an image as read to what the network takes; the record is saved with the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
from PIL import Image
from pydantic import BeforeValidator, Field, model_validator

from amsunet.choices import ImageScale, Normalization
from amsunet.data.images import Array
from amsunet.data.polarity import find_polarity
from amsunet.data.table import BAND, look_up
from amsunet.data.value_range import ValueRange, evident_range, shows, values_of
from amsunet.records import Record
from amsunet.removed import refuse_removed

Polarity = Literal["auto", "bright-on-dark", "dark-on-bright"]
"""What the objects of images are: found out of each image, or said of all of them."""
Size = tuple[int, int]
"""Height and width in pixels."""
Spacing = tuple[float, float]
"""Millimetres a pixel, down and across."""
ALIKE = 1.1
"""Images whose sides differ by no more are alike in size: they are scaled by one factor, not resampled for a little."""
InputFormat = tuple[int, str]
"""Channels and normalization: what sets two views of one image at one scale apart."""
_MAXIMUM_SAMPLED_PIXELS = 1_000_000
_FAR = 100
"""Ranges of nearly all values: with few ones as far outside, these would share three levels, and are noise."""
_DARK = 0.3
"""Mean, in 0 ... 1, to which darker images are lifted."""
_SMALLEST_GAMMA = 0.4


class IntensityRange(NamedTuple):
    """The values that become black and white, the other way round to invert, and the power in between."""

    low: float
    high: float
    gamma: float
    channels: tuple[IntensityRange, ...] = ()
    """Of a window of every channel by itself, theirs."""
    guess: str = ""
    """How an image whose values are not those of the training images was understood, if it is one."""
    other: IntensityRange | None = None
    """The other way round, where it is in doubt whether objects are darker or brighter than their ground."""
    lead: float = 0.0
    """By how much the Dice to be expected of the other one must be better for it to be taken."""


class Preprocessing(Record):
    """How every image is prepared, in training and ever after.

    1. ``window``: to ``in_channels`` channels of uint8. By ``depth``, the range of the training images of its type,
       for another image the one that its values point to, else its percentiles;
       by ``percentiles``, the image's own 0.5 to 99.5 per cent range; by ``channels``, that of every channel by
       itself; by ``gamma``, that of all and then the power,
       0.4 at the least, that lifts the mean of a dark image to 0.3, so that a few bright objects do not hide
       the dim ones; by ``bright_on_dark``, that after images of dark objects are inverted (``find_polarity``), so
       that stained tissue looks like fluorescence.
    2. ``resize`` by ``scale``, if the image is of the size trained on. Another one is, by ``image_scale``, either more
       or less of such a view, and taken at the same ``factor``; or the same view in other pixels, and brought to
       ``typical_size`` first, by its area, with its sides in proportion. Where the spacing of both is known, that
       alone decides.
    3. Minus ``mean``, over ``std``, both of values in 0 ... 1: where the network runs.
    """

    former_names: ClassVar[Mapping[str, str]] = {"windowing": "normalization"}

    in_channels: Literal[1, 3]
    normalization: Annotated[Normalization, BeforeValidator(refuse_removed)]
    scale: Annotated[float, Field(gt=0, le=4)] = 1.0
    image_scale: ImageScale = "factor"
    typical_size: Size | None = None
    """Median of the images trained on; None in files of earlier versions."""
    size_range: tuple[Size, Size] | None = None
    """The smallest and the largest of them."""
    spacing: Spacing | None = None
    """Of the images trained on, where it is known."""
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    values: tuple[ValueRange, ...] = ()
    """Of the training images of each type of pixels; in networks of earlier versions not told: 8 bits as a rule."""
    polarity: Annotated[Polarity, Field(exclude=True)] = "auto"
    """Said of the images at hand, for ``bright_on_dark``; not kept with the network."""

    @model_validator(mode="after")
    def _one_for_each_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.in_channels:
            raise ValueError("mean and std need a number for each channel")
        if self.image_scale == "size" and self.typical_size is None:
            raise ValueError("image_scale size needs typical_size")
        return self

    @classmethod
    def blank(
        cls,
        in_channels: Literal[1, 3],
        normalization: Normalization,
        scale: float,
        values: tuple[ValueRange, ...] = (),
    ) -> Self:
        """Before mean and standard deviation are known."""
        return cls(
            in_channels=in_channels,
            normalization=normalization,
            scale=scale,
            mean=(0.0,) * in_channels,
            std=(1.0,) * in_channels,
            values=values,
        )

    @property
    def input_format(self) -> InputFormat:
        return self.in_channels, self.normalization

    @property
    def scaling(self) -> tuple[float, ImageScale, Size | None, Spacing | None]:
        """All that the working size of an image depends on."""
        return self.scale, self.image_scale, self.typical_size, self.spacing

    def tone(self, image: Array) -> IntensityRange:
        """What ``window`` finds out of an image (H, W, 1 or 3), to be used for its parts."""
        return _tone(_with_channels(image, self.in_channels), self.normalization, image, self.values, self.polarity)

    def window(self, image: Array, tone: IntensityRange | None = None) -> Array:
        """Map (H, W, 1 or 3) of any type to (H, W, in_channels) of uint8.

        Args:
            tone: of the whole image, where this is a part of it.
        """
        seen = _with_channels(image, self.in_channels)
        return _levels(seen, tone or _tone(seen, self.normalization, image, self.values, self.polarity))

    def factors(self, height: int, width: int, spacing: Spacing | None = None) -> tuple[float, float]:
        """Working pixels per pixel, down and across, of an image of that size."""
        if spacing is not None and self.spacing is not None:
            down, across = (here / there for here, there in zip(spacing, self.spacing, strict=True))
            return self.scale * down, self.scale * across
        ratio = self.size_ratio(height, width)
        if self.image_scale == "factor" or 1 / ALIKE <= ratio <= ALIKE:
            return self.scale, self.scale
        return self.scale / ratio, self.scale / ratio

    def size_ratio(self, height: int, width: int) -> float:
        """How many times as long the sides of an image are as those of one trained on, by the areas; 1 if not known."""
        return 1.0 if self.typical_size is None else math.sqrt(height * width / math.prod(self.typical_size))

    def by_factor(self, scale: float | None = None) -> Preprocessing:
        """The same with one scale for images of any size: another one, or that of training."""
        if scale is None:
            return self.model_copy(update={"image_scale": "factor"})
        forgotten = {"typical_size": None, "size_range": None, "spacing": None}
        return self.model_copy(update={"image_scale": "factor", "scale": scale} | forgotten)

    def working_size(self, height: int, width: int, spacing: Spacing | None = None) -> Size:
        """Height and width that the network sees of an image of that size."""
        down, across = self.factors(height, width, spacing)
        return max(1, round(height * down)), max(1, round(width * across))

    def resize(self, image: Array, spacing: Spacing | None = None) -> Array:
        """Bring (H, W, C) of uint8 to its working size."""
        size = self.working_size(image.shape[0], image.shape[1], spacing)
        return _resized(image, size, Image.Resampling.BILINEAR)

    def resize_part(self, part: Array, box: tuple[float, float, float, float], height: int, width: int) -> Array:
        """Bring a box (left, top, right, bottom) of (H, W, C) of uint8 to a size.

        The pixels are those that ``resize`` gives for the whole image, if around the box there is as much of it as
        one pixel of the result covers.
        """
        return _resized(part, (height, width), Image.Resampling.BILINEAR, box)

    def resize_labels(self, labels: Array) -> Array:
        """Bring labels (H, W) of uint8 to their working size; no new value appears."""
        return _resized(labels, self.working_size(*labels.shape), Image.Resampling.NEAREST)


def channels_first(image: Array) -> Array:
    """View (H, W, C) as (C, H, W)."""
    return np.moveaxis(image, 2, 0)


def _with_channels(image: Array, channels: int) -> Array:
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image[..., :1], 3, axis=2)
    # The usual luma weights (ITU-R BT.601), as Pillow's conversion to grey has them.
    grey = (image @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return grey.astype(image.dtype) if image.dtype.kind == "f" else grey.round().astype(image.dtype)


def has_dark_objects(image: Array) -> bool:
    """Whether the window ``bright_on_dark`` inverts an image (H, W, 1 or 3)."""
    tone = _tone(image, "bright_on_dark", image)
    return tone.low > tone.high


def _tone(
    image: Array,
    normalization: Normalization,
    as_read: Array,
    known: tuple[ValueRange, ...] = (),
    polarity: Polarity = "auto",
) -> IntensityRange:
    if normalization == "depth":
        return _depth_tone(image, known)
    if normalization == "channels":
        channels = [image[..., [channel]] for channel in range(image.shape[2])]
        parts = tuple(_tone(one, "percentiles", one) for one in channels)
        return IntensityRange(min(part.low for part in parts), max(part.high for part in parts), 1.0, channels=parts)
    step = max(1, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _MAXIMUM_SAMPLED_PIXELS))))
    sampled = image[::step, ::step]
    low, high = _nearly_all(sampled)
    if high <= low:  # few pixels differ from the rest, or none
        low, high = float(image.min()), float(image.max())
        return IntensityRange(low, high if high > low else low + 1.0, 1.0)
    if normalization not in ("gamma", "bright_on_dark"):
        return IntensityRange(low, high, 1.0)
    mean = float(np.clip((sampled - low) / (high - low), 0, 1).mean())
    tone = IntensityRange(low, high, _lifting(mean))
    if normalization == "gamma":
        return tone
    inverted = IntensityRange(high, low, _lifting(1 - mean))
    if polarity != "auto":
        return inverted if polarity == "dark-on-bright" else tone
    found = find_polarity(as_read[::step, ::step], mean)
    tone, other = (inverted, tone) if found.dark_objects else (tone, inverted)
    return tone if found.sure else tone._replace(other=other, lead=found.lead)


def _lifting(mean: float) -> float:
    return max(_SMALLEST_GAMMA, np.log(_DARK) / np.log(mean)) if 0 < mean < _DARK else 1.0


def _nearly_all(values: Array) -> tuple[float, float]:
    """The 0.5 to 99.5 per cent range; of deep images wider where objects on less of them lie far outside, so that the
    noise beside them does not fill the levels.
    """
    least, low, high, most = (float(value) for value in np.percentile(values, (0.05, 0.5, 99.5, 99.95)))
    if values.dtype == np.uint8:
        return low, high
    span = _FAR * (high - low)
    return least if high - least > span else low, most if most - low > span else high


def _depth_tone(image: Array, known: tuple[ValueRange, ...]) -> IntensityRange:
    """By the range of the training images of this type; else by what the values point to, and that is a guess."""
    own = next((one for one in known if one.type == image.dtype), None)
    if image.dtype == np.uint8 and (own or not known):
        return IntensityRange(0.0, 255.0, 1.0)
    values = values_of(image)
    spread = _tone(image, "percentiles", image)
    if own and shows(own, values, spread.high):
        return IntensityRange(own.low, own.high if own.high > own.low else own.low + 1.0, 1.0)
    taken = evident_range(values, spread.high)
    low, high = (taken.low, taken.high) if taken else (spread.low, spread.high)
    if (values.type, low, high) == ("float32", 0, 1):  # which is black and white everywhere, and no guess
        return IntensityRange(low, high, 1.0)
    trained = " and ".join(map(str, known)) or "8 bits, as far as is known"
    guess = f"{values}, seen as {low:g} to {high:g}; the training images have {trained}"
    return IntensityRange(low, high, 1.0, guess=guess)


def _levels(image: Array, tone: IntensityRange) -> Array:
    if tone.channels:
        parts = [_levels(image[..., [channel]], one) for channel, one in enumerate(tone.channels)]
        return np.concatenate(parts, axis=2)
    low, high, gamma = tone[:3]
    if image.dtype == np.uint8 and (low, high, gamma) == (0.0, 255.0, 1.0):
        return image
    if image.dtype.kind == "u":
        levels = np.arange(np.iinfo(image.dtype).max + 1, dtype=np.float32)
        return look_up(_to_bytes(levels, low, high, gamma), image)
    return np.concatenate([_to_bytes(image[i : i + BAND], low, high, gamma) for i in range(0, len(image), BAND)])


def _to_bytes(values: Array, low: float, high: float, gamma: float) -> Array:
    levels = np.clip((values - low) / (high - low), 0, 1)
    return (255 * (levels if gamma == 1 else levels**gamma)).round().astype(np.uint8)


def _resized(
    array: Array,
    size: tuple[int, int],
    resampling: Image.Resampling,
    box: tuple[float, float, float, float] | None = None,
) -> Array:
    if array.shape[:2] == size and box is None:
        return array
    grey = array.ndim == 3 and array.shape[2] == 1
    picture = Image.fromarray(array[..., 0] if grey else array)
    out = np.asarray(picture.resize((size[1], size[0]), resampling, box))
    return out[..., None] if grey else out
