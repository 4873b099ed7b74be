"""Intensity normalization: any image becomes uint8 with its objects visible."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.images import Array
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.value_range import ValueRange

RNG = np.random.default_rng(0)


def _record(**options: object) -> Preprocessing:
    channels = int(options.get("in_channels", 1))  # type: ignore[call-overload]
    defaults = {"in_channels": 1, "normalization": "depth", "mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Preprocessing(**(defaults | options))


@pytest.mark.parametrize("normalization", ["depth", "percentiles", "gamma"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("stored", [1, 3])
@pytest.mark.parametrize("taken", [1, 3])
def test_any_image_becomes_bytes_in_order(normalization: str, dtype: type, stored: int, taken: int) -> None:
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    ramp = np.linspace(0, top, 900).reshape(30, 30, 1).repeat(stored, 2).astype(dtype)
    out = _record(in_channels=taken, normalization=normalization).normalize(ramp)
    assert out.shape == (30, 30, taken) and out.dtype == np.uint8
    levels = out[..., 0].ravel().astype(int)
    assert (np.diff(levels) >= 0).all() and levels[0] == 0 and levels[-1] == 255


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_bright_outliers_stay_bright(dtype: type) -> None:
    image = np.tile(np.arange(256, dtype=dtype), (40, 1))[..., None]
    image[:, :8] = 0
    image[:, -8:] = 255
    image[5, 5] = 300
    assert _record(normalization="percentiles").normalize(image)[5, 5, 0] == 255


@pytest.mark.parametrize(
    ("dtype", "value", "place"),
    [
        (np.uint16, 65535, np.s_[90:93, 60:90]),
        (np.uint16, 65535, np.s_[::16, ::16]),
        (np.float32, -9999, np.s_[:, :30]),
    ],
    ids=["scale bar", "dead pixels", "no data"],
)
def test_a_value_drawn_into_a_deep_image_leaves_the_levels_to_the_others(
    dtype: type, value: float, place: tuple[slice, slice]
) -> None:
    image = RNG.integers(100, 600, (96, 96, 1)).astype(dtype)
    seen = np.ones(image.shape, bool)
    image[place], seen[place] = value, False
    out = _record(normalization="percentiles").normalize(image)
    assert (out[~seen] == (255 if value > 0 else 0)).all()
    assert len(np.unique(out[seen])) > 200


def test_bright_objects_and_a_black_ground_keep_their_levels() -> None:
    """A value at an end is left out only if few pixels have it, far from all others."""
    image = RNG.integers(100, 600, (96, 96, 1)).astype(np.uint16)
    image[:40] = 5000
    assert _record(normalization="percentiles").normalize(image)[50:].max() < 40
    ground = np.zeros((96, 96, 1), np.uint16)
    ground[:30] = RNG.integers(5000, 5050, (30, 96, 1))
    assert _record(normalization="percentiles").normalize(ground)[:30].min() > 240


def test_percentiles_stretch_a_dark_image_and_depth_does_not() -> None:
    dark = RNG.integers(0, 40, (50, 50, 1), dtype=np.uint8)
    assert _record(normalization="percentiles").normalize(dark).max() == 255
    assert np.array_equal(_record(normalization="depth").normalize(dark), dark)


def test_gamma_shows_dim_objects_beside_bright_ones_and_leaves_bright_images_alone() -> None:
    image = np.zeros((64, 64, 1), np.uint8)
    image[:16, :16], image[40:56, 40:56] = 20, 250
    plain, lifted = (_record(normalization=name).normalize(image) for name in ("percentiles", "gamma"))
    assert lifted[0, 0, 0] > 3 * plain[0, 0, 0] and lifted[0, 0, 0] < lifted[45, 45, 0] == 255
    bright = 255 - image
    assert np.array_equal(
        _record(normalization="gamma").normalize(bright), _record(normalization="percentiles").normalize(bright)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_dark_on_bright_becomes_bright_on_dark(dtype: type) -> None:
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    dark = np.zeros((64, 64, 1), dtype)
    dark[:16, :16], dark[40:56, 40:56] = top / 4, top
    record = _record(normalization="bright_on_dark")
    seen = record.normalize(dark)
    assert np.array_equal(seen, _record(normalization="gamma").normalize(dark))
    # The other way round they are the same images, but for rounding.
    assert np.abs(record.normalize((top - dark).astype(dtype)).astype(int) - seen).max() <= 1


EIGHT = ValueRange(type="uint8", low=0, high=255)
TWELVE = ValueRange(type="uint16", low=0, high=4095)
SCENE = RNG.integers(28, 197, (60, 70, 1), dtype=np.uint8)
OTHER_TYPES = {
    "8 in 16": SCENE.astype(np.uint16),
    "10 in 16": SCENE.astype(np.uint16) * 4,
    "12 in 16": SCENE.astype(np.uint16) * 16,
    "16": SCENE.astype(np.uint16) * 257,
    "float to 255": SCENE.astype(np.float32),
    "float to 1": SCENE / np.float32(255),
}


@pytest.mark.parametrize("known", [(), (EIGHT,)], ids=["an earlier version", "8 bits"])
@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_a_network_of_eight_bits_sees_the_same_scene_in_other_types(known: tuple[ValueRange, ...], kind: str) -> None:
    record, image = _record(values=known), OTHER_TYPES[kind]
    assert np.abs(record.normalize(image).astype(int) - SCENE).max() <= 1
    found = record.find_range(image)
    assert np.array_equal(record.normalize(image, found), record.normalize(image))
    assert bool(found.guess) == (kind != "float to 1"), "a range that is no standard is noted"
    assert "8 bits" in found.guess or not found.guess
    assert not record.find_range(SCENE).guess


@pytest.mark.parametrize("known", [(), (EIGHT,), (TWELVE,), (EIGHT, TWELVE)])
@pytest.mark.parametrize(
    "image",
    [
        SCENE.astype(np.float32) * 10 - 1024,
        (SCENE // 9).astype(np.uint16),
        SCENE / np.float32(1e4),
        np.where(np.isin(SCENE, SCENE[0, 0]), 65535, SCENE.astype(np.uint16) * 16).astype(np.uint16),
        SCENE.astype(np.float32) * 1e6,
    ],
    ids=["signed", "very dark", "small fractions", "hot pixels", "large numbers"],
)
def test_no_other_type_is_black_or_white(known: tuple[ValueRange, ...], image: Array) -> None:
    record = _record(values=known)
    levels = record.normalize(image)
    assert levels.std() > 30 and 40 < np.median(levels) < 215
    assert record.find_range(image).guess


def test_depth_is_that_of_the_training_images_of_a_type() -> None:
    mixed = _record(values=(EIGHT, TWELVE))
    dim = np.linspace(0, 900, 4000).reshape(40, 100, 1).astype(np.uint16)
    assert mixed.normalize(dim).max() == round(900 / 4095 * 255) and not mixed.find_range(dim).guess
    assert np.array_equal(mixed.normalize(SCENE), SCENE) and not mixed.find_range(SCENE).guess
    alone = _record(values=(TWELVE,))
    assert "the training images have 12 bits in 16" in alone.find_range(SCENE).guess
    computed = ValueRange(type="float32", low=-1024, high=3071)
    record = _record(values=(computed,))
    ramp = np.linspace(-1024, 3071, 4000, dtype=np.float32).reshape(40, 100, 1)
    assert (record.normalize(ramp)[0, 0, 0], record.normalize(ramp)[-1, -1, 0], record.find_range(ramp).guess) == (
        0,
        255,
        "",
    )


@pytest.mark.parametrize("normalization", ["percentiles", "gamma"])
def test_other_windows_go_by_the_image_alone(normalization: str) -> None:
    image = OTHER_TYPES["12 in 16"]
    record = _record(normalization=normalization, values=(EIGHT,))
    assert np.array_equal(record.normalize(image), _record(normalization=normalization).normalize(image))
    assert not record.find_range(image).guess


@pytest.mark.parametrize("normalization", ["percentiles", "gamma", "channels"])
@pytest.mark.parametrize("factor", [1.0, 1e-4, 1e4])
def test_few_objects_on_nothing_use_the_levels(normalization: str, factor: float) -> None:
    image = np.zeros((200, 200, 1), np.float32)
    image[50:56, 50:56], image[100:106, 100:106] = 100 * factor, 40 * factor
    levels = _record(normalization=normalization).normalize(image)
    lifted = round(255 * 0.4**0.4) if normalization == "gamma" else 102
    assert (levels[0, 0, 0], levels[52, 52, 0], levels[102, 102, 0]) == (0, 255, lifted)


@pytest.mark.parametrize("sign", [1, -1])
def test_few_objects_in_noise_of_deep_images_are_distinguished(sign: int) -> None:
    image = RNG.normal(30_000, 3, (200, 200, 1))
    image[50:56, 50:56] += sign * 9000
    image[100:106, 100:106] += sign * 4000
    image[7, 7] += sign * 25_000  # a single wrong pixel does not count
    levels = _record(normalization="percentiles").normalize(image.round().astype(np.uint16)).astype(int)
    background, bright, dim = levels[150, 150, 0], levels[52, 52, 0], levels[102, 102, 0]
    assert abs(bright - background) > 245 and 100 < abs(dim - background) < 125


def test_few_pixels_that_shine_do_not_hide_the_rest() -> None:
    image = RNG.integers(500, 3500, (200, 200, 1)).astype(np.uint16)
    image[50:58, 50:58] = 65535  # a mark burnt in
    levels = _record(normalization="percentiles").normalize(image)
    assert levels.std() > 60 and (levels[52, 52, 0], image[52, 52, 0]) == (255, 65535)


def test_a_dim_channel_beside_a_bright_one_keeps_its_levels() -> None:
    ramp = np.linspace(0, 1, 90_000).reshape(300, 300)
    image = np.dstack([50_000 * ramp, 300 * ramp.T, np.zeros_like(ramp)]).astype(np.uint16)
    together, alone = (_record(in_channels=3, normalization=name) for name in ("percentiles", "channels"))
    assert len(np.unique(together.normalize(image)[..., 1])) < 6
    levels = alone.normalize(image)
    assert [len(np.unique(levels[..., channel])) for channel in range(3)] == [256, 256, 1]
    part = np.s_[20:50, 7:99]
    assert np.array_equal(alone.normalize(image[part], alone.find_range(image)), levels[part]), (
        "as parts of slides are seen"
    )


def test_grey_of_float_colours_keeps_its_fractions() -> None:
    image = np.linspace(0, 1, 3 * 900, dtype=np.float32).reshape(30, 30, 3)
    assert len(np.unique(_record().normalize(image))) > 200


@pytest.mark.parametrize("normalization", ["depth", "percentiles", "channels"])
@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_flat_image_stays_flat(value: int, normalization: str) -> None:
    for dtype in (np.uint16, np.float32):
        out = _record(normalization=normalization).normalize(np.full((9, 9, 1), value, dtype))
        assert len(np.unique(out)) == 1
