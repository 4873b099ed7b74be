"""The memory of this process: what is kept, how much is free, and caches that fit into it."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Condition, Lock
from typing import Generic, TypeVar

from amsunet.errors import InputError

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGE = 24 << 20
_BLOCK = 256 << 20
_HUGE_PAGE = 2 << 20
_MOST = 32 << 30
"""Bytes of addresses that are asked for."""
_FEWEST = 128 << 20
"""Bytes of addresses to begin with: two stacks of threads and what a library takes at once (OpenVINO dies at 80 MB)."""
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_RAN_OUT = re.compile(
    "out of memory|not enough memory|can(no|')t allocate memory|failed to allocate"
    "|could not create a (memory|primitive)"  # oneDNN
    "|bad_alloc|bad allocation"  # the C++ library
    "|can't start new thread",  # Python: a thread takes a stack
    re.IGNORECASE,
)
_CONTAINER = Path("/sys/fs/cgroup")
_MEMORY, _ADDRESSES = Path("/proc/meminfo"), Path("/proc/self/statm")
_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")

Key = TypeVar("Key")
Value = TypeVar("Value")


@cache
def keep_freed_memory() -> None:
    """Let the process keep the memory it frees, and have it in large pages, where the C library can be set to (glibc).

    By default every large activation goes back to the system after use and is fetched again page by page,
    which costs as much time as the arithmetic. It cannot be taken back: the command line does it, and a library leaves
    it to its host, who may call this before long work.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return
    if not mallopt(_MMAP_THRESHOLD, 1 << 30):
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the most that glibc took before 2.35
    mallopt(_TRIM_THRESHOLD, -1)  # never; the largest number it takes is 2 GB, and a training step frees more at once
    mallopt(_TOP_PAD, 64 << 20)
    with suppress(OSError):  # some sandboxes do not show what is asked for
        if _addresses_are_free():
            _ask_for_huge_pages(libc)


