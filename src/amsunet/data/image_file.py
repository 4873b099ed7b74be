"""Open image files: only regular ones, of formats that are read, whose headers can be true.

Every image is opened here, masks and thumbnails too. Without its list of formats, Pillow tries all it knows, by what
stands in the file and not by its name: a PostScript file would be run by another program.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import tifffile
from PIL import Image, ImageFile, UnidentifiedImageError

from amsunet.data import tiff, tiff_pages
from amsunet.data.channel_files import first_channel, split_channels
from amsunet.data.containers import file_of, find_address
from amsunet.data.discovery.other_formats import describe_content
from amsunet.data.image_header import MAXIMUM_PIXELS, NO_MEMORY, claim_of, refuse_claim
from amsunet.data.orientation import known_orientation, orientation_of_page
from amsunet.errors import InputError
from amsunet.memory import is_out_of_memory
from amsunet.process_state import Borrowed, quiet
from amsunet.regular_file import open_regular, read_regular, refuse_irregular

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "WEBP")
"""The formats that are read, as Pillow names them; JPEG includes photographs with their previews, MPO."""
TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf"})
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".webp"}
ORIENTATION = 0x0112
"""Tag of EXIF for the orientation."""
_MOST_PAGES = 10_000
"""Pages of a TIFF that are looked through for the one image."""
_MOST_SCANS = 100
"""Scans of a JPEG; a photograph has about ten, and each goes through all pixels anew."""


def _limit(pixels: int | None) -> None:
    Image.MAX_IMAGE_PIXELS = pixels


# The size is checked by ``refuse_claim`` before a pixel is decoded, with an error that advises what to do. Pillow's
# own limit can only be lifted globally; it is restored after each file.
_ANY_SIZE = Borrowed(lambda: Image.MAX_IMAGE_PIXELS, _limit, None)


@contextmanager
def reading() -> Iterator[None]:
    """Lift Pillow's size limit and silence the decoders' loggers; a broken file is reported once, by an InputError."""
    with _ANY_SIZE(), quiet("tifffile", "PIL", level=logging.CRITICAL):
        yield


@contextmanager
def memory_errors(path: Path) -> Iterator[None]:
    """Turn a want of memory within into a failure of one image, so that what is done with others goes on.

    Args:
        path: The image.

    Raises:
        InputError: If memory ran out, of the code ``NO_MEMORY``.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"{path} does not fit into memory: close other programs, or cut it into tiles", code=NO_MEMORY
        ) from error


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn any error of a decoder within into an InputError.

    Args:
        path: The file that is read.

    Raises:
        InputError: If it is missing, no regular file, empty, damaged, no image, or too large for memory; the message
            names it.
    """
    try:
        if refuse_irregular(file := file_of(path)).st_size == 0:
            raise InputError(f"{file} is empty (0 bytes): copy it again from where it came")
        with reading(), memory_errors(path):
            yield
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path") from None
    except PermissionError:
        raise InputError(f"{path} may not be read: change its permissions") from None
    except UnidentifiedImageError:
        reason = describe_content(file) or "not an image, despite its suffix: remove it or save it again"
        raise InputError(f"{path} is {reason}") from None
    except InputError:
        raise
    except Exception as error:
        if is_image(file) and (kind := describe_content(file)):
            raise InputError(f"{path} is {kind}") from None
        # A damaged file makes decoders raise anything: struct.error, TypeError, IndexError, ...
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} is damaged ({reason}): copy it again from where it came") from error


@contextmanager
def open_picture(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open an image by Pillow, for what is done within.

    Args:
        path: An image file.

    Yields:
        The picture; nothing is decoded yet.

    Raises:
        InputError: If it is no regular file, or its header cannot be true.
        UnidentifiedImageError: If it has none of the formats that are read.
        Exception: Any other error of a decoder, see ``read_errors``.
    """
    # An open file, not its path: Pillow scrambles turned TIFFs when it maps them into memory.
    with open_regular(path) as file:
        picture = _identify(file)
        refuse_claim(path, claim_of(picture))
        if picture.info.get("progressive") and (scans := read_regular(path).count(b"\xff\xda")) > _MOST_SCANS:
            raise InputError(f"{path} is a JPEG of {scans} scans, where a photograph has about ten: save it again")
        yield picture


@contextmanager
def open_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF by tifffile, for what is done within.

    Args:
        path: A TIFF.

    Yields:
        The opened file.

    Raises:
        InputError: If it is no regular file, or holds, or claims, very many pages.
        Exception: Any error of tifffile, see ``read_errors``.
    """
    with open_regular(path) as file:
        pages = tiff.count_pages(file)
        if pages > _MOST_PAGES:
            raise InputError(f"{path} holds {pages} pages: save each page as a file of its own")
        # Only this file: OME names others by their paths, which may be pipes and lie anywhere.
        with tifffile.TiffFile(file, _multifile=False) as opened:
            tiff_pages.refuse_planes(opened, path)
            yield opened


def _identify(file: BinaryIO) -> ImageFile.ImageFile:
    return Image.open(file, formats=FORMATS)


def is_image(path: Path) -> bool:
    """Whether a file is an image of a format that is read, by its name; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def is_tiff(path: Path) -> bool:
    """Whether a file is a TIFF, by its name."""
    return path.suffix.lower() in TIFF_SUFFIXES


def count_pixels(path: Path) -> int:
    """Number of pixels of an image, from its header alone; ``MAXIMUM_PIXELS`` if the header cannot be read."""
    if parts := split_channels(path):
        return max(map(count_pixels, parts.values()))
    size = stored_size(path)
    return MAXIMUM_PIXELS if size is None else math.prod(size)


def stored_size(path: Path) -> tuple[int, int] | None:
    """Height and width of an image as it is stored, from its header alone; None if the header cannot be read."""
    path = first_channel(path)  # all channels have one
    if (address := find_address(path)) is not None:
        with suppress(Exception), reading():  # read_image reports the reason
            return address.reader.size(*address)
        return None
    with suppress(Exception), reading(), open_regular(path) as file:  # read_image reports the reason
        try:
            picture = _identify(file)
            return picture.height, picture.width
        except UnidentifiedImageError:
            if is_tiff(path):  # Pillow cannot open every TIFF
                with open_tiff(path) as opened:
                    return int(opened.pages.first.imagelength), int(opened.pages.first.imagewidth)
    return None


def orientation_of(path: Path) -> int:
    """The orientation of a stored image by EXIF: 1 is upright, from 5 on it lies on its side."""
    path = first_channel(path)
    if find_address(path) is not None:
        return 1
    with suppress(Exception), reading():  # read_image reports the reason
        if is_tiff(path):
            with open_tiff(path) as opened:
                return orientation_of_page(tiff_pages.image_pages(opened)[0])
        with open_regular(path) as file:
            exif = Image.Image.getexif(_identify(file))  # that of PNG would read all pixels
            return known_orientation(exif.get(ORIENTATION, 1))
    return 1
