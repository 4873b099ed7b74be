"""Draw masks over images."""

from __future__ import annotations

import numpy as np
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks.convention import IGNORE_INDEX
from amsunet.data.preprocessing import Preprocessing

# The palette of Okabe and Ito, which colour-blind readers can distinguish; the green is brighter, for dark images.
COLOURS = np.array(
    [(0, 220, 150), (230, 159, 0), (86, 180, 233), (213, 94, 0), (204, 121, 167), (240, 228, 66), (0, 114, 178)],
    np.uint8,
)

_FILL = 0.35
"""Opacity inside an outline."""
_STRIPE = 5
"""Width in pixels of the stripes over ignored pixels."""
_VIEW = Preprocessing.blank(3, "percentiles", 1.0)
_COMPOSITE = Preprocessing.blank(3, "channels", 1.0)


def viewable(image: Array) -> Array:
    """Convert an image for display.

    Args:
        image: (H, W, C) of any type.

    Returns:
        (H, W, 3) of uint8; dark, grey and deep images are stretched to their percentiles. Of channels that are no
        colours the first three are shown as red, green and blue, each stretched by itself.
    """
    if image.shape[2] not in (1, 3):
        shown = image[..., :3]
        return _COMPOSITE.normalize(np.concatenate([shown, np.zeros_like(image[..., :1])], axis=2)[..., :3])
    if image.dtype == np.uint8 and image.shape[2] == 3 and image.max(initial=0) > 127:
        return image
    return _VIEW.normalize(image)


def within(image: Array, window: tuple[float, float] | None) -> Array:
    """An image for pictures, (H, W, C), cut to the window by which a network sees it, if it has one."""
    return image if window is None else image.clip(*window).astype(image.dtype)


def draw_outlines(image: Array, labels: Array) -> Array:
    """Draw the border of every class but the background.

    Args:
        image: (H, W, C) of any type.
        labels: (H, W) of integers.

    Returns:
        (H, W, 3) of uint8.
    """
    out = viewable(image).copy()
    thickness = max(1, round(max(labels.shape) / 500))
    for label in range(1, int(labels[labels != IGNORE_INDEX].max(initial=0)) + 1):
        here = labels == label
        out[here & ~_eroded(here, thickness)] = COLOURS[(label - 1) % len(COLOURS)]
    return out


def _eroded(mask: Array, times: int) -> Array:
    """What is left of a mask (H, W) when its border pixels are taken away so many times; the image's edge is no border.

    The same as ``scipy.ndimage.binary_erosion`` with its cross, which the base installation does not have.
    """
    for _ in range(times):
        around = np.pad(mask, 1, constant_values=True)
        mask = mask & around[2:, 1:-1] & around[:-2, 1:-1] & around[1:-1, 2:] & around[1:-1, :-2]
    return mask


def colour_of(label: int) -> Array:
    """The colour of a class or an object, counted from 1; when the palette is used up, lighter, then darker ones."""
    times, index = divmod(label - 1, len(COLOURS))
    towards = (None, 255, 0)[times % 3]
    colour = COLOURS[index]
    return colour if towards is None else np.asarray((colour.astype(np.int64) + towards) // 2, np.uint8)


def draw_masks(image: Array, labels: Array, objects: Array | None = None) -> Array:
    """Draw every class but the background, filled at low opacity with an outline; ignored pixels get stripes.

    Args:
        image: (H, W, C) of any type.
        labels: (H, W) of integers.
        objects: Numbers of the objects, (H, W); each is then drawn in its colour, instead of classes.

    Returns:
        (H, W, 3) of uint8.
    """
    out = viewable(image).astype(np.float32)
    drawn = labels if objects is None else np.where(labels == IGNORE_INDEX, 0, objects)
    inside = (drawn != 0) & (labels != IGNORE_INDEX)
    numbers, places = np.unique(drawn[inside], return_inverse=True)
    if len(numbers):
        colours = np.stack([colour_of(int(number)) for number in numbers])[places].astype(np.float32)
        opacity = np.where(_border(drawn)[inside], 1, _FILL)[:, None]
        out[inside] += opacity * (colours - out[inside])
    rows, columns = np.indices(labels.shape)
    striped = (labels == IGNORE_INDEX) & ((rows + columns) // _STRIPE % 2 == 0)
    out[striped] += 0.6 * (150 - out[striped])
    return out.round().astype(np.uint8)


def _border(drawn: Array) -> Array:
    """Pixels with a neighbour of another number."""
    border = np.zeros(drawn.shape, np.bool_)
    for axis in (0, 1):
        ahead, behind = (slice(1, None), slice(None, -1))
        one, other = ((part, slice(None)) if axis == 0 else (slice(None), part) for part in (ahead, behind))
        differs = drawn[one] != drawn[other]
        border[one] |= differs
        border[other] |= differs
    return border


def fit(image: Array, width: int, height: int) -> Image.Image:
    """Scale an image to fit into a box; small images are enlarged without smoothing.

    Args:
        image: (H, W, 3) of uint8.
        width: Of the box, in pixels.
        height: Of the box, in pixels.
    """
    ratio = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS if ratio < 2 else Image.Resampling.NEAREST)
