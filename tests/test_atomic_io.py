"""Files are written wholly or not at all."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat

import numpy as np
import pytest

from amsunet.atomic_io import atomic_write, write_csv, write_json, write_text
from amsunet.data.images import write_image
from amsunet.errors import InputError


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with (
        pytest.raises(InputError, match=r"a\.txt could not be written .*free some space"),
        atomic_write(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("new, half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_folder_in_the_way_is_told_as_one(tmp_path):
    (tmp_path / "d.onnx").mkdir()
    with pytest.raises(InputError, match=r"d\.onnx could not be written .*: a folder stands where"):
        write_text(tmp_path / "d.onnx", "new")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="or a file where a folder should"):
        write_text(tmp_path / "file" / "a.txt", "new")


@pytest.fixture
def disk(monkeypatch):
    """What is asked of the disk, in turn: files and folders flushed, files put in their place."""
    asked, flushed, renamed = [], os.fsync, os.replace

    def fsync(handle):
        asked.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"{os.fstat(handle).st_size} bytes")
        flushed(handle)

    def replace(*places):
        asked.append("renamed")
        renamed(*places)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return asked


def test_the_disk_holds_the_content_before_the_name_and_the_name_before_it_goes_on(tmp_path, disk):
    write_text(tmp_path / "a.txt", "four")
    assert disk == ["4 bytes", "renamed", "folder"]
    disk.clear()
    write_text(tmp_path / "b" / "c" / "a.txt", "four")
    assert disk == ["4 bytes", "renamed", "folder", "folder", "folder"], "b and c are names in folders too"


def test_what_is_easily_made_again_does_not_wait_for_the_disk(tmp_path, disk):
    write_image(tmp_path / "a.png", np.zeros((2, 2), np.uint8))
    assert disk == ["renamed"]


def test_a_file_system_that_flushes_nothing_is_written_to_all_the_same(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    write_text(tmp_path / "a.txt", "four")
    assert (tmp_path / "a.txt").read_text() == "four"


def test_what_the_disk_did_not_take_replaces_nothing(tmp_path, monkeypatch):
    write_text(tmp_path / "a.txt", "old")

    def fail(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError, match=r"a\.txt could not be written \(Input/output error\)"):
        write_text(tmp_path / "a.txt", "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_another_error_passes_and_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "b.txt"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_folders_are_made_and_text_is_utf_8(tmp_path):
    write_json(tmp_path / "deep" / "er" / "c.json", {"name": "Gewebe ä"})
    assert "Gewebe ä" in (tmp_path / "deep" / "er" / "c.json").read_bytes().decode("utf-8")


def test_rows_come_back_from_a_csv_file(tmp_path):
    rows = [{"image": "a, b", "dice": 0.5}, {"image": 'c "d"', "dice": 1.0}]
    write_csv(tmp_path / "out" / "rows.csv", rows)
    with (tmp_path / "out" / "rows.csv").open(newline="", encoding="utf-8") as file:
        assert [{**row, "dice": float(row["dice"])} for row in csv.DictReader(file)] == rows


def test_rows_of_two_versions_stand_in_one_table(tmp_path):
    """A study that an earlier version began has columns fewer."""
    write_csv(tmp_path / "x.csv", [{"a": 1, "b": 2}, {"a": 3, "b": 4, "c": 5}, {"a": 6}])
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines() == ["a,b,c", "1,2,", "3,4,5", "6,,"]


def test_a_name_that_is_not_utf_8_is_written_escaped_and_json_reads_it_back(tmp_path):
    name = b"bad\xff.png".decode("utf-8", "surrogateescape")
    write_csv(tmp_path / "x.csv", [{"image": name}])
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines() == ["image", r"bad\udcff.png"]
    write_json(tmp_path / "x.json", {name: "ä"})
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == {name: "ä"}
