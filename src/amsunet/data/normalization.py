"""Normalize intensities: which values of an image become black and white, and the image in uint8 with these."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from amsunet.choices import Normalization, Polarity
from amsunet.data.images import Array
from amsunet.data.lookup import BAND, look_up
from amsunet.data.polarity import find_polarity
from amsunet.data.value_range import ValueRange, evident_range, shows, values_of
from amsunet.errors import InputError

_LUMA = (0.299, 0.587, 0.114)
_MAXIMUM_SAMPLED_PIXELS = 1_000_000
_FAR = 100
"""A few values that lie this many ranges outside would leave three levels to all others, which are noise then."""
_GAP = 8
"""So many ranges away from all other values, one at either end would leave few levels to them."""
_MOST_DRAWN, _MOST_UNSEEN = 0.05, 0.5
"""Largest share of pixels of such a value: at the upper end a scale bar or text drawn into the image, or dead pixels;
at the lower end what stands for no data."""
_DARK = 0.3
"""Mean, in 0 ... 1, to which ``gamma`` brightens darker images."""
_SMALLEST_GAMMA = 0.4


class IntensityRange(NamedTuple):
    """The values that become black and white, swapped to invert the image, and the exponent in between."""

    low: float
    high: float
    gamma: float
    channels: tuple[IntensityRange, ...] = ()
    """The ranges of the channels, if each is normalized by itself."""
    guess: str = ""
    """How the values were interpreted, for an image whose values are not those of the training images; else empty."""
    other: IntensityRange | None = None
    """The inverse, if it is uncertain whether objects are darker or brighter than the background."""
    lead: float = 0.0
    """By how much the expected Dice of ``other`` has to be better for it to be used."""


def with_channels(image: Array, channels: int) -> Array:
    """Convert an image to grey, or repeat a grey one.

    Args:
        image: (H, W, C).
        channels: Of the network: those of the image, or 1 for colours, or 3 for grey.

    Returns:
        (H, W, channels) of the same type.

    Raises:
        InputError: If an image of other channels would have to be converted.
    """
    if image.shape[2] == channels:
        return image
    if not {image.shape[2], channels} <= {1, 3}:
        raise InputError(
            f"an image has {image.shape[2]} channels, and the network takes {channels}: name images with as many",
            code="channels",
        )
    if channels == 3:
        return np.repeat(image[..., :1], 3, axis=2)
    # The luma weights of ITU-R BT.601, as in Pillow; one after the other, for a matrix product rounds by the processor.
    red, green, blue = (image[..., place].astype(np.float32) * np.float32(weight) for place, weight in enumerate(_LUMA))
    grey: Array = ((red + green) + blue)[..., None]
    return grey.astype(image.dtype) if image.dtype.kind == "f" else grey.round().astype(image.dtype)


def has_dark_objects(image: Array) -> bool:
    """Whether the normalization ``bright_on_dark`` inverts an image (H, W, 1 or 3)."""
    found = find_range(image, "bright_on_dark", image)
    return found.low > found.high


def find_range(
    image: Array,
    normalization: Normalization,
    as_read: Array,
    known: tuple[ValueRange, ...] = (),
    polarity: Polarity = "auto",
) -> IntensityRange:
    """Find the range by which an image is normalized.

    Args:
        image: (H, W, C), with the channels of the network.
        normalization: How intensities are normalized, as ``Preprocessing`` describes.
        as_read: The image with the channels of the file, whose colours show its polarity.
        known: The range of the training images of each pixel type.
        polarity: Whether objects are brighter or darker than the background; ``auto`` finds it out.
    """
    if normalization == "depth":
        return _range_by_depth(image, known)
    if normalization == "channels":
        channels = [image[..., [channel]] for channel in range(image.shape[2])]
        parts = tuple(find_range(one, "percentiles", one) for one in channels)
        return IntensityRange(min(part.low for part in parts), max(part.high for part in parts), 1.0, channels=parts)
    step = max(1, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / _MAXIMUM_SAMPLED_PIXELS))))
    sampled = image[::step, ::step]
    low, high = nearly_all(sampled)
    if high <= low:  # nearly all pixels are equal
        low, high = float(image.min()), float(image.max())
        return IntensityRange(low, high if high > low else low + 1.0, 1.0)
    if normalization not in ("gamma", "bright_on_dark"):
        return IntensityRange(low, high, 1.0)
    mean = float(np.clip((sampled - low) / (high - low), 0, 1).mean())
    upright = IntensityRange(low, high, _lifting(mean))
    if normalization == "gamma":
        return upright
    inverted = IntensityRange(high, low, _lifting(1 - mean))
    if polarity != "auto":
        return inverted if polarity == "dark-on-bright" else upright
    found = find_polarity(as_read[::step, ::step], mean)
    likely, other = (inverted, upright) if found.dark_objects else (upright, inverted)
    return likely if found.sure else likely._replace(other=other, lead=found.lead)


def _lifting(mean: float) -> float:
    return max(_SMALLEST_GAMMA, np.log(_DARK) / np.log(mean)) if 0 < mean < _DARK else 1.0


def nearly_all(values: Array) -> tuple[float, float]:
    """The 0.5th to 99.5th percentile; in deep images wider if rarer values lie far outside, so that noise does not fill
    the levels, but for one value that was drawn into them or stands for no data.
    """
    if values.dtype != np.uint8:
        values = _without_drawn(values)
    least, low, high, most = (float(value) for value in np.percentile(values, (0.05, 0.5, 99.5, 99.95)))
    if values.dtype == np.uint8:
        return low, high
    span = _FAR * (high - low)
    return least if high - least > span else low, most if most - low > span else high


def _without_drawn(values: Array) -> Array:
    for end, share in ((values.max(), _MOST_DRAWN), (values.min(), _MOST_UNSEEN)):
        rest = values[values != end]
        if not 0 < values.size - rest.size <= share * values.size:
            continue
        low, high = (float(value) for value in np.percentile(rest, (0.5, 99.5)))
        if high > low and max(low - float(end), float(end) - high) > _GAP * (high - low):
            values = rest
    return values


def _range_by_depth(image: Array, known: tuple[ValueRange, ...]) -> IntensityRange:
    """The range of the training images of this type; else a guess: the standard range that the values fill."""
    of_type = next((one for one in known if one.type == image.dtype), None)
    if of_type and of_type.always:
        return IntensityRange(of_type.low, of_type.high, 1.0)
    if image.dtype == np.uint8 and (of_type or not known):
        return IntensityRange(0.0, 255.0, 1.0)
    values = values_of(image)
    spread = find_range(image, "percentiles", image)
    if of_type and shows(of_type, values, spread.high):
        return IntensityRange(of_type.low, of_type.high if of_type.high > of_type.low else of_type.low + 1.0, 1.0)
    taken = evident_range(values, spread.high)
    low, high = (taken.low, taken.high) if taken else (spread.low, spread.high)
    if (values.type, low, high) == ("float32", 0, 1):  # the standard of fractions, not a guess
        return IntensityRange(low, high, 1.0)
    trained = " and ".join(map(str, known)) or "8 bits, as far as is known"
    guess = f"{values}, seen as {low:g} to {high:g}; the training images have {trained}"
    return IntensityRange(low, high, 1.0, guess=guess)


def normalize(image: Array, intensity_range: IntensityRange) -> Array:
    """Map an image to the levels of a range.

    Args:
        image: (H, W, C) of uint8, uint16 or float32.
        intensity_range: The values that become black and white: those of the whole image if this is a part of it.

    Returns:
        (H, W, C) of uint8.
    """
    if intensity_range.channels:
        parts = [normalize(image[..., [channel]], one) for channel, one in enumerate(intensity_range.channels)]
        return np.concatenate(parts, axis=2)
    low, high, gamma = intensity_range[:3]
    if image.dtype == np.uint8 and (low, high, gamma) == (0.0, 255.0, 1.0):
        return image
    if image.dtype.kind == "u":
        levels = np.arange(np.iinfo(image.dtype).max + 1, dtype=np.float32)
        return look_up(_to_bytes(levels, low, high, gamma), image)
    return np.concatenate([_to_bytes(image[i : i + BAND], low, high, gamma) for i in range(0, len(image), BAND)])


def _to_bytes(values: Array, low: float, high: float, gamma: float) -> Array:
    levels = np.clip((values - low) / (high - low), 0, 1)
    return (255 * (levels if gamma == 1 else levels**gamma)).round().astype(np.uint8)