def return_freed_memory() -> None:
    """Give what is kept back to the system this once, where the C library can (glibc), and keep what comes after.

    A large image leaves much behind: each thread keeps its own, and what one read the image with serves no other.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    _keep_again()  # addresses that were given back have to be asked for anew


@contextmanager
def large_pieces_returned() -> Iterator[None]:
    """Meanwhile have pieces of over 24 MB go back to the system as soon as they are free, if the C library is glibc.

    Kept memory has gaps: what stays, as what oneDNN keeps of each size of map, comes to lie between pieces that then
    fit nowhere. A process whose maps have several sizes takes two to three times what it holds. Without gaps it is
    bounded, and slower: every large map is fetched page by page. What fits into gaps from before still fills them.
    One at a time, and without ``return_freed_memory`` in between, which ends it. Where memory is not kept, this is how
    it is done anyway, and nothing is changed.
    """
    if not _is_kept():
        yield
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_TOP_PAD, 0)  # or a large piece is taken from what was fetched ahead, and stays
        libc.malloc_trim(0)  # or it is taken from what is kept
    try:
        yield
    finally:
        _keep_again()


def _is_kept() -> bool:
    """Whether this process was set to keep what it frees."""
    return keep_freed_memory.cache_info().currsize > 0


def _keep_again() -> None:
    if _is_kept():
        keep_freed_memory.__wrapped__()


def _addresses_are_free() -> bool:
    """Whether huge pages come to who asks for them, and addresses that are not used cost nothing."""
    import resource  # noqa: PLC0415 - not there on Windows

    counted = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    offered = _HUGE_PAGES.read_text(encoding="ascii")
    strict = _OVERCOMMIT.read_text(encoding="ascii").strip() == "2"
    return counted == [resource.RLIM_INFINITY] * 2 and "[madvise]" in offered and not strict


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Ask the kernel for pages of 2 MB, once they are used, in the part of memory that malloc takes from next.

    Memory is then fetched and found in fewer steps: a training step of AMSUnet took 0.94 s in place of 1.02 (two cores
    of an Intel Xeon, means of six each, in turn). The C library has a setting for it (glibc.malloc.hugetlb), but only
    before the process starts. It serves the main thread, whose memory is one piece.
    """
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    blocks = []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for _ in range(min(memory // 2, _MOST) // _BLOCK):
        block = libc.malloc(_BLOCK)
        if not block:
            break
        blocks.append(block)
        start = -(-block // _HUGE_PAGE) * _HUGE_PAGE
        libc.madvise(start, block + _BLOCK - start, mmap.MADV_HUGEPAGE)
    for block in blocks:
        libc.free(block)


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, of the container it runs in (Linux, cgroup 2), or of what
    its shell or its batch system lets it take (``ulimit -v``).
    """
    free = min(_free_on_machine(), _free_addresses())
    with suppress(OSError, ValueError):  # without a limit the file is missing or holds max
        limit = int((_CONTAINER / "memory.max").read_text(encoding="ascii"))
        used = int((_CONTAINER / "memory.current").read_text(encoding="ascii"))
        lines = (_CONTAINER / "memory.stat").read_text(encoding="ascii").splitlines()
        files = sum(int(line.split()[1]) for line in lines if line.startswith(("inactive_file ", "active_file ")))
        free = min(free, limit - used + files)  # files that were read are dropped when memory is asked for
    return max(0, free)


def require_addresses() -> None:
    """Raise InputError where the shell or the batch system (``ulimit -v``) leaves too little to begin with.

    With less, libraries end the process with no sentence, and Python waits for ever for a thread that could not start.
    """
    if (left := _free_addresses()) < _FEWEST:
        raise InputError(
            f"this process may take {max(0, left) >> 20} MB more than it has, and needs {_FEWEST >> 20} to begin with: "
            "raise the limit on its memory (ulimit -v)"
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error reports that memory ran out: torch and the runtimes of exported files have errors of their own.

    Args:
        error: Any error.

    Example:
        >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
        True
    """
    return isinstance(error, MemoryError) or bool(_RAN_OUT.search(str(error)))


def _free_on_machine() -> int:
    try:
        import psutil  # noqa: PLC0415 - not there in a small installation
    except ImportError:
        with suppress(OSError, StopIteration):
            lines = _MEMORY.read_text(encoding="ascii").splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        with suppress(AttributeError, ValueError, OSError):  # what there is, where what is free is not known
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return sys.maxsize
    return int(psutil.virtual_memory().available)


def _free_addresses() -> int:
    """Bytes of addresses that the process may still ask for; very many without a limit (and outside of Linux)."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not there on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            return limit - int(_ADDRESSES.read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return sys.maxsize


class MemoryBudget:
    """Bytes that threads take from one budget; each waits until its part is free.

    What is larger than the budget goes alone.

    Args:
        room: Bytes of the budget; half of the memory that is free if it is left out.
    """

    def __init__(self, room: int | None = None) -> None:
        self._room = free_memory() // 2 if room is None else room
        self._taken = 0
        self._given_back = Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Take a part, for as long as what is done within lasts.

        Args:
            size: Bytes.
        """
        size = min(size, self._room)
        with self._given_back:
            self._given_back.wait_for(lambda: self._taken + size <= self._room)
            self._taken += size
        try:
            yield
        finally:
            with self._given_back:
                self._taken -= size
                self._given_back.notify_all()


class MemoryCache(Generic[Key, Value]):
    """Values by key, kept as far as a quarter of the memory that was free holds them; others are made at every call.

    Threads may share one.

    Args:
        bytes_of: Bytes that a value takes.
    """

    def __init__(self, bytes_of: Callable[[Value], int]) -> None:
        self.room = free_memory() // 4
        """Bytes that are left."""
        self._bytes_of = bytes_of
        self._kept: dict[Key, Value] = {}
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value that is kept, or a new one.

        Args:
            key: Of the value.
            make: Makes it.
        """
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        value = make()  # without the lock: files are read by several threads at a time
        with self._lock:
            size = self._bytes_of(value)
            if key not in self._kept and size <= self.room:
                self.room -= size
                self._kept[key] = value
        return value

    def drop(self, key: Key) -> None:
        """Free a value, if it is kept."""
        with self._lock:
            if key in self._kept:
                self.room += self._bytes_of(self._kept.pop(key))

    def clear(self) -> None:
        """Free all values."""
        for key in list(self._kept):
            self.drop(key)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform.startswith("linux"):
        # What getrusage gives includes the peak of the process that started this one.
        with open("/proc/self/status", encoding="ascii") as lines:  # noqa: PTH123 - not a file of the user's
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        import psutil  # noqa: PLC0415 - here alone

        return int(psutil.Process().memory_info().peak_wset)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
