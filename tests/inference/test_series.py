"""DICOM series: a mask for each slice, and one DICOM SEG for all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from amsunet.data.images import read_image
from amsunet.data.masks.files import read_mask
from amsunet.inference.inputs import find_inputs
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions

pydicom = pytest.importorskip("pydicom", reason='needs pip install "amsunet[clinic]"')
pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')


def test_the_masks_of_a_series_follow_those_of_its_slices(tmp_path, make_light_predictor):
    image = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    (tmp_path / "ct").mkdir()
    for number in range(3):
        one = pydicom.dcmread(image)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        one.ImagePositionPatient = [0, 0, number]
        one.PixelData = np.roll(one.pixel_array, 9 * number, axis=1).tobytes()
        one.save_as(tmp_path / "ct" / f"{number}.dcm")
    inputs, out = find_inputs([str(tmp_path / "ct")]), tmp_path / "out"
    predictor, other = make_light_predictor(), make_light_predictor("other")
    assert predict_files(predictor, inputs, out, PredictionOptions(also="seg")).written == 3
    (joined,) = (out / "seg-series").iterdir()
    for number in range(3):
        mask = read_image(out / f"{number}.png")[..., 0]
        np.testing.assert_array_equal(read_mask(joined / f"1.2.3.{number}"), mask > 0)
        assert mask.any()
    before = pydicom.dcmread(joined).SOPInstanceUID
    assert predict_files(predictor, inputs, out, PredictionOptions(also="seg", resume=True)).passed_over == 3
    assert pydicom.dcmread(joined).SOPInstanceUID == before
    predict_files(other, inputs[1:], out, PredictionOptions(overwrite=True))  # without the form: one mask is left of it
    assert not [*(out / "seg-series").iterdir()]
