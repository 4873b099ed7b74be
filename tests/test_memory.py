"""The memory of a process."""

from __future__ import annotations

import subprocess
import sys


def test_memory_is_measured_and_kept_without_harm():
    """In a process of its own: a peak that other tests have reached hides a smaller one."""
    code = (
        "import numpy\n"
        "from amsunet.memory import keep_freed_memory, peak_memory\n"
        "keep_freed_memory()\n"
        "before = peak_memory()\n"
        "kept = numpy.ones((64, 1024, 1024), numpy.float32)\n"
        "print((peak_memory() - before) / kept.nbytes)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(out) >= 0.5
