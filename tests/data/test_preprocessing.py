"""Resizing, and the record that is saved with the weights."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing, channels_first
from amsunet.data.value_range import ValueRange
from amsunet.errors import InputError

RNG = np.random.default_rng(0)


def _record(**options: object) -> Preprocessing:
    channels = int(options.get("in_channels", 1))  # type: ignore[call-overload]
    defaults = {"in_channels": 1, "normalization": "depth", "mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Preprocessing(**(defaults | options))


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.0, 1.8])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_keeps_image_and_labels_together(scale: float, channels: int) -> None:
    record = _record(in_channels=channels, scale=scale)
    image = np.zeros((41, 63, channels), np.uint8)
    image[10:30, 20:50] = 255
    labels = np.where(image[..., 0] > 0, np.uint8(2), np.uint8(0))
    labels[:4] = 255
    small, small_labels = record.resize(image), record.resize_labels(labels)
    assert small.shape[:2] == small_labels.shape == record.working_size(41, 63)
    assert set(np.unique(small_labels)) <= {0, 2, 255}
    assert ((small[..., 0] > 127) == (small_labels == 2)).mean() > 0.95
    assert np.array_equal(small, image) == (scale == 1.0)


def test_the_smallest_image_has_a_working_size() -> None:
    assert _record(scale=0.1).working_size(1, 3) == (1, 1)


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((60, 80), (30, 40)),
        ((180, 240), (30, 40)),
        ((30, 40), (30, 40)),
        ((240, 180), (40, 30)),
        ((63, 84), (32, 42)),
        ((120, 160), (30, 40)),
        ((48, 400), (12, 100)),
    ],
    ids=["as trained", "three times", "half", "on its side", "about as large", "twice", "a strip of four times"],
)
def test_an_image_is_brought_to_the_trained_size(size: tuple[int, int], seen: tuple[int, int]) -> None:
    record = _record(scale=0.5, image_scale="size", typical_size=(60, 80))
    assert record.working_size(*size) == seen
    assert record.resize(np.zeros((*size, 1), np.uint8)).shape[:2] == seen
    assert record.resize_labels(np.zeros(size, np.uint8)).shape == seen


def test_by_factor_size_does_not_matter() -> None:
    for record in (
        _record(scale=0.5),
        _record(scale=0.5, typical_size=(60, 80)),
        _record(scale=0.5, image_scale="size", typical_size=(60, 80)).by_factor(),
    ):
        assert record.working_size(180, 240) == (90, 120)
    by_factor = _record(scale=0.5, image_scale="size", typical_size=(60, 80), spacing=(1, 1)).by_factor(0.25)
    assert by_factor.working_size(180, 240, (9, 9)) == (45, 60)
    assert by_factor == _record(scale=0.25)


def test_where_the_spacing_of_both_is_known_it_decides() -> None:
    record = _record(scale=0.5, image_scale="size", typical_size=(60, 80), spacing=(0.2, 0.1))
    assert record.working_size(180, 240, (0.1, 0.1)) == (45, 120)
    assert record.working_size(180, 240) == (30, 40)
    unknown = _record(scale=0.5, image_scale="size", typical_size=(60, 80))
    assert unknown.working_size(180, 240, (0.1, 0.1)) == (30, 40)


def test_records_of_earlier_versions_mean_a_factor() -> None:
    old = '{"in_channels": 1, "normalization": "depth", "scale": 0.5, "mean": [0.5], "std": [0.25]}'
    record = Preprocessing.model_validate_json(old)
    assert record == _record(scale=0.5) and record.working_size(900, 1200) == (450, 600)


def test_a_size_to_be_brought_to_must_be_known() -> None:
    with pytest.raises(ValueError, match="image_scale size needs typical_size"):
        _record(image_scale="size")


def test_the_record_survives_being_saved() -> None:
    values = ValueRange(type="uint16", low=0, high=4095)
    record = _record(scale=0.7, normalization="percentiles", mean=(0.1234567890123,), std=(0.2,), values=(values,))
    assert Preprocessing.model_validate_json(record.model_dump_json()) == record
    record = record.model_copy(
        update={"image_scale": "size", "typical_size": (5, 7), "size_range": ((4, 5), (9, 9)), "spacing": (0.1, 0.2)}
    )
    assert Preprocessing.model_validate_json(record.model_dump_json()) == record


def test_channels_come_first_without_a_copy() -> None:
    image: Array = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    view = channels_first(image)
    assert np.array_equal(view[2], image[..., 2]) and np.shares_memory(view, image)


@pytest.mark.parametrize("count", [2, 4, 12])
@pytest.mark.parametrize("box", [None, (0.5, 3.25, 40.0, 30.5)])
def test_every_channel_is_resized_as_alone(count: int, box: tuple[float, float, float, float] | None) -> None:
    """Holds that Pillow takes none of two or four channels for transparency, which would change the others."""
    image = RNG.integers(0, 256, (41, 63, count), dtype=np.uint8)
    record, alone = _record(in_channels=count, scale=0.6), _record(scale=0.6)
    whole = record.resize(image) if box is None else record.resize_part(image, box, 20, 21)
    for channel in range(count):
        one = image[..., [channel]]
        expected = alone.resize(one) if box is None else alone.resize_part(one, box, 20, 21)
        assert np.array_equal(whole[..., [channel]], expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_channels_are_normalized_each_by_its_own_range(dtype: str) -> None:
    image = RNG.integers(0, 200, (40, 30, 4)).astype(dtype) * np.array([1, 1, 1, 1], dtype)
    image[..., 1] //= 50
    image[..., 2] = 7
    seen = _record(in_channels=4, normalization="channels").normalize(image)
    assert seen.shape == (40, 30, 4)
    for channel in range(4):
        alone = _record(normalization="percentiles").normalize(image[..., [channel]])
        assert np.array_equal(seen[..., [channel]], alone)


@pytest.mark.parametrize("normalization", ["depth", "percentiles", "channels", "gamma", "bright_on_dark"])
def test_every_normalization_takes_any_number_of_channels(normalization: str) -> None:
    image = RNG.integers(0, 4000, (40, 30, 5)).astype(np.uint16)
    x = _record(in_channels=5, normalization=normalization)(image)
    assert x.shape == (5, 40, 30) and x.dtype == np.float32 and np.isfinite(x).all()


@pytest.mark.parametrize(("channels", "count"), [(4, 3), (4, 1), (3, 4), (1, 2), (2, 5)])
def test_other_channels_are_refused(channels: int, count: int) -> None:
    with pytest.raises(InputError, match=f"has {count} channels, and the network takes {channels}"):
        _record(in_channels=channels).normalize(np.zeros((8, 8, count), np.uint8))


@pytest.mark.parametrize("names", [("a",), ("a", "a"), ("a", ""), ("a", "b", "c"), ("a", "x" * 300)])
def test_there_is_a_name_for_each_channel(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"channel_names|at most 256|at least 1"):
        _record(in_channels=2, channel_names=names)


def test_records_of_before_have_no_names_of_channels() -> None:
    record = _record(in_channels=3)
    assert (
        Preprocessing.model_validate({k: v for k, v in record.model_dump().items() if k != "channel_names"}) == record
    )
