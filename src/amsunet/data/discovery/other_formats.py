"""File formats that are not read: what they are, and how to convert them."""

from __future__ import annotations

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
