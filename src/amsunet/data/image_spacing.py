"""The size of a pixel, read from the header of an image file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL.PngImagePlugin import PngImageFile

from amsunet.data import tiff_pages
from amsunet.data.channel_files import first_channel
from amsunet.data.containers import find_address
from amsunet.data.image_file import is_tiff, open_picture, open_tiff, orientation_of, reading
from amsunet.data.slides import SLIDE_SUFFIXES, open_slide
from amsunet.data.spacing import Spacing, of_density, of_tiff_page

_INCH = 25.4


def spacing_of(path: Path) -> Spacing | None:
    """Read how large the pixels of an image are.

    Only what a standard defines is taken: ImageJ's and OME's calibration of a TIFF, DICOM, NIfTI, slides. Of
    resolutions in inches or centimetres, as TIFF and PNG have them for printers, those that only an instrument has.

    Args:
        path: An image file, or the address of an image in a file of several, see ``containers``.

    Returns:
        Millimetres a pixel, down and across, of the upright image; None where the file does not say it, or cannot be
        read, of which ``read_image`` gives the reason.
    """
    with suppress(Exception), reading():
        path = first_channel(path)  # all channels have one
        if (address := find_address(path)) is not None:
            return address.reader.spacing(*address)
        if path.suffix.lower() in SLIDE_SUFFIXES:
            with open_slide(path) as slide:
                return slide.spacing
        found = _of_tiff(path) if is_tiff(path) else _of_png(path)
        if found is None or found[0] == found[1] or orientation_of(path) <= 4:
            return found
        return found[::-1]
    return None


def _of_tiff(path: Path) -> Spacing | None:
    with open_tiff(path) as file:
        return of_tiff_page(tiff_pages.only_image(file, path)[0], file.pages.first.description)


def _of_png(path: Path) -> Spacing | None:
    if path.suffix.lower() != ".png":
        return None
    with open_picture(path) as picture:
        if not isinstance(picture, PngImageFile) or "dpi" not in picture.info:
            return None
        across, down = picture.info["dpi"]
        return of_density(down, across, _INCH)
