"""The memory of this process: what is kept, and how much there was."""

from __future__ import annotations

import ctypes
import sys
from functools import cache


@cache
def keep_freed_memory() -> None:
    """Let the process keep the memory it frees, where the C library can be told to (glibc).

    By default every large activation goes back to the system after use and is fetched again page by page,
    which costs as much time as the arithmetic.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    mallopt(mmap_threshold, 1 << 30)
    mallopt(trim_threshold, -1)  # never; the largest number it takes is 2 GB, and a training step frees more at once
    mallopt(top_pad, 64 << 20)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform.startswith("linux"):
        # What getrusage tells includes the peak of the process that started this one.
        with open("/proc/self/status", encoding="ascii") as lines:  # noqa: PTH123 - not a file of the user's
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        import psutil  # noqa: PLC0415 - here alone

        return int(psutil.Process().memory_info().peak_wset)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
