"""The memory of a process."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from time import sleep

import pytest

from amsunet import memory
from amsunet.errors import InputError


def _printed(code: str) -> list[float]:
    """The numbers that a process of its own prints."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return [float(word) for word in out.split()]


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
    (share,) = _printed(code)
    assert share >= 0.5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="huge pages are asked for on Linux")
@pytest.mark.parametrize("limited", [False, True])
def test_large_maps_lie_in_huge_pages_unless_addresses_are_limited(limited):
    offered = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not offered.exists() or "[madvise]" not in offered.read_text():
        pytest.skip("this kernel gives huge pages always or never")
    code = (
        "import resource\n"
        f"hard = resource.getrlimit(resource.RLIMIT_AS)[1]; limit = {4 << 30 if limited else 'hard'}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, hard))\n"
        "from amsunet.memory import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "kept = b'1' * (64 << 20)\n"
        "lines = open('/proc/self/smaps').readlines()\n"
        "print(sum(int(line.split()[1]) for line in lines if line.startswith('AnonHugePages')) * 1024 / len(kept))"
    )
    (share,) = _printed(code)
    assert share < 0.1 if limited else share > 0.8


def test_what_cannot_be_asked_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_OVERCOMMIT", tmp_path / "missing")
    memory.keep_freed_memory.__wrapped__()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc keeps memory, and gives it back when told")
def test_what_another_thread_left_behind_is_given_back():
    if not hasattr(ctypes.CDLL(None), "mallopt"):
        pytest.skip("this C library cannot be told")
    code = (
        "import re, threading, numpy\n"
        "from pathlib import Path\n"
        "from amsunet.memory import keep_freed_memory, return_freed_memory\n"
        "resident = lambda: int(re.search(r'VmRSS:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024\n"
        "keep_freed_memory()\n"
        "start = resident()\n"
        "thread = threading.Thread(target=lambda: [numpy.ones(8 << 20, numpy.uint8) for _ in range(20)])\n"
        "thread.start(); thread.join(); del thread\n"
        "kept = resident() - start\n"
        "return_freed_memory()\n"
        "left = resident() - start\n"
        "more = numpy.ones(64 << 20, numpy.uint8)\n"
        "lines = open('/proc/self/smaps').readlines()\n"
        "huge = sum(int(line.split()[1]) for line in lines if line.startswith('AnonHugePages')) / 1024\n"
        "print(kept, left, huge)"
    )
    kept, left, huge = _printed(code)
    assert kept > 100, "MiB"
    assert left < kept / 2
    offered = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if offered.exists() and "[madvise]" in offered.read_text():
        assert huge > 50, "MiB, of what comes after"


def test_a_container_may_have_less_memory_than_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    of_machine = memory.free_memory()
    assert of_machine > 100 << 20
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() > of_machine / 2
    (tmp_path / "memory.max").write_text(f"{50 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{45 << 20}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {15 << 20}\nactive_file {5 << 20}\n")
    assert memory.free_memory() == 25 << 20
    (tmp_path / "memory.current").write_text(f"{90 << 20}\n")
    assert memory.free_memory() == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what to keep")
def test_large_pieces_are_returned_for_a_while_and_kept_otherwise():
    code = (
        "import numpy, psutil\n"
        "from amsunet.memory import keep_freed_memory, large_pieces_returned\n"
        "small = []\n"
        "def left():\n"
        "    small.append(numpy.ones((4, 1024, 1024), numpy.uint8))\n"
        "    before = psutil.Process().memory_info().rss\n"
        "    numpy.ones((32, 1024, 1024), numpy.uint8)\n"
        "    return (psutil.Process().memory_info().rss - before) / 2**25\n"
        "keep_freed_memory()\n"
        "kept = left()\n"
        "with large_pieces_returned():\n"
        "    returned = left()\n"
        "print(kept, returned, left())"
    )
    first, between, last = _printed(code)
    assert first > 0.5
    assert between < 0.1
    assert last > 0.5


def test_a_cache_keeps_what_fits_and_frees_what_is_dropped(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 40)
    made = []

    def make(length):
        made.append(length)
        return "x" * length

    cache = memory.MemoryCache(len)
    assert [cache.get(key, lambda: make(6)) for key in "aab"] == ["xxxxxx"] * 3
    assert made == [6, 6], "the first is kept"
    cache.get("b", lambda: make(6))
    assert made == [6, 6, 6], "the second does not fit beside it"
    cache.drop("a")
    cache.drop("unknown")
    cache.get("b", lambda: make(6))
    cache.get("b", lambda: make(6))
    assert made == [6] * 4 and cache.room == 4
    cache.clear()
    assert cache.room == 10


def test_a_cache_counts_once_what_threads_make_at_the_same_time(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 400)
    cache, together = memory.MemoryCache(len), Barrier(4)

    def make():
        together.wait(10)
        return "xxxxx"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cache.get("a", make), range(4)))
    assert found == ["xxxxx"] * 4 and cache.room == 95


def test_threads_share_a_budget_and_what_is_larger_goes_alone():
    budget, lock = memory.MemoryBudget(100), Lock()
    together: list[list[int]] = [[]]

    def work(size: int) -> None:
        with budget.take(size):
            with lock:
                together.append([*together[-1], size])
            sleep(0.002)
            with lock:
                together.append([one for one in together[-1] if one != size])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 31, 32, 33, 250, 34, 1, 260, 35, 36]))
    assert max(map(len, together)) > 1
    assert all(sum(sizes) <= 100 or len(sizes) == 1 for sizes in together)


def test_what_fails_gives_its_part_back():
    budget = memory.MemoryBudget(10)
    for _ in range(3):
        with pytest.raises(MemoryError), budget.take(10):
            raise MemoryError


def test_free_memory_is_known_without_psutil(monkeypatch):
    known = memory.free_memory()
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert 0 < memory.free_memory() < 64 * known
    monkeypatch.setattr(memory, "_MEMORY", Path("/no/such/file"))
    assert memory.free_memory() > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="addresses are counted on Linux")
def test_a_limit_of_addresses_counts():
    code = (
        "import resource\n"
        "from amsunet.memory import free_memory\n"
        "limit = resource.getrlimit(resource.RLIMIT_AS)[1]\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, limit))\n"
        "print(free_memory())"
    )
    (free,) = _printed(code)
    assert 0 < free < 1 << 30


def test_a_command_that_has_no_room_to_begin_says_so(monkeypatch):
    monkeypatch.setattr(memory, "_free_addresses", lambda: 3 << 20)
    with pytest.raises(InputError, match=r"may take 3 MB more than it has, and needs 128 .* \(ulimit -v\)$"):
        memory.require_addresses()
    monkeypatch.setattr(memory, "_free_addresses", lambda: 128 << 20)
    memory.require_addresses()
