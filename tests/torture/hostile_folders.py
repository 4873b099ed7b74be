"""Data folders that somebody meant harm with, each known by its number: a sound one, in which some things are changed.

``main DATA FIRST COUNT`` opens them and prints what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from made_hostile import HOSTILE
from mutations import mutated
from PIL import Image
from tally import draws

from amsunet.data.dataset import open_dataset
from amsunet.data.options import DataOptions
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs

Random = np.random.Generator
_NAMES = (
    "=1+1.png", "a\nb.png", "\x1b[2J.png", "\u202egnp.png", os.fsdecode(b"bad\xff.png"), " .png", "..png", "-x.png",
    "%s%n.png", "$(x).png", "x" * 240 + ".png", "masks", "CON.png", "a.PNG", "é.png", "e\u0301.png", "a;b.png",
    "manifest.csv", "split.json", "info.csv", "patients.txt", "test.txt", "README.md", "dataset.json", "labels.csv",
)  # fmt: skip
_TEXTS = (
    "",
    "x",
    "{",
    "[" * 100_000,
    "a,b\n" * 10,
    '"' + "x" * 200_000,
    "\xff\xfe",
    "image,mask\n",
    "\0" * 99,
    "1\n" * 9999,
)


def _pick(folder: Path, random: Random) -> Path:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return found[random.integers(len(found))] if found else folder / "none.png"


def _rename(folder: Path, random: Random) -> None:
    path = _pick(folder, random)
    if path.exists():
        path.rename(path.with_name(_NAMES[random.integers(len(_NAMES))]))


def _mutate(folder: Path, random: Random) -> None:
    path = _pick(folder, random)
    if path.exists():
        path.write_bytes(mutated(path.read_bytes() or b"0", random))


def _hostile(folder: Path, random: Random) -> None:
    name = list(HOSTILE)[random.integers(len(HOSTILE))]
    path = _pick(folder, random)
    path.unlink(missing_ok=True)
    path.with_suffix(Path(name).suffix).write_bytes(HOSTILE[name][0]())


def _replace(folder: Path, random: Random) -> None:
    """By something that is no file."""
    path = _pick(folder, random)
    path.unlink(missing_ok=True)
    kinds: list[Callable[[], object]] = [
        path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to(path.name),
        lambda: path.symlink_to(folder), lambda: path.symlink_to("/etc"), path.touch,
    ]  # fmt: skip
    kinds[random.integers(len(kinds))]()


def _table(folder: Path, random: Random) -> None:
    path = folder / _NAMES[random.integers(18, len(_NAMES))]
    if not path.is_dir():
        path.write_text(_TEXTS[random.integers(len(_TEXTS))], encoding="utf-8")


def _mask(folder: Path, random: Random) -> None:
    path, shape = _pick(folder, random), tuple(int(side) for side in random.integers(1, 60, 2))
    kind = (np.uint8, np.uint16, bool)[random.integers(3)]
    if path.exists():
        Image.fromarray(random.integers(0, 2 + 300 * int(random.integers(2)), shape).astype(kind)).save(path, "PNG")


def _move(folder: Path, random: Random) -> None:
    path = _pick(folder, random)
    if path.exists():
        target = folder / ("a/" * int(random.integers(1, 30))) / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)


def _copy(folder: Path, random: Random) -> None:
    path = _pick(folder, random)
    if path.exists():
        shutil.copy(
            path, folder / ("images", "masks", ".")[random.integers(3)] / f"copy{random.integers(9)}{path.suffix}"
        )


def _link_around(folder: Path, random: Random) -> None:
    (folder / f"round{random.integers(99)}").symlink_to(folder, target_is_directory=True)


CHANGES = (
    _rename,
    _rename,
    _mutate,
    _mutate,
    _hostile,
    _replace,
    _replace,
    _table,
    _table,
    _mask,
    _move,
    _copy,
    _link_around,
)


def make(number: int, data: Path, folder: Path) -> None:
    """Write the folder of a number."""
    random = draws("folder", number)
    shutil.copytree(data, folder)
    for _ in range(random.integers(1, 6)):
        try:
            CHANGES[random.integers(len(CHANGES))](folder, random)
        except OSError:  # two changes that do not go together
            continue


def _open(folder: Path, *, skip_broken: bool) -> str:
    try:
        open_dataset(folder, DataOptions(skip_broken=skip_broken))
    except InputError as error:
        assert len(str(error)) < 3000, str(error)[:500]  # a name may hold the end of a line, which the console escapes
        return "refused"
    return "read"


def main() -> None:
    data, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    found: dict[str, Any] = {"read": 0, "refused": 0, "crashes": []}
    slowest, before = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with TemporaryDirectory() as top:
        for number in range(first, first + count):
            folder = Path(top) / str(number)
            make(number, data, folder)
            for skip in (False, True):
                start = time.process_time()
                try:
                    found[_open(folder, skip_broken=skip)] += 1
                    find_inputs([str(folder)])
                except InputError:
                    pass
                except Exception:
                    found["crashes"].append({"number": number, "error": traceback.format_exc()[-1500:]})
                slowest = max(slowest, time.process_time() - start)
            shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({**found, "megabytes": peak >> 10, "slowest": slowest}))
