"""Zip archives: what is wrong with one is a sentence, of whichever reader asks."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from amsunet.data.dicom_file import open_dicom
from amsunet.data.readers import imagej_rois
from amsunet.data.zip_file import open_zip
from amsunet.errors import InputError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("one.roi", b"words " * 100)
    return path


def _changed(archive: Path, at: int, value: int) -> None:
    content = bytearray(archive.read_bytes())
    content[at] = value
    archive.write_bytes(content)


def _read_both_ways(archive: Path, sentence: str) -> None:
    for read in (lambda: imagej_rois.load(archive), lambda: open_dicom(archive / "one.roi")):
        with pytest.raises(InputError, match=sentence):
            read()


def test_what_is_in_it_is_read(archive):
    with open_zip(archive) as content:
        assert content.read("one.roi") == b"words " * 100


def test_damage_is_named_where_the_archive_is_opened_and_where_it_is_read(archive):
    start = archive.read_bytes().index(b"one.roi") + len(b"one.roi")
    _changed(archive, start, 0xFF)  # of the packed bytes
    _read_both_ways(archive, "a.zip is damaged, or packed in a way that is not read: unpack it")
    archive.write_bytes(b"PK")
    _read_both_ways(archive, "a.zip is damaged, or packed in a way that is not read: unpack it")


def test_a_password_is_no_damage(archive):
    whole = archive.read_bytes()
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        _changed(archive, whole.index(mark) + flags, 1)
    _read_both_ways(archive, "a.zip is locked by a password: unpack it")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(InputError, match=r"a\.zip is a pipe"), open_zip(tmp_path / "a.zip"):
        pass
    assert not imagej_rois.is_of_regions(tmp_path / "a.zip")
