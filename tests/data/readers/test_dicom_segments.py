"""Masks in DICOM SEG: foreign ones, and those that highdicom writes of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amsunet.data.containers import addresses
from amsunet.data.masks.files import read_mask
from amsunet.data.readers.dicom_segments import segments_of
from amsunet.errors import InputError

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
highdicom = pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_CODE = pydicom.sr.codedict.codes.SCT.Tissue


def _write(path: Path, mask: np.ndarray, sources: list, kind: str = "BINARY", names: tuple = ("liver", "tumour")):
    descriptions = [
        highdicom.seg.SegmentDescription(number, name, _CODE, _CODE, "MANUAL")
        for number, name in enumerate(names, start=1)
    ]
    uid = pydicom.uid.generate_uid
    made = ("maker", "model", "1", "1")
    highdicom.seg.Segmentation(sources, mask, kind, descriptions, uid(), 1, uid(), 1, *made).save_as(path)


@pytest.fixture
def series() -> list:
    """Three slices with a size that is no multiple of eight bits."""
    slices = []
    for number in range(3):
        one = pydicom.dcmread(_FILES / "CT_small.dcm")
        one.Rows, one.Columns = 13, 11
        one.PixelData = bytes(2 * 13 * 11 + 0)
        one.SOPInstanceUID = f"1.2.3.{number + 1}"
        one.ImagePositionPatient = [0, 0, 5 * number]
        slices.append(one)
    return slices


@pytest.fixture
def masks() -> np.ndarray:
    masks = np.random.default_rng(0).integers(0, 3, (3, 13, 11), np.uint8)
    masks[1] = 0  # which the file leaves out
    return masks


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_planes_are_named_after_their_images(tmp_path, series, masks, kind):
    path = tmp_path / "seg.dcm"
    _write(path, masks, series, kind)
    known = segments_of(path)
    assert known.names == {1: "liver", 2: "tumour"} and known.images == {"1.2.3.1", "1.2.3.2", "1.2.3.3"}
    assert {one.name for one in addresses(path)} == {"1.2.3.1", "1.2.3.3"}
    for number, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(read_mask(path / f"1.2.3.{number}"), mask)


def test_a_mask_of_one_plane_needs_no_name(tmp_path, series, masks):
    _write(tmp_path / "seg.dcm", masks[2], series[2:])
    assert addresses(tmp_path / "seg.dcm") == [tmp_path / "seg.dcm"]
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm"), masks[2])
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm" / "1.2.3.3"), masks[2])


def test_planes_of_frames_are_named_as_these(tmp_path):
    store = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    image = pydicom.dcmread(Path(store.__file__).parent / "data" / "eCT_Supplemental.dcm", stop_before_pixels=True)
    masks = np.zeros((2, 512, 512), np.uint8)
    masks[1, 100:200, 3:7] = 2
    _write(tmp_path / "seg.dcm", masks, [image])
    np.testing.assert_array_equal(read_mask(tmp_path / "seg.dcm" / "frame002"), masks[1])


def test_a_foreign_mask_is_read():
    path = _FILES / "liver_1frame.dcm"
    assert segments_of(path).names == {1: "Liver"}
    mask = read_mask(path)
    assert mask.shape == (512, 512) and set(np.unique(mask)) == {0, 1}
    np.testing.assert_array_equal(mask, pydicom.dcmread(path).pixel_array)


def test_a_plane_that_is_not_found_is_named(tmp_path, series, masks):
    _write(tmp_path / "seg.dcm", masks, series)
    with pytest.raises(InputError, match=r"seg\.dcm holds no plane 1\.2\.3\.9: name one, as .*/1\.2\.3\."):
        read_mask(tmp_path / "seg.dcm" / "1.2.3.9")
    with pytest.raises(InputError, match=r"holds 2 planes, and none is named"):
        read_mask(tmp_path / "seg.dcm")


def test_pixels_of_two_segments_are_refused_with_their_names(tmp_path, series):
    both = np.zeros((1, 13, 11, 2), np.uint8)
    both[0, 3:6, 3:6, 0] = both[0, 5:8, 5:8, 1] = 1
    _write(tmp_path / "seg.dcm", both, series[:1])
    with pytest.raises(InputError, match=r"has pixels of both liver and tumour: save its segments as BINARY"):
        read_mask(tmp_path / "seg.dcm")


def test_shares_are_refused_unless_they_are_all_or_nothing(tmp_path, series, masks):
    share = np.zeros((1, 13, 11), np.float32)
    share[0, 2:4] = 1
    _write(tmp_path / "whole.dcm", share, series[:1], "FRACTIONAL", names=("liver",))
    np.testing.assert_array_equal(read_mask(tmp_path / "whole.dcm"), share[0])
    share[0, 2] = 0.5
    _write(tmp_path / "share.dcm", share, series[:1], "FRACTIONAL", names=("liver",))
    with pytest.raises(InputError, match=r"holds shares of segments \(FRACTIONAL\)"):
        read_mask(tmp_path / "share.dcm")


def test_a_file_of_numbers_is_a_mask_too(tmp_path):
    """As pictures of the class numbers, which are not rescaled."""
    image = pydicom.dcmread(_FILES / "CT_small.dcm")
    np.testing.assert_array_equal(read_mask(_FILES / "CT_small.dcm"), image.pixel_array)
    with pytest.raises(InputError, match="holds colours, where a mask holds numbers"):
        read_mask(_FILES / "examples_rgb_color.dcm")
