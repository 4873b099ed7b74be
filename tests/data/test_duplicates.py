"""Pictures twice in a data set."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from skimage.data import astronaut, camera, coffee

from amsunet.data import duplicates
from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.layout import Split, find_samples
from amsunet.data.duplicates import keep_together, pack_thumbnail, warn_of_copies, warn_of_leakage, warn_of_repeats
from amsunet.data.scan import Scan, scan_samples

_COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG": lambda image: _through_jpeg(image, 75),
    "coarse JPEG": lambda image: _through_jpeg(image, 30),
    "half": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "0.7 by nearest": lambda image: image.resize((int(image.width * 0.7), int(image.height * 0.7)), 0),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "grey": lambda image: image.convert("L"),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned and saved as JPEG": lambda image: _through_jpeg(image.transpose(Image.Transpose.ROTATE_90), 75),
    "without its border": lambda image: image.crop((1, 1, image.width - 1, image.height - 1)),
}


def _through_jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(io.BytesIO(stream.getvalue()))


def _splits(scans: tuple[Scan, ...], held_out: Mapping[str, Split]) -> dict[str, Split]:
    return {scan.sample.name: held_out.get(scan.sample.name, "train") for scan in scans}


def test_repeated_images_are_counted_by_split(make_dataset):
    data = make_dataset(6)
    scans = open_dataset(data).scans
    assert not warn_of_repeats(scans, _splits(scans, {}))
    for copy in ("04", "05"):
        shutil.copy(data / "images" / "00.png", data / "images" / f"{copy}.png")
    scans = open_dataset(data).scans
    (within,) = warn_of_repeats(scans, _splits(scans, {}))
    assert within.startswith("3 images occur more than once in one split") and "00.png" in within and "04.png" in within
    across, within = warn_of_repeats(scans, _splits(scans, {"03": "test", "04": "test", "05": "val"}))[0].split("; ")[
        :2
    ]
    assert across.startswith("1 of 1 validation images are training images") and "05.png" in across
    assert within.startswith("1 of 2 test images are training images") and "04.png" in within and "00.png" in within


def test_copies_across_the_splits_come_first(make_dataset):
    data = make_dataset(6)
    for name, twin in (("00", "02"), ("01", "03")):
        pixels = np.array(Image.open(data / "images" / f"{name}.png"))
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(data / "images" / f"{twin}.png")
    scans = open_dataset(data).scans
    (text,) = warn_of_repeats(scans, _splits(scans, {}))
    assert text.startswith("4 images look nearly the same as another in one split")
    across, within = warn_of_repeats(scans, _splits(scans, {"03": "test"}))
    assert across.startswith("1 of 1 test images look nearly the same as training images")
    assert "01.png" in across and "03.png" in across and within.startswith("2 images")
    assert not warn_of_repeats(scans[4:], _splits(scans, {}))


def test_copies_of_copies_have_one_name_and_others_their_own(make_dataset):
    data = make_dataset(6)
    for name, twin in (("00", "02"), ("02", "04"), ("01", "05")):
        pixels = np.array(Image.open(data / "images" / f"{name}.png"))
        pixels[0, int(twin)] ^= 1
        Image.fromarray(pixels).save(data / "images" / f"{twin}.png")
    scans = open_dataset(data).scans
    together, checksums = keep_together(scans), {scan.sample.name: scan.checksum for scan in scans}
    assert together == {name: checksums[{"02": "00", "04": "00", "05": "01"}.get(name, name)] for name in checksums}
    (text,) = warn_of_repeats(scans, _splits(scans, {}))
    assert "copies stay in one split of those cut here; if they are of one patient" in text
    given = tuple(replace(scan, sample=replace(scan.sample, split="train")) for scan in scans)
    assert "stay in one split" not in warn_of_repeats(given, _splits(given, {}))[0]


def test_a_patients_own_images_may_look_alike(make_dataset):
    data = make_dataset(3)
    pixels = np.array(Image.open(data / "images" / "00.png"))
    Image.fromarray(pixels ^ 1).save(data / "images" / "01.png")
    scans = open_dataset(data).scans
    assert warn_of_repeats(scans, _splits(scans, {}))
    known = tuple(replace(scan, sample=replace(scan.sample, group="one")) for scan in scans)
    assert not warn_of_repeats(known, _splits(known, {}))


@pytest.mark.parametrize("change", _COPIES)
@pytest.mark.parametrize("picture", [astronaut, camera, coffee])
def test_changed_copies_are_found_and_other_pictures_are_not(change, picture, save, tmp_path):
    original = Image.fromarray(picture()).reduce(2)
    copy = _COPIES[change](original.convert("RGB"))
    others = [Image.fromarray(other()).reduce(2) for other in (astronaut, camera, coffee) if other is not picture]
    pictures = {"a": original, "b": copy, **{f"c{n}": other for n, other in enumerate(others)}}
    for name, image in pictures.items():
        save(tmp_path / "images" / f"{name}.png", np.asarray(image))
        save(tmp_path / "masks" / f"{name}.png", np.uint8(np.eye(image.height, image.width)))
    scans = open_dataset(tmp_path).scans
    (text,) = warn_of_repeats(scans, _splits(scans, {"b": "test"}))
    assert text.startswith("1 of 1 test images ") and "a.png" in text and "b.png" in text
    (text,) = warn_of_leakage(scans, _splits(scans, {"b": "test"}), {"b"})
    assert text.startswith("1 of these 1 images ") and "used in training or validation" in text
    assert not warn_of_leakage(scans, _splits(scans, {"b": "test", "c0": "test"}), {"c0"})
    together = keep_together(scans)
    assert together["a"] == together["b"] and len(set(together.values())) == 3


@pytest.mark.parametrize("rows", [2, 1024])
def test_copies_are_known_by_their_thumbnails_alone(make_dataset, monkeypatch, rows):
    monkeypatch.setattr(duplicates, "_ROWS", rows)
    scans = open_dataset(make_dataset(8)).scans
    kept = {scan.sample.name: pack_thumbnail(scan) for scan in scans[:5]}
    (text,) = warn_of_copies(scans[3:], kept)
    assert text.startswith("2 of these 5 images look nearly the same") and "03.png and 03 of the training" in text
    assert not warn_of_copies(scans[5:], kept) and not warn_of_copies(scans, {}) and not warn_of_copies([], kept)


@pytest.mark.parametrize(
    ("name", "most"),
    [("DRIVE", 200), ("GlaS", 60), ("DSB2018", 200), pytest.param("GlaS", 200, marks=pytest.mark.torture)],
)
def test_other_images_of_a_kind_are_no_copies(name: str, most: int, shared: Callable[[str], Path]) -> None:
    """Those of GlaS are large."""
    samples = find_samples(shared(name)).samples
    scans, _ = scan_samples(samples[:: 1 + len(samples) // most])
    assert len(scans) >= 40 and not warn_of_repeats(scans, _splits(tuple(scans), {}))
