"""Whether a file is DICOM, or a zip of it, by what stands in it: scanners and archives give names without a suffix.

Files in a zip are named as if it were a folder, ``case.zip/IM0001``, and are read where they are: nothing is unpacked.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from amsunet.data.zip_file import open_zip
from amsunet.errors import InputError
from amsunet.memory import free_memory
from amsunet.regular_file import open_regular

ZIP = ".zip"
_MARK, _AT = b"DICM", 128
_DIRECTORY = "DICOMDIR"
_MOST_MEMBERS = 100_000
_LARGEST = 2 << 30
"""Bytes of a file within a zip."""


def has_mark(file: BinaryIO) -> bool:
    """Whether a file, opened at its start, has the letters DICM where DICOM has them; these bytes are read."""
    return file.read(_AT + len(_MARK))[_AT:] == _MARK


def is_dicom(file: Path) -> bool:
    """Whether a file is DICOM, whatever its name; False where it cannot be read.

    Args:
        file: Any path; ``DICOMDIR``, the list of contents of a medium, is no image.
    """
    if file.name.upper() == _DIRECTORY:
        return False
    try:
        with open_regular(file) as opened:
            return has_mark(opened)
    except (OSError, ValueError):
        return False


def is_unnamed(path: Path) -> bool:
    """Whether the suffix of a file says nothing: there is none, or it is the last number of a UID."""
    suffix = path.suffix[1:]
    return not suffix or suffix.isdigit()


def is_unnamed_dicom(file: Path) -> bool:
    """Whether a file whose suffix says nothing is DICOM; others are not opened.

    Args:
        file: Any path.
    """
    return is_unnamed(file) and not file.name.startswith(".") and file.is_file() and is_dicom(file)


def is_dicom_archive(file: Path) -> bool:
    """Whether a file is a zip with DICOM in it.

    Args:
        file: Any path; only a zip is opened.
    """
    if file.suffix.lower() != ZIP or file.name.startswith("."):
        return False
    try:
        found = file.stat()
        return _holds_dicom(file, (found.st_size, found.st_mtime_ns))
    except (InputError, OSError):
        return False


@lru_cache(16)  # every image in it asks
def _holds_dicom(file: Path, stamp: tuple[int, int]) -> bool:
    return bool(members(file, most=1))


def members(archive: Path, most: int = _MOST_MEMBERS) -> list[str]:
    """The DICOM files in a zip, sorted by name.

    Args:
        archive: The zip.
        most: Stop when so many are found.

    Raises:
        InputError: If it is no zip, is locked, or holds very many files.
    """
    found: list[str] = []
    with open_zip(archive) as content:
        names = sorted(name for name in content.namelist() if _is_inside(name))
        if len(names) > _MOST_MEMBERS:
            raise InputError(f"{archive} holds {len(names)} files: unpack it")
        for name in names:
            if _is_likely(content, name):
                found.append(name)
            if len(found) == most:
                break
    return found


def open_dicom(file: Path) -> BinaryIO:
    """Open a file, or a file in a zip.

    Args:
        file: Its path, or that of the zip followed by its name within.

    Raises:
        InputError: If it is no regular file, or the zip cannot be read.
        OSError: If it is not found.
    """
    archive = archive_of(file)
    if archive is None:
        return open_regular(file)
    name = file.relative_to(archive).as_posix()
    try:
        with open_zip(archive) as content:
            size = content.getinfo(name).file_size  # no more is unpacked
            if size > min(_LARGEST, free_memory() // 2):
                raise InputError(f"{file} takes {size / 1e9:.1f} GB once it is unpacked: unpack the zip")
            return io.BytesIO(content.read(name))
    except KeyError:
        raise InputError(f"{archive} holds no {name}: check the name") from None


def archive_of(file: Path) -> Path | None:
    """The zip that a file lies in; None for a file on the disk."""
    return next((parent for parent in file.parents if parent.suffix.lower() == ZIP and parent.is_file()), None)


def _is_likely(content: zipfile.ZipFile, name: str) -> bool:
    """Whether a file in a zip is DICOM; a damaged one may be, and is refused when its turn comes."""
    try:
        with content.open(name) as member:
            return has_mark(member)  # type: ignore[arg-type]
    except zlib.error:
        return True


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or path.name.upper() == _DIRECTORY
    return not name.endswith("/") and not path.is_absolute() and ".." not in path.parts and not hidden
