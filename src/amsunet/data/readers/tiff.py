"""Read images within a TIFF by the axes that are set: slices, moments, and pages or samples that are channels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amsunet.data import tiff_pages
from amsunet.data.channels import numbered
from amsunet.data.image_file import open_tiff, read_errors, reading
from amsunet.data.images import decode_channels, decode_tiff
from amsunet.data.spacing import of_tiff_page
from amsunet.data.tiff import holds_channels, kept_samples
from amsunet.data.tiff_pages import only_image
from amsunet.errors import InputError


def places(file: Path) -> list[str]:
    """A TIFF is one image unless axes are set, see ``places_along``."""
    return [""]


def places_along(file: Path, axes: str) -> list[str]:
    """The images in a file by the axes that are set.

    Args:
        file: A TIFF.
        axes: As ``ZCYX``, see ``tiff_pages``.

    Returns:
        Their places in order; ``[""]`` if it is one image as it stands.

    Raises:
        InputError: If it cannot be read, or has other axes.
    """
    with read_errors(file), open_tiff(file) as opened:
        return tiff_pages.planes(opened, file, axes)


def size(file: Path, place: str) -> tuple[int, int]:
    """Height and width of an image in pixels, from the header."""
    with reading(), open_tiff(file) as opened:
        page = tiff_pages.pages_at(opened, file, place)[0][0]
        return int(page.imagelength), int(page.imagewidth)


def read(file: Path, place: str) -> npt.NDArray[Any]:
    """An image, (H, W) or (H, W, C)."""
    if not place:
        return decode_tiff(file, as_image=True)
    with open_tiff(file) as opened:
        pages, samples = tiff_pages.pages_at(opened, file, place)
        return decode_channels(pages, file, samples)


def read_labels(file: Path, place: str) -> npt.NDArray[Any]:
    """A mask, (H, W), in the numbers that are stored.

    Raises:
        InputError: If it has several channels.
    """
    pixels = read(file, place)
    if pixels.ndim == 3 and pixels.shape[2] != 1:
        raise InputError(f"{file / place} has {pixels.shape[2]} channels, where a mask of a stack has one: save it so")
    return np.ascontiguousarray(pixels.reshape(pixels.shape[:2]))


def spacing(file: Path, place: str) -> tuple[float, float] | None:
    """Millimetres a pixel, see ``containers.Reader``."""
    with read_errors(file), open_tiff(file) as opened:
        pages = tiff_pages.pages_at(opened, file, place)[0] if place else only_image(opened, file)
        return of_tiff_page(pages[0], opened.pages.first.description)


def channel_names(file: Path, place: str) -> tuple[str, ...]:
    """The names of an image's channels, or their numbers; empty for grey and colours."""
    with read_errors(file), open_tiff(file) as opened:
        pages, samples = tiff_pages.pages_at(opened, file, place) if place else (only_image(opened, file), "")
        if len(pages) == 1 and samples != "C" and (samples or not holds_channels(pages[0])):
            return ()
        count = len(pages) if len(pages) > 1 else len(kept_samples(pages[0], samples))
        return tiff_pages.channel_names(opened, count) or numbered(count)
