"""Open the files that people name or leave in a folder: regular ones alone.

To open a pipe waits for somebody to write into it, and a device such as ``/dev/zero`` never ends.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from amsunet.errors import InputError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def refuse_irregular(path: Path) -> os.stat_result:
    """Refuse what is no regular file, without opening it.

    Args:
        path: A file; links are followed.

    Returns:
        What the system knows of the file.

    Raises:
        InputError: If it is a folder, a pipe, a device or a socket.
        OSError: If it is not found, or may not be looked at.
    """
    found = path.stat()
    _refuse(path, found.st_mode)
    return found


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Args:
        path: A file; links are followed.

    Returns:
        The opened file; its ``name`` is the path.

    Raises:
        InputError: If it is a folder, a pipe, a device or a socket.
        OSError: If it is not found, or may not be read.
    """
    refuse_irregular(path)  # before it is opened: to open a device may already do something
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - that of a Path takes no opener
    try:
        _refuse(path, os.fstat(file.fileno()).st_mode)  # it may have become another one in between
    except InputError:
        file.close()
        raise
    return file


def read_regular(path: Path) -> bytes:
    """Read a regular file whole.

    Args:
        path: A file; links are followed.

    Raises:
        InputError: If it is a folder, a pipe, a device or a socket.
        OSError: If it is not found, or may not be read.
    """
    with open_regular(path) as file:
        return file.read()


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise InputError(f"{path} is {kind}, where a file is needed: name a file, or move it away", code="irregular")
