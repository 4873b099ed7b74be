"""A disk that is full, read-only or failing, and files that vanish: one sentence, nothing half-written, one goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from commands import COMMANDS, assert_clean, go_on, most_faults, some, trouble_of
from tally import draws, spread

ERRORS = {"ENOSPC": "a full disk", "EROFS": "a read-only disk", "EIO": "a failing disk", "EACCES": "no permission"}


@pytest.mark.parametrize("name", COMMANDS)
def test_errors_of_the_disk(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    """At any change or opening, for good (the disk is full from then on) or once."""
    command, problems, rng = COMMANDS[name], [], draws("disk", name)
    whole = unbroken(name)
    places, first = spread(len(whole.told), most_faults(name, 2), "disk", name), [*COMMANDS].index(name)
    for number, at in enumerate(places, start=first):
        out, error = tmp_path / str(at), list(ERRORS)[number % len(ERRORS)]
        fault = {"kind": "disk", "error": error, "at": at, "below": str(out), "lasting": bool(rng.integers(2))}
        done = amsunet_in_fork(command.split(material | {"out": out}), fault)
        try:
            assert_clean(done)
            came = len(done.told) > at  # how often lists are written depends on the time
            silent = came and fault["lasting"] and error != "EACCES" and done.code != 2 and name != "compare"
            assert not silent, "it says nothing"
            if problem := go_on(name, material, out, amsunet_in_fork, whole.result):
                raise AssertionError(problem)
        except AssertionError as problem:
            problems.append((fault, done.told[-1:], str(problem)))
    tally("faults injected", "errors of the disk", tried=len(places), handled=len(places) - len(problems))
    assert problems == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "compare"])
def test_no_room_for_larger_files(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    """What the system refuses is a write in the middle of a file, in whichever library it is done."""
    command, problems = COMMANDS[name], []
    whole = unbroken(name)
    sizes = some([0, 300, 5_000, 60_000, 200_000], name)
    for size in sizes:
        out = tmp_path / str(size)
        done = amsunet_in_fork(command.split(material | {"out": out}), {"kind": "small files", "bytes_": size})
        if problem := trouble_of(done, name, material, out, amsunet_in_fork, whole.result):
            problems.append((size, problem))
    tally("faults injected", "no room for larger files", tried=len(sizes), handled=len(sizes) - len(problems))
    assert problems == []


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of so many kilobytes; where this process may not, the test is skipped."""
    mounted = []

    def mount(kilobytes: int) -> Path:
        place = tmp_path / f"disk{kilobytes}"
        place.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
            pytest.skip("only some users may mount a disk")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("name", ["train", "predict", "slide", "export openvino", "evaluate"])
def test_a_disk_that_is_full(name, material, amsunet_in_fork, unbroken, small_disk, tmp_path, tally):
    command, problems = COMMANDS[name], []
    whole = unbroken(name)
    sizes = some([16, 64, 256, 1024], name)
    for size in sizes:
        disk = small_disk(size)
        done = amsunet_in_fork(command.split(material | {"out": disk / "out"}))
        out = Path(shutil.copytree(disk / "out", tmp_path / str(size)) if (disk / "out").exists() else tmp_path / "x")
        if problem := trouble_of(done, name, material, out, amsunet_in_fork, whole.result):
            problems.append((size, problem))
    tally("faults injected", "a full disk", tried=len(sizes), handled=len(sizes) - len(problems))
    assert problems == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("export")])
def test_files_that_vanish(name, material, amsunet_in_fork, unbroken, tmp_path, tally):
    """A file is gone when it is opened, or the folder of all of them, as of a drive that was pulled out."""
    command, problems = COMMANDS[name], []
    given = "scan" if name == "slide" else "images" if name == "predict" else "data"
    count = most_faults(name, 3)
    rng = draws("vanish", name)
    for number, at in enumerate(rng.integers(0, 40, count)):
        copied, out = tmp_path / f"in{number}", tmp_path / f"out{number}"
        copied.mkdir()
        place = copied / material[given].name
        (shutil.copy if given == "scan" else shutil.copytree)(material[given], place)
        fault = {"kind": "vanish", "at": int(at), "below": str(copied), "whole": bool(rng.integers(2))}
        done = amsunet_in_fork(command.split({**material, given: place, "out": out}), fault)
        try:
            assert_clean(done)
            assert not list(out.rglob("*.partial.*")), "half-written files"
        except AssertionError as problem:
            problems.append((fault, done.told[-1:], str(problem)))
    tally("faults injected", "files that vanish", tried=count, handled=count - len(problems))
    assert problems == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_may_not_be_written(name, material, amsunet_in_fork, tmp_path, tally):
    """Nothing can be made there, for there a file stands; root may write everywhere else."""
    out = tmp_path / "file" / "out"
    out.parent.touch()
    done = amsunet_in_fork(COMMANDS[name].split(material | {"out": out}))
    assert_clean(done)
    tally("faults injected", "no folder to write into", tried=1, handled=int(done.code == 2))
    assert done.code == 2 and str(out.parent) in done.err
    assert out.parent.read_bytes() == b"" and [path.name for path in tmp_path.iterdir()] == ["file"]
