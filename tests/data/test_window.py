"""CT is seen by one window, that of its foreground; other images are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.dataset import open_dataset
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.value_range import ValueRange, fixed_range, values_of
from amsunet.data.window import find_window

nibabel = pytest.importorskip("nibabel", reason="needs the extra clinic")


def _body(seed: int, air: float = -1024.0) -> tuple[np.ndarray, np.ndarray]:
    """An organ of 0 to 100 Hounsfield units in fat, in air, and a bone; the upper half of the slices holds no organ."""
    rng = np.random.default_rng(seed)
    values, mask = np.full((24, 20, 8), air), np.zeros((24, 20, 8), np.uint8)
    values[4:20, 4:16] = -100
    mask[6:14, 6:14, :4] = 1
    values[mask > 0] = rng.uniform(0, 100, int(mask.sum()))
    values[16:18, 6:14] = 900
    return values.astype(np.int16), mask


@pytest.fixture
def volumes(save_volume: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    def make(channel: str = "", change: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> Path:
        for number in range(2):
            values, mask = _body(number)
            save_volume(tmp_path / "imagesTr" / f"p{number}_0000.nii.gz", change(values))
            save_volume(tmp_path / "labelsTr" / f"p{number}.nii.gz", mask)
        if channel:
            (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": channel}}))
        return tmp_path

    return make


def _window(root: Path) -> tuple[float, float] | None:
    dataset = open_dataset(root)
    return find_window(dataset, dataset.scans)


@pytest.mark.parametrize("channel", ["", "CT"])
def test_the_window_of_ct_is_that_of_its_foreground(channel: str, volumes: Callable[..., Path]) -> None:
    low, high = _window(volumes(channel)) or (0, 0)
    assert (low, high) == (pytest.approx(0, abs=2), pytest.approx(100, abs=2))


def test_what_is_cut_out_of_air_is_ct_where_the_data_say_so(volumes: Callable[..., Path]) -> None:
    assert _window(volumes("CT", lambda values: np.maximum(values, -100))) is not None


@pytest.mark.parametrize(
    ("channel", "change"),
    [
        ("MRI", lambda values: values),
        ("", lambda values: values + 1024),  # no negative values: MR, or counts of a scanner
        ("", lambda values: np.minimum(values, 50)),  # nothing as dense as contrast or bone
        ("", lambda values: ((values.astype(float) + 1024) / 10).clip(0, 255).astype(np.uint8)),  # somebody's window
        ("", lambda values: values * 10),  # of no scanner
    ],
)
def test_other_images_have_none(channel: str, change: Callable, volumes: Callable[..., Path]) -> None:
    assert _window(volumes(channel, change)) is None


def test_ct_in_dicom_is_known_by_its_modality(tmp_path: Path, save: Callable) -> None:
    pydicom = pytest.importorskip("pydicom", reason="needs the extra clinic")
    for number in range(2):
        one = pydicom.dcmread(Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm")
        one.PixelData = np.roll(one.pixel_array, number, axis=0).tobytes()
        for kind in ("CT", "PT"):
            (tmp_path / kind / "images").mkdir(parents=True, exist_ok=True)
            one.Modality = kind
            one.save_as(tmp_path / kind / "images" / f"{number}.dcm")
            save(tmp_path / kind / "masks" / f"{number}.png", np.uint8(255) * (one.pixel_array > 1000))
    assert _window(tmp_path / "CT") is not None
    assert _window(tmp_path / "PT") is None


def test_a_window_is_the_same_for_every_image() -> None:
    values, _ = _body(0)
    slices = values.astype(np.float32).transpose(2, 1, 0)[..., None]
    seen_as = fixed_range((0, 100), _range_of(slices))
    record = Preprocessing.blank(1, "depth", 1.0, seen_as)
    for one in (slices[0], slices[7], slices[7] - 500):  # with the organ, without it, and all darker
        np.testing.assert_array_equal(record.normalize(one), (255 * (one / 100).clip(0, 1)).round())
        assert not record.find_range(one).guess
    again = Preprocessing.model_validate_json(record.model_dump_json())
    np.testing.assert_array_equal(again.normalize(slices[0]), record.normalize(slices[0]))
    assert record.find_range(np.zeros((4, 4, 1), np.uint16)).guess  # values of another type are not of this scale


def _range_of(slices: np.ndarray) -> list[ValueRange]:
    """The range of the values of slices, as a scan has it."""
    return [values_of(slices)]


def test_a_window_holds_for_eight_bits_too() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    record = Preprocessing.blank(1, "depth", 1.0, fixed_range((50, 200), _range_of(image)))
    expected = (255 * ((image.astype(np.float32) - 50) / 150).clip(0, 1)).round()
    np.testing.assert_array_equal(record.normalize(image), expected)
