"""File formats that are not read: what they are, and how to convert them."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import TypeVar

AnyPath = TypeVar("AnyPath", bound=PurePath)

_SLICES = "save each slice as a PNG or TIFF of its own"
_PICTURE = "save it as PNG or TIFF"
_FORMATS: dict[str, tuple[str, str]] = {
    **dict.fromkeys((".mha", ".mhd", ".nrrd", ".nhdr"), ("a volume", _SLICES)),
    **dict.fromkeys((".npy", ".npz"), ("a NumPy array", "save each of its images as a PNG or TIFF of its own")),
    ".mat": ("a MATLAB file", "save its images and masks as PNG or TIFF, with imwrite"),
    **dict.fromkeys(
        (".czi", ".lif", ".nd2", ".oib", ".oif", ".vsi", ".lsm", ".zvi", ".ims", ".dv"),
        ("a microscope's raw file", "export its images as TIFF, with Fiji or the microscope's program"),
    ),
    **dict.fromkeys(
        (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".svslide", ".vms", ".vmu"),
        ("a whole slide", "cut it and its mask into tiles of PNG or TIFF"),
    ),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jpf"), ("a JPEG 2000 image", _PICTURE)),
    **dict.fromkeys((".heic", ".heif", ".avif", ".jxl"), ("an image of a kind that is not read", _PICTURE)),
    **dict.fromkeys((".dng", ".cr2", ".nef", ".arw"), ("a camera's raw image", _PICTURE)),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".rar", ".7z"), ("an archive", "unpack it")),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), ("a spreadsheet", "save it as CSV if it names patients or masks")),
    ".xml": ("a file of outlines", "draw them into masks of PNG, one pixel value a class, or save them as GeoJSON"),
}

_AGAIN = "copy or download it again"
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 image", _PICTURE),
    (rb"....ftyp(?:avif|avis)", "an AVIF image", _PICTURE),
    (rb"....ftyp(?:hei|hev|mif1|msf1)", "a HEIC image, as of a telephone", _PICTURE),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL image", _PICTURE),
    (rb".{128}DICM", "a DICOM file", "name it .dcm"),
    (rb"\x93NUMPY", "a NumPy array", "save it as PNG or TIFF"),
    (rb"\x89HDF\r\n", "an HDF5 file", "name it .h5"),
    (rb"MATLAB 5\.0", "a MATLAB file", "save it as PNG or TIFF, with imwrite"),
    (rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf", "an archive", "unpack it"),
    (rb"version https://git-lfs", "a pointer of Git LFS in place of the file", "fetch the file with git lfs pull"),
    (rb"\s*<(?:!doctype|html)", "a web page in place of the file", _AGAIN),
)
"""What a file that is not what its suffix says begins with, what it is then, and what to do with it."""
_OME = ".ome"
"""What stands before the suffix of an OME-TIFF, and in the name of no mask."""


def suffix_of(path: PurePath) -> str:
    """The suffix of a file in lower case; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: PurePath) -> str:
    """The name of a file without its suffix; ``.nii.gz`` counts as one."""
    return path.name[: -len(".nii.gz")] or path.name if suffix_of(path) == ".nii.gz" else path.stem


def bare_stem(path: PurePath) -> str:
    """The name of a file by which it belongs to others: as ``stem_of``, and ``.ome.tif`` counts as one suffix."""
    stem = stem_of(path)
    return stem[: -len(_OME)] if stem.lower().endswith(_OME) and len(stem) > len(_OME) else stem


def without_suffix(path: AnyPath) -> AnyPath:
    """A path without the suffix of its file; ``.nii.gz`` counts as one."""
    return (path.with_suffix("") if suffix_of(path) == ".nii.gz" else path).with_suffix("")


def describe_other(path: Path) -> str | None:
    """Describe a file of a format that is not read, and what to do with it.

    Args:
        path: Any file; only its name is looked at.

    Returns:
        The end of a sentence after "FILE is"; None for an image or a suffix that is not known.
    """
    known = _FORMATS.get(suffix_of(path))
    return f"{known[0]}, which is not read here: {known[1]}" if known else None


def describe_content(path: Path) -> str | None:
    """Describe a file that is not what its suffix says, and what to do with it.

    Args:
        path: A regular file.

    Returns:
        The end of a sentence after "FILE is"; None for content that is not known.
    """
    with path.open("rb") as file:
        begins = file.read(256)
    for pattern, kind, remedy in _BEGINNINGS:
        if re.match(pattern, begins, re.DOTALL | re.IGNORECASE):
            return f"{kind}, despite its suffix: {remedy}"
    return None
