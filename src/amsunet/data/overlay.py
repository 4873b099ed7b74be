"""Drawing masks over images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from amsunet.data.images import Array
from amsunet.data.masks import IGNORED
from amsunet.data.preprocessing import Preprocessing
from amsunet.packages import needed

# Okabe and Ito's palette, which colour-blind readers can tell apart; the green brighter, for dark images.
COLOURS = np.array(
    [(0, 220, 150), (230, 159, 0), (86, 180, 233), (213, 94, 0), (204, 121, 167), (240, 228, 66), (0, 114, 178)],
    np.uint8,
)

_VIEW = Preprocessing(in_channels=3, windowing="percentiles", mean=(0, 0, 0), std=(1, 1, 1))


def viewable(image: Array) -> Array:
    """Bring an image of any type, (H, W, 1 or 3), to (H, W, 3) of uint8 that a screen shows well."""
    if image.dtype == np.uint8 and image.shape[2] == 3 and image.max(initial=0) > 127:
        return image
    return _VIEW.window(image)


def draw_outlines(image: Array, labels: Array) -> Array:
    """Draw the border of every class but the background onto a viewable image, (H, W, 3) of uint8."""
    ndimage = needed("scipy.ndimage", "scipy")
    out = viewable(image).copy()
    thickness = max(1, round(max(labels.shape) / 500))
    for label in range(1, int(labels[labels != IGNORED].max(initial=0)) + 1):
        here = labels == label
        border = here & ~ndimage.binary_erosion(here, iterations=thickness, border_value=1)
        out[border] = COLOURS[(label - 1) % len(COLOURS)]
    return out


def fit(image: Array, width: int, height: int) -> Image.Image:
    """Scale (H, W, 3) of uint8 to fit into a box, small images enlarged without smoothing."""
    ratio = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS if ratio < 2 else Image.Resampling.NEAREST)


def contact_sheet(pictures: Sequence[tuple[str, Array]], *, columns: int = 5, cell: int = 240) -> Image.Image:
    """Lay out named pictures, each (H, W, 3) of uint8, on one sheet."""
    rows = -(-len(pictures) // columns)
    margin, line = 12, 18
    sheet = Image.new("RGB", (columns * (cell + margin) + margin, rows * (cell + line + margin) + margin), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (name, picture) in enumerate(pictures):
        row, column = divmod(number, columns)
        x, y = margin + column * (cell + margin), margin + row * (cell + line + margin)
        small = fit(picture, cell, cell)
        sheet.paste(small, (x + (cell - small.width) // 2, y))
        pen.text((x, y + cell + 2), name if len(name) <= 34 else f"{name[:31]}...", fill="#333333")
    return sheet
