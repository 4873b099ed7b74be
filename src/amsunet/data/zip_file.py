"""Zip archives, opened in one place, where what is wrong with one becomes a sentence."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amsunet.errors import InputError
from amsunet.regular_file import open_regular

_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, UnicodeError)
"""Of ``zipfile``: damage; a password, and as a kind of RuntimeError a packing that it does not know."""


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip, for what is read of it within.

    Args:
        path: The zip.

    Yields:
        The opened archive.

    Raises:
        InputError: If it is no regular file, no zip, damaged, or locked by a password; also while it is read.
        OSError: If it is not found, or may not be read.
    """
    try:
        with open_regular(path) as opened, zipfile.ZipFile(opened) as content:
            yield content
    except _ERRORS as error:
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise InputError(f"{path} is locked by a password: unpack it") from None
        raise InputError(f"{path} is damaged, or packed in a way that is not read: unpack it") from None
