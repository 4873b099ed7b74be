"""Images of DICOM files, in the values that the scanner measured: rescaled, but not windowed.

The window of a file is how somebody chose to look at it, and differs from file to file; what is outside of it would be
lost. So the values stay, as nnU-Net and MONAI keep them, and are normalized as those of all images are. White is high:
``MONOCHROME1`` is inverted. Frames are counted from 1, as in DICOM: ``cine.dcm/frame003``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from amsunet.data.dicom_file import open_dicom
from amsunet.data.readers.dicom_header import (
    count_frames,
    find_spacing,
    functional_group,
    header_errors,
    numbers_in,
    open_dataset,
    quietly,
    read_header,
    refuse_more_pixels,
)
from amsunet.data.readers.dicom_segments import is_segmentation, places_of, read_segments
from amsunet.errors import InputError
from amsunet.optional import require

Array = npt.NDArray[Any]

_MODALITY = re.compile(r"[A-Z]{2,16}")
_FRAME = re.compile(r"frame(\d+)")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_WIDTHS = (1, 8, 16, 32, 64)
"""Bits of numbers that NumPy has."""
_NO_PIXELS = "no pixel data to decode"
"""What pydicom says of a file whose header claims pixels that it has not."""
_RLE = "1.2.840.10008.1.2.5"


def places(file: Path) -> list[str]:
    """The frames of a file, or the planes of a mask, see ``containers.Reader``."""
    header = read_header(file)
    if is_segmentation(header):
        return places_of(file)
    count = count_frames(file, header)
    width = max(3, len(str(count)))
    return [f"frame{number:0{width}}" for number in range(1, count + 1)] if count > 1 else [""]


def size(file: Path, place: str) -> tuple[int, int]:
    """Height and width of an image, see ``containers.Reader``."""
    header = read_header(file)
    return int(header.Rows), int(header.Columns)


def spacing(file: Path, place: str) -> tuple[float, float] | None:
    """Millimetres a pixel, see ``containers.Reader``."""
    header = read_header(file)
    with quietly(), header_errors(file):
        return find_spacing(header, 0 if is_segmentation(header) else frame_of(file, place, header))


def slice_distance(file: Path, place: str) -> float | None:
    """Millimetres from a slice to the next, where the file says so; how thick a slice is is something else."""
    header = read_header(file)
    with quietly(), header_errors(file):
        if is_segmentation(header):
            return None
        measures = functional_group(header, frame_of(file, place, header), "PixelMeasuresSequence")
        found = numbers_in(header if measures is None else measures, "SpacingBetweenSlices", 1)
        return abs(found[0]) or None if found else None


def slice_position(file: Path, place: str) -> float | None:
    """Millimetres along the line on which slices follow each other, where the file says so."""
    header = read_header(file)
    with quietly(), header_errors(file):
        if is_segmentation(header):
            return None
        frame = frame_of(file, place, header)
        group = functional_group(header, frame, "PlanePositionSequence")
        position = numbers_in(header if group is None else group, "ImagePositionPatient", 3)
        group = functional_group(header, frame, "PlaneOrientationSequence")
        directions = numbers_in(header if group is None else group, "ImageOrientationPatient", 6)
        return float(np.cross(directions[:3], directions[3:]) @ position) if position and directions else None


def modality(file: Path, place: str) -> str:
    """What an image was taken with, as ``MR``; empty where that is not said, or is ``OT``, anything else."""
    value = str(read_header(file).get("Modality") or "")
    return value if value != "OT" and _MODALITY.fullmatch(value) else ""


def read(file: Path, place: str) -> Array:
    """Read an image, see ``containers.Reader``.

    Args:
        file: A DICOM file.
        place: The frame; empty of a single one.

    Returns:
        (H, W) of measured values, or (H, W, 3) of RGB.

    Raises:
        InputError: If it is a mask, or its pixels cannot be read.
    """
    header = read_header(file)
    if is_segmentation(header):
        raise InputError(f"{file} is a mask (DICOM SEG), not an image: name the image that it was drawn on")
    refuse_more_pixels(file, header)
    frame = frame_of(file, place, header)
    with quietly():
        stored, pixel_module = _decode(file, header, frame)
        if header.get("PhotometricInterpretation") == "PALETTE COLOR":
            return _colours_of_palette(stored, pixel_module)
        if stored.ndim == 3:
            if stored.shape[2] != 3:
                raise InputError(f"{file} has {stored.shape[2]} channels: save it as grey or RGB")
            return stored
        return _without_padding(_measured(stored, header, pixel_module, frame), stored, pixel_module)


def read_labels(file: Path, place: str) -> Array:
    """Read a mask, see ``containers.Reader``.

    Args:
        file: A DICOM file.
        place: The frame; empty of a single one.

    Returns:
        (H, W) of the numbers that are stored; of DICOM SEG the numbers of segments.

    Raises:
        InputError: If its pixels cannot be read, or are colours.
    """
    header = read_header(file)
    with quietly():
        if is_segmentation(header):
            return read_segments(file, header, place, lambda frame: _decode(file, header, frame)[0])
        stored, _ = _decode(file, header, frame_of(file, place, header))
    if stored.ndim != 2:
        raise InputError(f"{file} holds colours, where a mask holds numbers: save it as grey")
    return stored


def frame_of(file: Path, place: str, header: Any) -> int:
    """The number of a frame, from 0 on.

    Args:
        file: The file, for the error.
        place: As ``places`` names it.
        header: As ``read_header`` gives it.

    Raises:
        InputError: If there is no such frame, or it has to be named.
    """
    count = count_frames(file, header)
    if not place and count == 1:
        return 0
    if not place:
        raise InputError(f"{file} holds {count} frames: name one, as {file / places(file)[0]}")
    named = _FRAME.fullmatch(place)
    if named is None or not 1 <= int(named[1]) <= count or count == 1:
        raise InputError(f"{file} holds no {place}: it has {count} frames, as {places(file)[-1] or 'the file itself'}")
    return int(named[1]) - 1


def _decode(file: Path, header: Any, frame: int) -> tuple[Array, Any]:
    """The pixels of one frame, as stored, in RGB where they are colours; and what their values mean."""
    pydicom = require("pydicom")
    syntax = header.file_meta.TransferSyntaxUID
    plugin = "gdcm" if syntax.is_encapsulated and syntax not in (_RLE, _DEFLATED) else ""
    if plugin:
        require("gdcm")
    with open_dicom(file) as opened:
        try:
            if syntax == _DEFLATED:
                pixel_module = open_dataset(file, opened)
                stored = pydicom.pixels.pixel_array(pixel_module, index=frame)
            elif header.get("BitsAllocated") == 1 and header.Rows * header.Columns % 8:
                return _unpacked_bits(opened, header, frame), header
            else:
                pixel_module = pydicom.Dataset()
                stored = pydicom.pixels.pixel_array(opened, ds_out=pixel_module, index=frame, decoding_plugin=plugin)
            return stored.astype(stored.dtype.newbyteorder("="), copy=False), pixel_module
        except NotImplementedError:  # pydicom's error: no decoder of the syntax, or no number of NumPy's is as wide
            how, other = f"as {syntax.name}", "without compression"
            if not syntax.is_compressed:
                if header.BitsAllocated in _WIDTHS:
                    raise  # of something else, which no sentence here is about
                how, other = f"in numbers of {header.BitsAllocated} bits", "in 8 or 16 bits"
            raise InputError(f"{file} is written {how}, which is not read: save it {other}") from None
        except (RuntimeError, AttributeError) as error:
            if syntax.is_encapsulated and isinstance(error, RuntimeError):
                raise InputError(
                    f"{file} is compressed as {syntax.name}, and cannot be unpacked: save it without compression, or "
                    "copy it again from where it came"
                ) from None
            if _NO_PIXELS in str(error):
                raise InputError(f"{file} is DICOM without pixels: leave it out, or export it with them") from None
            raise


def _unpacked_bits(opened: Any, header: Any, frame: int) -> Array:
    """One frame of bits that begins within a byte, where pydicom does not find it (3.0)."""
    shape = int(header.Rows), int(header.Columns)
    packed = require("pydicom").dcmread(opened, specific_tags=["PixelData"]).PixelData
    first, shift = divmod(frame * shape[0] * shape[1], 8)
    some = np.frombuffer(packed, np.uint8)[first : first + -(-(shape[0] * shape[1] + shift) // 8)]
    return np.unpackbits(some, bitorder="little")[shift : shift + shape[0] * shape[1]].reshape(shape)


def _colours_of_palette(stored: Array, pixel_module: Any) -> Array:
    colours: Array = require("pydicom").pixels.apply_color_lut(stored, pixel_module)[..., :3]
    if colours.dtype == np.uint8:
        return colours
    # Entries of 16 bits of which only the lower 8 are used are against the standard, and common.
    return (colours >> 8 if colours.max(initial=0) > 255 else colours).astype(np.uint8)


def _measured(stored: Array, header: Any, pixel_module: Any, frame: int) -> Array:
    """Stored numbers as measured values, white high."""
    ends = _ends(stored, header)
    transformed = functional_group(header, frame, "PixelValueTransformationSequence")
    source = header if transformed is None else transformed
    slope, intercept = float(source.get("RescaleSlope") or 1), float(source.get("RescaleIntercept") or 0)
    values = stored
    if pixel_module.get("ModalityLUTSequence"):
        lut = require("pydicom").pixels.apply_modality_lut
        values, ends = lut(stored, pixel_module), lut(ends, pixel_module)
    elif (slope, intercept) != (1, 0):
        exact = np.float32 if stored.itemsize <= 2 else np.float64
        values, ends = (np.multiply(one, slope, dtype=exact) + exact(intercept) for one in (stored, ends))
    if header.get("PhotometricInterpretation") != "MONOCHROME1":
        return values
    inverted = (
        ends.max() - np.minimum(values, ends.max()) if values.dtype.kind == "u" else ends.sum(dtype=float) - values
    )
    return np.asarray(inverted, values.dtype if values.dtype.kind == "u" else np.float32)


def _without_padding(values: Array, stored: Array, pixel_module: Any) -> Array:
    """Values with those outside of a round field of view, which are no measurements, as dark as the darkest inside."""
    ends = [pixel_module.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    known = [int(end) for end in ends if isinstance(end, int)]
    if not known or ends[0] is None:
        return values
    padded = (stored >= min(known)) & (stored <= max(known))
    if padded.any() and not padded.all():
        values = np.where(padded, values[~padded].min(), values)
    return values


def _ends(stored: Array, header: Any) -> Array:
    """The lowest and the highest number that could be stored."""
    if stored.dtype.kind == "f":
        return np.array([stored.min(), stored.max()])
    bits = int(header.get("BitsStored") or 8 * stored.itemsize)
    low = -(1 << (bits - 1)) if stored.dtype.kind == "i" else 0
    return np.array([low, low + (1 << bits) - 1], stored.dtype)
