"""From an image as read to what the network takes; the record is saved with the weights."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from amsunet.data.clahe import Place, equalise, find_tables
from amsunet.data.images import Array
from amsunet.data.polarity import find_polarity
from amsunet.data.table import BAND, look_up

Windowing = Literal["depth", "percentiles", "gamma", "bright_on_dark", "clahe"]
Kind = tuple[int, str]
"""Channels and windowing: what sets two views of one image at one scale apart."""
_MAXIMUM_SAMPLED_PIXELS = 1_000_000
_DARK = 0.3
"""Mean, in 0 ... 1, to which darker images are lifted."""
_SMALLEST_GAMMA = 0.4


class Tone(NamedTuple):
    """The values that become black and white, the other way round to invert, and the power in between."""

    low: float
    high: float
    gamma: float
    tables: Array | None = None
    """Of a CLAHE window, what each level becomes in each part of the image."""
    other: Tone | None = None
    """The other way round, where it is in doubt whether objects are darker or brighter than their ground."""
    lead: float = 0.0
    """By how much the Dice to be expected of the other one must be better for it to be taken."""


class Preprocessing(BaseModel):
    """How every image is prepared, in training and ever after.

    1. ``window``: to ``in_channels`` channels of uint8. By ``depth``, the whole range of the file's type;
       by ``percentiles``, the image's own 0.5 to 99.5 per cent range; by ``gamma``, that range and then the power,
       0.4 at the least, that lifts the mean of a dark image to 0.3, so that a few bright objects do not hide
       the dim ones; by ``bright_on_dark``, that after images of dark objects are inverted (``find_polarity``), so
       that stained tissue looks like fluorescence; by ``clahe``, the range and then contrast evened out from part to
       part of the image.
    2. ``resize`` by ``scale``.
    3. Minus ``mean``, over ``std``, both of values in 0 ... 1: where the network runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    in_channels: Literal[1, 3]
    windowing: Windowing
    scale: Annotated[float, Field(gt=0, le=4)] = 1.0
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _one_for_each_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.in_channels:
            raise ValueError("mean and std need a number for each channel")
        return self

    @property
    def kind(self) -> Kind:
        return self.in_channels, self.windowing

    def tone(self, image: Array) -> Tone:
        """What ``window`` finds out of an image (H, W, 1 or 3), to be used for its parts."""
        seen = _with_channels(image, self.in_channels)
        tone = _tone(seen, self.windowing, image)
        return tone._replace(tables=find_tables(_levels(seen, tone))) if self.windowing == "clahe" else tone

    def window(self, image: Array, tone: Tone | None = None, place: Place | None = None) -> Array:
        """Map (H, W, 1 or 3) of any type to (H, W, in_channels) of uint8.

        Args:
            tone: of the whole image, where this is a part of it, and
            place: where that part lies.
        """
        seen = _with_channels(image, self.in_channels)
        levels = _levels(seen, tone or _tone(seen, self.windowing, image))
        return equalise(levels, tone.tables if tone else None, place) if self.windowing == "clahe" else levels

    def working_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that the network sees of an image of that size."""
        return max(1, round(height * self.scale)), max(1, round(width * self.scale))

    def resize(self, image: Array) -> Array:
        """Bring (H, W, C) of uint8 to its working size."""
        return _resized(image, self.working_size(*image.shape[:2]), Image.Resampling.BILINEAR)

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
    return (image @ np.array([0.299, 0.587, 0.114], np.float32))[..., None].round().astype(image.dtype)


def has_dark_objects(image: Array) -> bool:
    """Whether the window ``bright_on_dark`` inverts an image (H, W, 1 or 3)."""
    tone = _tone(image, "bright_on_dark", image)
    return tone.low > tone.high


def _tone(image: Array, windowing: Windowing, as_read: Array) -> Tone:
    if windowing == "depth":
        return Tone(0.0, float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0, 1.0)
    step = max(1, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _MAXIMUM_SAMPLED_PIXELS))))
    sampled = image[::step, ::step]
    low, high = (float(value) for value in np.percentile(sampled, (0.5, 99.5)))
    if high <= low:
        return Tone(float(image.min()), float(image.max()) + 1.0, 1.0)
    if windowing not in ("gamma", "bright_on_dark"):
        return Tone(low, high, 1.0)
    mean = float(np.clip((sampled - low) / (high - low), 0, 1).mean())
    tone = Tone(low, high, _lifting(mean))
    if windowing == "gamma":
        return tone
    inverted = Tone(high, low, _lifting(1 - mean))
    found = find_polarity(as_read[::step, ::step], mean)
    tone, other = (inverted, tone) if found.dark_objects else (tone, inverted)
    return tone if found.sure else tone._replace(other=other, lead=found.lead)


def _lifting(mean: float) -> float:
    return max(_SMALLEST_GAMMA, np.log(_DARK) / np.log(mean)) if 0 < mean < _DARK else 1.0


def _levels(image: Array, tone: Tone) -> Array:
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
