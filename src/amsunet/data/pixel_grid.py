"""Whether an image and its mask lie on one grid of pixels: of one size, and the same way up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from amsunet.data.image_file import orientation_of
from amsunet.data.images import Array
from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.data.scan import Scan


def refuse_other_size(image: Array, mask: Array, image_path: Path, mask_path: Path) -> None:
    """Refuse a mask of another size than its image.

    Args:
        image: (H, W, C), upright.
        mask: (H, W) or (H, W, C), upright.
        image_path: The file of the image.
        mask_path: The file of the mask.

    Raises:
        InputError: If their sizes differ; the remedy is one that keeps the mask on what it marks.
    """
    (height, width), (rows, columns) = image.shape[:2], mask.shape[:2]
    if (height, width) == (rows, columns):
        return
    turns = {"image": orientation_of(image_path), "mask": orientation_of(mask_path)}
    marked = [name for name, turn in turns.items() if turn > 4]
    if (height, width) == (columns, rows):
        remedy = "one of them lies on its side: turn it"
        if len(marked) == 1:
            remedy = f"only the {marked[0]} is marked as turned (orientation {turns[marked[0]]}): save both upright"
    elif height != rows and width != columns and abs(rows * width - columns * height) <= max(height, width):
        remedy = "if both show the same, resize the mask to the size of the image, by nearest neighbour"
    else:
        remedy = "export both at the same size and of the same part, for stretching one would shift the mask"
    raise InputError(
        f"{image_path} has {width} x {height} pixels, its mask {mask_path} {columns} x {rows}: {remedy}", code="size"
    )


def is_turned_apart(image: Path, mask: Path, *, square: bool) -> bool:
    """Whether an image and its mask have different orientations, and their sizes do not confirm it.

    Args:
        image: The file of the image.
        mask: The file of the mask.
        square: Whether they are as high as wide.
    """
    turns = orientation_of(image), orientation_of(mask)
    return turns[0] != turns[1] and (square or (turns[0] > 4) == (turns[1] > 4))


def warn_of_turned_apart(scans: Iterable[Scan]) -> list[str]:
    """Warn of images whose orientation differs from that of their masks."""
    found = [scan.sample for scan in scans if scan.turned_apart]
    if not found:
        return []
    mask = next(iter(found[0].masks.values()))
    return [
        f"{len(found)} images are stored in another orientation than their masks (orientation of {found[0].image} is "
        f"{orientation_of(found[0].image)}, of {mask} {orientation_of(mask)}): both were turned upright; check them, "
        "and save the images without it if the masks were drawn on what is stored"
    ]
