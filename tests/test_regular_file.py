"""Pipes, devices and sockets hang nobody, under whatever name they lie in a data set or are given."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.builtin_samples import check_exists
from amsunet.data.discovery.layout import find_samples
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs
from amsunet.inference.model_metadata import read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.slide_state import FileArray
from amsunet.regular_file import open_regular, read_regular
from amsunet.training.checkpoint import find_checkpoint
from amsunet.training.run_folder import read_run

pytestmark = pytest.mark.usefixtures("ended")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


SPECIAL = {"a pipe": _pipe, "a device": _zero, "a folder": Path.mkdir}


@pytest.fixture(params=SPECIAL)
def special(request: pytest.FixtureRequest) -> tuple[str, Callable[[Path], None]]:
    return request.param, SPECIAL[request.param]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(np.full((8, 8), index, np.uint8)).save(folder / part / f"{index}.png")
    return folder


def test_regular_files_are_read_through_links_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "b").symlink_to("a")
    assert read_regular(tmp_path / "b") == b"content"
    with open_regular(tmp_path / "a") as file:
        assert Path(file.name) == tmp_path / "a"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "c")


def test_a_file_that_becomes_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda *_, **__: regular)
    with pytest.raises(InputError, match="a is a pipe"):
        open_regular(path)


def test_a_source_of_data_is_a_file_or_a_folder(tmp_path: Path) -> None:
    for kind in ("a pipe", "a device"):
        path = tmp_path / kind
        SPECIAL[kind](path)
        for read in (check_exists, find_samples):
            with pytest.raises(InputError, match=f"is {kind}, where a file is needed"):
                read(path)


def test_a_manifest_is_a_file(data: Path, special: tuple[str, Callable[[Path], None]]) -> None:
    kind, make = special
    make(data / "manifest.csv")
    with pytest.raises(InputError, match=rf"manifest\.csv is {kind}, where a file is needed"):
        find_samples(data)


def test_what_a_manifest_names_is_a_file(data: Path) -> None:
    (data / "manifest.csv").write_text("image,mask\nimages/0.png,masks/0.png\nimages/1.png,pipe.png\n")
    os.mkfifo(data / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png is a pipe"):
        find_samples(data)


@pytest.mark.parametrize("name", ["info.csv", "notes.tsv"])
def test_tables_that_are_no_files_are_said(data: Path, special: tuple[str, Callable[[Path], None]], name: str) -> None:
    kind, make = special
    make(data / name)
    layout = find_samples(data)
    assert len(layout.samples) == 3
    assert [f"{name} is {kind}" in warning for warning in layout.warnings] == [True]


def test_lists_of_a_split_are_files(data: Path, special: tuple[str, Callable[[Path], None]]) -> None:
    kind, make = special
    make(data / "test.txt")
    with pytest.raises(InputError, match=rf"test\.txt is {kind}"):
        find_samples(data)


@pytest.mark.parametrize("name", ["patients.txt", "split.json", "splits.csv"])
def test_what_is_no_file_is_not_opened(data: Path, special: tuple[str, Callable[[Path], None]], name: str) -> None:
    special[1](data / name)
    assert len(find_samples(data).samples) == 3


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_inputs_and_models_that_are_no_files_are_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    for name in ("a.png", "list.txt", "model.onnx", "model.safetensors"):
        SPECIAL[kind](tmp_path / name)
    (tmp_path / "all.txt").write_text("a.png\n")
    for text in ("a.png", "*.png", "list.txt", "all.txt", "."):
        (job,) = find_inputs([str(tmp_path / text)])  # refused when it is read, one among many
        assert job.image.name in ("a.png", "list.txt")
    for name in ("model.onnx", "model.safetensors"):
        with pytest.raises(InputError, match=f"{name} is {kind}, where a file is needed"):
            ModelRef.resolve(tmp_path / name)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
def test_what_lies_in_a_run_is_a_file(tmp_path: Path, kind: str) -> None:
    for name in ("model.safetensors", "config.json", "last.ckpt", "labels"):
        SPECIAL[kind](tmp_path / name)
    for read in (
        lambda: read_description(tmp_path / "model.safetensors"),
        lambda: read_run(tmp_path),
        lambda: FileArray(tmp_path / "labels", 1, 2, 2, np.uint8),
    ):
        with pytest.raises(InputError, match=f"is {kind}, where a file is needed"):
            read()
    with pytest.raises(InputError, match=r"last\.ckpt is damaged"):
        find_checkpoint(tmp_path, {})
