"""Images that were changed at random neither crash nor hang a reader, nor take more memory than they may."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mutations import mutation, read_all, seeds
from tally import REPEATS, SEED

_HOME = Path(__file__).parent
_MEGABYTES = 300
"""Most that reading such small files may take, libraries that are loaded meanwhile included."""


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return seeds()


def test_what_is_mutated_is_read_before(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in whole.items():
        path = tmp_path / name
        path.write_bytes(content)
        made = read_all(path)[:2]
        known = {"film.gif": ["refused", "refused"], "ome.tif": ["read", "refused"]}  # two channels are no mask
        assert made == known.get(name, ["read", "read"]), name


def test_a_number_stands_for_one_mutation(whole: dict[str, bytes]) -> None:
    assert [mutation(number, whole) for number in range(30)] == [mutation(number, whole) for number in range(30)]
    changed = [content != whole[name] for name, content in (mutation(number, whole) for number in range(30))]
    assert np.mean(changed) > 0.9


@pytest.mark.parametrize(("first", "count"), [(0, 90), pytest.param(90, 400 * REPEATS, marks=pytest.mark.torture)])
def test_mutated_images_are_read_or_refused(first: int, count: int, tally: Callable[..., None]) -> None:
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(_HOME / "mutations.py"),
        str(first + 10**6 * SEED),
        str(count),
        "1500",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"mutation {lines[-1]}: {done.stderr[-2000:]}"
    found = json.loads(lines[-1])
    tally("mutated files", "images and masks of every format", tried=count, read=found["read"],
          refused_in_one_sentence=found["refused"], crashes=0, hangs=0, largest_megabytes=found["megabytes"],
          megabytes_over_the_bound=max(0, found["megabytes"] - _MEGABYTES))  # fmt: skip
    assert found["read"] + found["refused"] == count and min(found["read"], found["refused"]) > count / 20
    assert found["megabytes"] < _MEGABYTES, found
