"""Object stores that fsspec reaches, as ``s3://bucket/folder``: objects are found, fetched to a disk, and written.

Which credentials open a store is fsspec's affair: its environment variables and files are those of the store's own
tools. A package that fsspec needs for a store, as s3fs, is whoever uses that store to install.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from amsunet.errors import InputError, first_line
from amsunet.inference.prediction_record import FileStamp
from amsunet.optional import require

_URL = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")
"""More than one letter, which would be a drive."""
_VERSIONS = {"created", "etag", "generation", "last_modified", "lastmodified", "md5hash", "mtime", "updated"}
"""What stores call that which changes with the content of an object."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
UNREADABLE = "object"
"""Code of the error of an object that cannot be fetched, among others that can."""


def is_url(place: str | Path) -> bool:
    """Whether a place is no path, as ``s3://bucket/folder``; pathlib makes one slash of two."""
    return bool(_URL.match(str(place)))


def as_path(place: str) -> str:
    """The path of a ``file://`` address; any other place as it is."""
    parts = urlsplit(place) if place.lower().startswith("file:/") else None
    return url2pathname(parts.path) if parts and parts.netloc in ("", "localhost") else place


class Store:
    """The store that an address leads to.

    Args:
        address: Of an object, of a folder of objects, or a pattern, as ``s3://bucket/folder``.

    Raises:
        InputError: If fsspec knows no such store, or a package is missing.
    """

    def __init__(self, address: str) -> None:
        if not urlsplit(address).netloc and not address.partition("://")[2]:
            raise InputError(f"{address} names no object and no folder: write it as text, as s3://bucket/folder")
        fsspec = require("fsspec")
        protocol = address.partition(":")[0]
        try:
            self._files, self.key = fsspec.core.url_to_fs(address)
        except ImportError as error:
            known = require("fsspec.registry").known_implementations.get(protocol, {}).get("class", protocol)
            raise InputError(
                f"{address} cannot be opened ({first_line(error)}): pip install {known.partition('.')[0]}, on each "
                "machine that is to work on it"
            ) from None
        except Exception as error:  # of kinds of the store's own
            raise InputError(
                f"{address} cannot be opened ({first_line(error)}): check the address, and the store's credentials"
            ) from None
        self.address = address

    def find(self) -> dict[str, Mapping[str, Any]]:
        """What is known of the objects that the address names, by their keys; of none if there is none.

        Raises:
            InputError: If the store does not say.
        """
        with _errors(self.address, "cannot be read"):
            self._files.invalidate_cache()  # others write there
            try:
                found = self._files.find(self.key, detail=True)
            except FileNotFoundError:
                found = {}
            if not found and any(character in self.key for character in "*?["):
                found = self._files.glob(self.key, detail=True)
        return {key: known for key, known in found.items() if known.get("type") != "directory"}

    def address_of(self, key: str) -> str:
        """The address of an object."""
        return str(self._files.unstrip_protocol(key))

    def fetch(self, path: Path) -> None:
        """Write the object of the address to a file.

        Raises:
            InputError: If it cannot be read, with the code ``UNREADABLE``, or the disk is full.
        """
        with _errors(self.address, "cannot be read", UNREADABLE):
            self._files.get_file(self.key, str(path))

    def put(self, path: Path) -> None:
        """Make a file the object of the address; object stores show it whole or not at all.

        Raises:
            InputError: If it cannot be written.
        """
        with _errors(self.address, "cannot be written"):
            self._files.put_file(str(path), self.key)


def version_of(known: Mapping[str, Any]) -> FileStamp | None:
    """What tells an object from one of the same name that takes its place; None where the store tells nothing."""
    versions = sorted(f"{name}={value}" for name, value in known.items() if name.lower() in _VERSIONS and value)
    if not versions:
        return None
    number = hashlib.sha256("\n".join(versions).encode()).digest()[:7]
    return int(known.get("size") or 0), 0, int.from_bytes(number, "big")


@contextmanager
def _errors(address: str, what: str, code: str = "") -> Iterator[None]:
    """Turn what a store raises, of kinds of its own, into an InputError."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(f"{address} {what}: the store has nothing of this name", code=code) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise InputError(f"{address} {what} ({os.strerror(error.errno)}): free some space on this disk") from None
        remedy = "check the address, and the store's credentials"
        raise InputError(f"{address} {what} ({first_line(error)}): {remedy}", code=code) from None
