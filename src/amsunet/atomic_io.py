"""Writing that leaves either the whole file or nothing."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from amsunet.errors import InputError
from amsunet.safe_text import as_cell
from amsunet.wording import setting


@contextmanager
def as_input_error(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the disk while ``path`` is made into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} could not be written ({error.strerror or error}): {_remedy(error)}") from error


def check_writable(path: Path) -> None:
    """Tell before long work that a file cannot be written; nothing is left behind.

    Raises:
        InputError: If a folder is there, or the folder that it is to be in may not be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file with {setting('out')}")
    with as_input_error(path), tempfile.TemporaryFile(dir=next(parent for parent in path.parents if parent.exists())):
        pass


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which takes its place once the block has ended without an error.

    Raises:
        InputError: If the disk is full or the folder may not be written.
    """
    temporary: Path | None = None
    try:
        with as_input_error(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # The suffix stays last: image writers choose the format by it.
            temporary = path.parent / f".{uuid.uuid4().hex[:12]}.partial{path.suffix}"
            # Made as any new file is: its mode comes from the umask, which can only be read by setting it.
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            os.close(handle)
            yield temporary
            temporary.chmod(mode)  # some writers put a file of their own in its place
            temporary.replace(path)
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, wholly or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(printable(text), encoding="utf-8")


def printable(text: str) -> str:
    r"""The text as it can be written as UTF-8: of a file name that is not, the foreign bytes as ``\udcff``, which JSON
    reads back as they were.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, wholly or not at all."""
    write_text(path, json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def _finite(content: Any) -> Any:
    """The content with null in place of NaN and infinity, which JSON does not have."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError | FileNotFoundError) or error.errno == errno.EROFS:
        return f"choose a folder that you may write to, with {setting('out')}"
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        return (
            "a folder stands where a file should be, or a file where a folder should: choose another place, with "
            f"{setting('out')}"
        )
    return "free some space or choose another disk, then run the same command again"


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, at least one, under all their names; what a row lacks stays empty, and no cell is a formula."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(text)
    writer.writerow(map(as_cell, names))
    writer.writerows([as_cell(row.get(name, "")) for name in names] for row in rows)
    write_text(path, text.getvalue())
