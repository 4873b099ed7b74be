"""Files are written wholly or not at all."""

from __future__ import annotations

import csv
import errno
import json

import pytest

from amsunet.atomic_io import atomic_write, write_csv, write_json, write_text
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
