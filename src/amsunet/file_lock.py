"""A file that one process at a time may hold, where the file system knows locks."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

logger = logging.getLogger(__name__)

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def file_lock(path: Path, *, timeout: float = 0) -> Iterator[bool]:
    """Hold a lock file meanwhile. It stays behind; a process that is killed holds it no longer.

    On a file system without locks, as some network drives are, the work goes on with a warning, and nothing is locked.

    Args:
        path: The lock file, in a folder that exists.
        timeout: Seconds to wait for it.

    Yields:
        Whether it is held.

    Raises:
        filelock.Timeout: If another process holds it.
        OSError: If it may not be written.
    """
    lock = FileLock(path, timeout=timeout, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:  # a Timeout is one too, without a number
        if error.errno not in _UNSUPPORTED:
            raise
        logger.warning(
            f"the file system of {path.parent} knows no locks: make sure that no other command writes there meanwhile"
        )
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
