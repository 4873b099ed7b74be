"""What is opened as an image: regular files, of formats that are read, whose headers can be true."""

from __future__ import annotations

import ast
import os
import resource
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_hostile import HOSTILE
from PIL import Image

import amsunet
from amsunet.data import image_file
from amsunet.data.image_file import count_pixels, orientation_of
from amsunet.data.images import Array, read_image
from amsunet.data.masks.files import read_mask
from amsunet.data.slides import SlideError, is_slide, open_slide
from amsunet.errors import InputError

_ROOT = Path(amsunet.__file__).parent


pytestmark = pytest.mark.usefixtures("ended")


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*words: object, **_: object) -> None:
        pytest.fail(f"a program was started: {words}")

    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(os, "system", started)


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize("read", [read_image, read_mask])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_sentence_and_little_memory(
    tmp_path: Path, name: str, read: Callable[[Path], Array]
) -> None:
    make, message = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=message) as refusal:
        read(path)
    assert str(refusal.value).startswith(str(path)) and "\n" not in str(refusal.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    assert count_pixels(path) > 0 and orientation_of(path) == 1
    if is_slide(path):  # large enough for it
        with pytest.raises(SlideError, match=message):
            open_slide(path)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket has 100 bytes at most
        made.bind(path.name)
        os.chdir(here)


IRREGULAR = {"a pipe": _pipe, "a device": _zero, "a socket": _socket, "a folder": Path.mkdir}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", IRREGULAR)
def test_only_regular_files_are_opened(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    IRREGULAR[kind](path)
    for read in (read_image, read_mask, open_slide):
        with pytest.raises(InputError, match=f"a{suffix} is {kind}, where a file is needed"):
            read(path)
    assert count_pixels(path) > 0 and orientation_of(path) == 1 and is_slide(path) is False


def test_a_link_to_an_image_is_an_image(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("a.png")
    assert (read_image(tmp_path / "b.png") == 7).all()


def test_what_fits_into_no_memory_is_a_failure_of_that_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (8, 8)).save(path)

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "array", full)
    for read in (read_image, read_mask):
        with pytest.raises(InputError, match=r"a\.png does not fit into memory: close other programs"):
            read(path)


def _opens(path: Path) -> list[str]:
    """Calls in a file that open an image by Pillow or tifffile."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if call.startswith(("Image.open(", "PIL.Image.open(", "tifffile.imread("))]


def test_every_image_is_opened_with_the_formats_that_are_read() -> None:
    home = Path(image_file.__file__)
    assert _opens(home) == ["Image.open(file, formats=FORMATS)"]
    opened = {path.name: _opens(path) for path in _ROOT.rglob("*.py") if path != home and _opens(path)}
    assert all("formats=(" in call for calls in opened.values() for call in calls), opened
    # A part of a JPEG that is open already, a sample of the package, and the bitmap of an object in LabelMe's JSON.
    assert opened.keys() <= {"missing_rows.py", "page_files.py", "labelme.py"}
    for part in ("examples", "benchmarks", "tools"):
        for path in (_ROOT.parents[1] / part).rglob("*.py"):
            assert all("formats=" in call for call in _opens(path) if call.startswith("Image")), path
