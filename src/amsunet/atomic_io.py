"""Writing that leaves either the whole file or nothing."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import re
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from amsunet.errors import InputError
from amsunet.safe_text import as_cell
from amsunet.wording import setting

if sys.platform != "win32":  # there an open file can be neither moved nor removed
    import fcntl

_PARTIAL = re.compile(r"\.[0-9a-f]{12}\.partial(\.[^.]+)?")


@contextmanager
def as_input_error(path: Path, *, elsewhere: str = "") -> Iterator[None]:
    """Turn what goes wrong with the disk while ``path`` is made into an InputError.

    Args:
        path: What is made.
        elsewhere: What to do where it may not be written, if no other folder can be named.
    """
    try:
        yield
    except OSError as error:
        reason, remedy = error.strerror or error, _remedy(error, elsewhere)
        raise InputError(f"{path} could not be written ({reason}): {remedy}") from error


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
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which takes its place once the block has ended without an error.

    Args:
        path: The file to be written.
        durable: Wait until the disk holds the content before the file takes its place, and the name afterwards: a
            power failure then leaves the old file or the new one too. Off where the file is one of many and is easily
            made again.

    Raises:
        InputError: If the disk is full or the folder may not be written.
    """
    temporary: Path | None = None
    handle: int | None = None
    try:
        with as_input_error(path):
            made = _make_folder(path.parent)
            temporary, handle = _create_partial(path)
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            if sys.platform == "win32":
                os.close(handle)
                handle = None
            yield temporary
            temporary.chmod(mode)  # some writers put a file of their own in its place
            if durable:
                flush(temporary)
            temporary.replace(path)
            if durable:
                for folder in (path.parent, *made):
                    flush(folder)
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _create_partial(path: Path) -> tuple[Path, int]:
    """Make the empty file that is to become ``path``; it is locked for as long as its handle is open."""
    while True:
        # The suffix stays last: image writers choose the format by it.
        temporary = path.parent / f".{uuid.uuid4().hex[:12]}.partial{path.suffix}"
        # Made as any new file is: its mode comes from the umask, which can only be read by setting it.
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if sys.platform != "win32":
            with suppress(OSError):  # file systems without locks
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(handle).st_nlink:  # taken for abandoned before it was locked
                os.close(handle)
                continue
        return temporary, handle


def remove_abandoned(folder: Path) -> int:
    """Remove the partial files that killed processes left in a folder: those that no living process has locked.

    Args:
        folder: Looked at without the folders in it; it need not exist.

    Returns:
        How many were removed.
    """
    removed = 0
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if _PARTIAL.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                removed += _remove_unlocked(Path(entry.path))
    return removed


def _remove_unlocked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # locked, or on a file system without locks, where that is not known
        return False
    finally:
        os.close(handle)
    return True


def flush(path: Path) -> None:
    """Wait until the disk holds what was written to a file, or the names in a folder."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":  # which opens no folder
        return
    handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # this file system does not do it
            raise
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder with those above it; the folders that new names are in are returned."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [one.parent for one in missing]


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
    write_text(path, json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def finite(content: Any) -> Any:
    """The content with null in place of NaN and infinity, which JSON does not have."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _remedy(error: OSError, elsewhere: str) -> str:
    if isinstance(error, PermissionError | FileNotFoundError) or error.errno == errno.EROFS:
        return elsewhere or f"choose a folder that you may write to, with {setting('out')}"
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


def csv_line(cells: Iterable[Any]) -> str:
    """One row as it stands in such a file, without the end of its line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(map(as_cell, cells))
    return text.getvalue()
