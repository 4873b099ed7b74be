"""Pictures twice in a data set."""

from __future__ import annotations

import shutil

import numpy as np
from PIL import Image

from amsunet.data.dataset import open_dataset
from amsunet.data.duplicates import lookalikes


def test_repeated_images_are_named_and_counted(make_dataset):
    data = make_dataset(5)
    assert not open_dataset(data).warnings
    shutil.copy(data / "images" / "00.png", data / "images" / "04.png")
    (same,) = open_dataset(data).warnings
    assert same.startswith("1 images occur more than once") and "00.png" in same and "04.png" in same


def test_pairs_across_the_splits_come_first(make_dataset):
    data = make_dataset(6)
    for name, twin in (("00", "02"), ("01", "03")):
        pixels = np.array(Image.open(data / "images" / f"{name}.png"))
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(data / "images" / f"{twin}.png")
    scans = open_dataset(data).scans
    splits = dict.fromkeys((scan.sample.name for scan in scans), "train")
    (text,) = lookalikes(scans, splits)
    assert text.startswith("2 pairs look nearly the same (0 across splits)")
    (text,) = lookalikes(scans, {**splits, "03": "test"})
    assert text.startswith("2 pairs look nearly the same (1 across splits)") and "01.png" in text and "03.png" in text
    assert not lookalikes(scans[4:], splits)
