"""DICOM without a name that says so: as scanners write it, and in a zip."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from amsunet.data import dicom_file
from amsunet.data.containers import addresses, find_address, is_container
from amsunet.data.dicom_file import members
from amsunet.data.image_file import count_pixels
from amsunet.data.images import read_image
from amsunet.errors import InputError

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_CT, _CINE = _FILES / "CT_small.dcm", _FILES / "examples_ybr_color.dcm"


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.113619.2.55"])
def test_a_file_without_suffix_is_found_by_its_content(tmp_path, name):
    path = tmp_path / name
    shutil.copy(_CINE, path)
    assert is_container(path) and find_address(path) == (path, "")
    frame = addresses(path)[4]
    assert find_address(frame) == (path, "frame005")
    np.testing.assert_array_equal(read_image(frame), read_image(_CINE / "frame005"))
    (tmp_path / "LICENSE").write_text("text")
    (tmp_path / ".hidden").write_bytes(_CT.read_bytes())
    shutil.copy(_FILES / "dicomdirtests" / "DICOMDIR", tmp_path / "DICOMDIR")
    for other in ("LICENSE", ".hidden", "DICOMDIR", "none", "."):
        assert not is_container(tmp_path / other) and find_address(tmp_path / other) is None


def test_a_zip_says_before_it_is_unpacked_what_it_takes(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as content:
        content.writestr("IM1", bytes(128) + b"DICM" + bytes(3 << 20))
    monkeypatch.setattr(dicom_file, "free_memory", lambda: 5 << 20)
    with pytest.raises(InputError, match=r"takes 0\.0 GB once it is unpacked: unpack the zip"):
        read_image(tmp_path / "a.zip" / "IM1")


@pytest.fixture
def archive(tmp_path) -> Path:
    path = tmp_path / "case.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        content.write(_CT, "study/IM1")
        content.write(_CINE, "study/cine.dcm")
        content.write(_FILES / "rtplan.dcm", "study/plan.dcm")
        content.write(_FILES / "dicomdirtests" / "DICOMDIR", "DICOMDIR")
        content.write(_CT, "../outside.dcm")
        content.writestr("study/README", "no image")
    return path


def test_a_zip_is_read_where_it_is(archive):
    before = {*archive.parent.iterdir()}
    assert is_container(archive) and members(archive) == ["study/IM1", "study/cine.dcm", "study/plan.dcm"]
    found = addresses(archive)
    assert len(found) == 31 and found[0] == archive / "study/IM1" and found[3] == archive / "study/cine.dcm/frame003"
    np.testing.assert_array_equal(read_image(found[0]), read_image(_CT))
    np.testing.assert_array_equal(read_image(found[3]), read_image(_CINE / "frame003"))
    assert count_pixels(found[3]) == 240 * 320
    assert {*archive.parent.iterdir()} == before


def test_a_zip_that_cannot_be_read_is_named(archive, tmp_path):
    with pytest.raises(InputError, match=r"case\.zip holds no study/IM2: check the name"):
        read_image(archive / "study" / "IM2")
    with pytest.raises(InputError, match=r"case\.zip holds several images: name one, as .*case\.zip/study/IM1"):
        read_image(archive)
    content = archive.read_bytes()
    place = content.index(b"study/IM1") + 2000  # within the packed pixels
    archive.write_bytes(content[:place] + bytes(200) + content[place + 200 :])
    with pytest.raises(InputError, match=r"case\.zip is damaged"):
        read_image(archive / "study" / "IM1")


def test_a_zip_without_dicom_is_no_image(tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as content:
        content.writestr("a.png", "a")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    assert not is_container(tmp_path / "pictures.zip") and not is_container(tmp_path / "broken.zip")
    assert find_address(tmp_path / "pictures.zip" / "a.png") is None


def test_a_header_that_lies_is_refused_in_a_zip_too(tmp_path):
    dataset = pydicom.dcmread(_CT)
    dataset.Rows = dataset.Columns = 60000
    dataset.save_as(tmp_path / "large.dcm")
    with zipfile.ZipFile(tmp_path / "case.zip", "w") as content:
        content.write(tmp_path / "large.dcm", "large.dcm")
    with pytest.raises(InputError, match="more than the 500 million"):
        read_image(tmp_path / "case.zip" / "large.dcm")
