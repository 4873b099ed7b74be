"""The figures of a data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from amsunet.data.dataset import Dataset, open_dataset
from amsunet.data.fingerprint import Fingerprint, take_fingerprint
from amsunet.data.images import Array

_NAMES = ("background", "foreground")


def _bars(width: int) -> Array:
    mask = np.zeros((80, 100), np.uint8)
    mask[10:70, 20 : 20 + width] = 255
    return mask


@pytest.fixture
def bars(tmp_path: Path, save: Callable[[Path, Array], Path]) -> Callable[..., Fingerprint]:
    """The fingerprint of five images with a bar of a width each, the last mask left empty."""

    def take(width: int, dtype: type = np.uint8, channels: int = 1) -> Fingerprint:
        rng = np.random.default_rng(0)
        for number in range(5):
            levels = rng.integers(0, np.iinfo(dtype).max, (80, 100, channels), dtype=dtype)
            save(tmp_path / "images" / f"{number}.png", levels.squeeze())
            save(tmp_path / "masks" / f"{number}.png", _bars(width if number < 4 else 0))
        dataset = open_dataset(tmp_path)
        return take_fingerprint(dataset, {sample.name for sample in dataset.samples})

    return take


@pytest.mark.parametrize("width", [3, 9, 21])
def test_a_bar_is_as_thick_as_it_is_wide(width: int, bars: Callable[..., Fingerprint]) -> None:
    figures = bars(width)
    assert figures.thickness == pytest.approx(width, rel=0.35, abs=1.5)
    assert figures.class_shares[1] == pytest.approx(4 / 5 * 60 * width / 8000)
    assert sum(figures.class_shares) == pytest.approx(1) and figures.empty_masks == 1


@pytest.mark.parametrize(("width", "thin"), [(3, True), (21, False)])
def test_the_skeleton_of_a_bar_is_one_over_its_width(width: int, thin: bool, bars: Callable[..., Fingerprint]) -> None:
    figures = bars(width)
    assert figures.skeleton_share == pytest.approx(1 / width, rel=0.35)
    assert figures.thin == thin and ("thin lines" in figures.describe(_NAMES)) == thin


@pytest.mark.parametrize(
    ("bright", "foreground_is", "expected"),
    [(range(5), "far", True), (range(4), "far", False), (range(5), "brighter", False), (range(5), "darker", False)],
)
def test_bright_on_dark_needs_both_kinds_of_image(
    tmp_path: Path, save: Callable[[Path, Array], Path], bright: range, foreground_is: str, expected: bool
) -> None:
    for number in range(12):
        background = 200 if number in bright else 60
        darker = foreground_is == "darker" or (foreground_is == "far" and number in bright)
        image = np.full((80, 100), background, np.uint8)
        image[10:30, 20:50] = background + (-40 if darker else 40)
        image[0, 0] = number
        save(tmp_path / "images" / f"{number}.png", image)
        mask = np.zeros((80, 100), np.uint8)
        mask[10:30, 20:50] = 255
        save(tmp_path / "masks" / f"{number}.png", mask)
    dataset = open_dataset(tmp_path)
    assert take_fingerprint(dataset, {sample.name for sample in dataset.samples}).bright_on_dark == expected


def test_small_discs_are_no_lines(tmp_path: Path, save: Callable[[Path, Array], Path]) -> None:
    rows, columns = np.mgrid[:80, :100]
    discs = ((rows % 12 - 6) ** 2 + (columns % 12 - 6) ** 2 <= 9).astype(np.uint8) * 255
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", np.full((80, 100), 9 + number, np.uint8))
        save(tmp_path / "masks" / f"{number}.png", discs)
    dataset = open_dataset(tmp_path)
    figures = take_fingerprint(dataset, {sample.name for sample in dataset.samples})
    assert figures.thickness < 10 and not figures.thin


def test_vessels_are_thin_lines(opened: Callable[[str], Dataset]) -> None:
    dataset = opened("DRIVE")
    names = [sample.name for sample in dataset.samples if sample.split != "test"][:4]
    assert take_fingerprint(dataset, set(names)).thin


@pytest.mark.parametrize(("dtype", "channels", "bits"), [(np.uint8, 1, 8), (np.uint8, 3, 8), (np.uint16, 1, 16)])
def test_moments_are_shares_of_the_type(
    dtype: type, channels: int, bits: int, bars: Callable[..., Fingerprint]
) -> None:
    figures = bars(5, dtype, channels)
    assert (figures.images, figures.bits, figures.coloured) == (5, bits, channels == 3)
    assert (figures.median_height, figures.median_width, figures.smallest_side, figures.largest_side) == (
        80,
        100,
        80,
        100,
    )
    assert len(figures.mean) == len(figures.std) == channels
    assert np.allclose(figures.mean, 0.5, atol=0.02) and np.allclose(figures.std, 12**-0.5, atol=0.02)


def test_mixed_depths_are_warned_of_and_are_equally_bright(tmp_path: Path, save: Callable[[Path, Array], Path]) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        levels = rng.integers(60, 200, (80, 100), dtype=np.uint8)
        deep = number > 6
        save(tmp_path / "images" / f"{number}.png", levels.astype(np.uint16) * 16 if deep else levels)
        save(tmp_path / "masks" / f"{number}.png", _bars(9))
    dataset = open_dataset(tmp_path)
    figures = take_fingerprint(dataset, {sample.name for sample in dataset.samples})
    assert (figures.bits, figures.depth) == (16, "8 bits and 12 bits in 16") and figures.depth in figures.describe(
        _NAMES
    )
    assert figures.brightness_variation < 0.1 and figures.mean[0] == pytest.approx(130 / 255, abs=0.02)
    assert any("7 have 8 bits (0.png), 3 have 12 bits in 16 (7.png)" in warning for warning in dataset.warnings)
    alone = take_fingerprint(dataset, {sample.name for sample in dataset.samples[:7]})
    assert (alone.bits, alone.depth) == (8, "8 bits")


@pytest.mark.parametrize(("dim", "dtype", "expected"), [(300, np.uint16, 300 / 50_000), (90, np.uint8, 1)])
def test_channels_of_deep_images_are_compared(
    tmp_path: Path, save: Callable[[Path, Array], Path], dim: int, dtype: type, expected: float
) -> None:
    ramp = np.linspace(0, 1, 8000).reshape(80, 100)
    top = 50_000 if dtype is np.uint16 else 255
    image = np.dstack([top * ramp, dim * ramp, np.zeros_like(ramp)]).astype(dtype)
    for number in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", image + dtype(number), photometric="rgb")
        save(tmp_path / "masks" / f"{number}.png", _bars(9))
    dataset = open_dataset(tmp_path)
    figures = take_fingerprint(dataset, {sample.name for sample in dataset.samples})
    assert figures.channel_balance == pytest.approx(expected, rel=0.05)


def test_samples_that_are_not_named_leave_no_trace() -> None:
    dataset = open_dataset("sample:brain")
    names = {sample.name for sample in dataset.samples if sample.split == "train"}
    figures = take_fingerprint(dataset, names)
    assert figures.images == len(names) == 24 and (figures.median_height, figures.median_width) == (192, 160)
    alone = [scan for scan in dataset.scans if scan.sample.name in names]
    assert figures.mean[0] == pytest.approx(np.mean([scan.mean[0] for scan in alone]))
    assert Fingerprint.model_validate_json(figures.model_dump_json()) == figures


@pytest.mark.parametrize(
    ("kind", "warned"), [("outline", True), ("disc", False), ("muscle", False), ("network", False), ("mixed", False)]
)
def test_masks_that_are_closed_outlines_are_warned_of(
    tmp_path: Path, save: Callable[[Path, Array], Path], kind: str, warned: bool
) -> None:
    rows, columns = np.mgrid[:96, :96]
    for number in range(10):
        distance = np.hypot(rows - 44 - number, columns - 48)
        mask = {
            "outline": (distance <= 30) & (distance > 28),
            "disc": distance <= 30,
            "muscle": (distance <= 30) & (distance > 20),
            "network": (rows % 12 == number) | (columns % 12 == number),
            "mixed": (distance <= 30) & (distance > (28 if number % 2 else 5)),
        }[kind]
        save(tmp_path / "images" / f"{number}.png", np.full((96, 96), 9 + number, np.uint8))
        save(tmp_path / "masks" / f"{number}.png", mask.astype(np.uint8) * 255)
    dataset = open_dataset(tmp_path)
    warnings = take_fingerprint(dataset, {sample.name for sample in dataset.samples}).warnings
    assert bool(warnings) == warned
    assert not warned or ("0.png, which filled would be" in warnings[0] and "if the inside is meant" in warnings[0])


def test_vessels_are_no_outlines(opened: Callable[[str], Dataset]) -> None:
    dataset = opened("DRIVE")
    assert take_fingerprint(dataset, {sample.name for sample in dataset.samples}).warnings == []


def test_channels_have_figures_and_names_each(tmp_path: Path, save: Callable[[Path, Array], Path]) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(4):
        pixels = (rng.random((4, 80, 100)) * np.array([10, 40, 90, 250])[:, None, None]).astype(np.uint8)
        metadata = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "actin", "bf"]}}
        tifffile.imwrite(tmp_path / f"images/{number}.tif", pixels, photometric="minisblack", metadata=metadata)
        save(tmp_path / "masks" / f"{number}.png", _bars(9 + number))
    dataset = open_dataset(tmp_path)
    figures = take_fingerprint(dataset, {sample.name for sample in dataset.samples})
    assert figures.channel_names == ("DAPI", "GFP", "actin", "bf") and not figures.coloured
    assert figures.mean == pytest.approx([share / 255 / 2 for share in (10, 40, 90, 250)], rel=0.15)
    assert len(figures.std) == 4 and "4 channels (DAPI, GFP, actin, bf)" in figures.describe(_NAMES)
    assert Fingerprint.model_validate(figures.model_dump()) == figures
