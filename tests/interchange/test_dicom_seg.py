"""DICOM SEG: judged by dciodvfy (dicom3tools), dcmqi and Orthanc, none of which we or highdicom wrote."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.containers import addresses
from amsunet.data.image_file import count_pixels, read_errors
from amsunet.data.masks import MaskConvention
from amsunet.errors import InputError
from amsunet.inference.objects import find_objects
from amsunet.inference.segmentation import Segmentation
from amsunet.interchange import dicom_seg

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_CLASSES = MaskConvention(kind="values", values=(0, 1, 2), class_names=("background", "liver", "종양"))


def _mask(height: int, width: int) -> np.ndarray:
    """A ring with a hole, one pixel, and what touches the border."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    mask[height // 3, width // 3] = 0
    mask[-1, -1] = 1
    mask[height // 2 :, :1] = 2
    return mask


def _write(image: Path, path: Path, mask: np.ndarray | None = None) -> np.ndarray:
    from amsunet.data.images import read_image

    height, width = read_image(image).shape[:2]
    mask = _mask(height, width) if mask is None else mask
    result = Segmentation(image.name, np.zeros((3, 1, 1), np.float32), mask, _CLASSES)
    dicom_seg.write(result, find_objects(mask), image, path)
    return mask


def _errors(path: Path) -> list[str]:
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs dciodvfy, of Debian's dicom3tools")
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False)
    assert "Segmentation" in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.fixture
def made(tmp_path):
    """Write the CT of pydicom's with other elements; None removes one."""

    def make(**elements: object) -> Path:
        dataset = pydicom.dcmread(_FILES / "CT_small.dcm")
        for keyword, value in elements.items():
            if value is None:
                del dataset[keyword]
            else:
                setattr(dataset, keyword, value)
        path = tmp_path / "made.dcm"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(path)
        return path

    return make


def test_pixels_are_those_of_the_mask(tmp_path):
    mask = _write(_FILES / "CT_small.dcm", tmp_path / "seg.dcm")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    read = sum(segment * frame for segment, frame in enumerate(seg.pixel_array, start=1))
    np.testing.assert_array_equal(read, mask)
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == ["liver", "종양"]


def test_no_mask_that_is_written_has_an_error(tmp_path):
    """Of all kinds of images that pydicom and pydicom-data ship; the others are refused in a sentence."""
    store = pytest.importorskip("data_store", reason="needs the package pydicom-data")
    files = [*_FILES.glob("*.dcm"), *(Path(store.__file__).parent / "data").glob("*.dcm")]
    written, refused = {}, {}
    for file in sorted(files):
        try:
            with read_errors(file):
                image = addresses(file)[-1]
            if count_pixels(image) > 1 << 20:
                continue
            _write(image, tmp_path / file.name)
        except InputError as error:
            refused[file.name] = str(error)
            assert not (tmp_path / file.name).exists()
        else:
            written[file.name] = _errors(tmp_path / file.name)
    assert not any(written.values()), {name: errors for name, errors in written.items() if errors}
    assert len(written) > 60 and "eCT_Supplemental.dcm" in written
    assert "examples_ybr_color.dcm/frame030 is a frame without a place" in refused["examples_ybr_color.dcm"]
    assert "its mask can be written as PNG or NIfTI" in refused["examples_ybr_color.dcm"]
