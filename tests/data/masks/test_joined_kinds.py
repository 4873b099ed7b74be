"""Several masks of one image, of every kind that a single one may be of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.dataset import open_dataset
from amsunet.data.images import Array

RED = [0, 0, 0, 200, 0, 0]


def _disc(row: int, column: int, radius: int) -> Array:
    rows, columns = np.mgrid[:96, :96]
    disc: Array = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return disc


def _write(kind: str, disc: Array, stem: Path) -> None:
    if kind == "jpeg":
        Image.fromarray(255 * disc.astype(np.uint8)).save(stem.with_suffix(".jpg"), quality=80)
        return
    if kind == "drawn in black":
        picture = Image.fromarray(np.dstack([np.zeros((96, 96, 3), np.uint8), 255 * disc.astype(np.uint8)]))
    elif kind == "colour":
        picture = Image.fromarray(disc[..., None] * np.array([200, 0, 0], np.uint8))
    else:
        palettes = {"palette": RED, "no palette": [0] * 6, "black last": [255, 255, 255, 0, 0, 0]}
        picture = Image.fromarray((disc ^ (kind == "black last")).astype(np.uint8))
        picture.putpalette(palettes[kind])
    picture.save(stem.with_suffix(".png"))


@pytest.mark.parametrize("kind", ["jpeg", "drawn in black", "colour", "palette", "no palette", "black last"])
def test_masks_in_several_files_are_read_as_those_in_one(kind: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    wanted = {}
    for number in range(6):
        noise = np.random.default_rng(number).integers(0, 255, (96, 96, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"a{number}.png")
        discs = [_disc(25, 25, 9 + number), _disc(70, 70, 12)][: 1 + number % 2]
        wanted[f"a{number}"] = np.any(discs, axis=0)
        for index, disc in enumerate(discs):
            _write(kind, disc, tmp_path / "masks" / f"a{number}_mask{f'_{index}' * (index > 0)}")
    dataset = open_dataset(tmp_path)
    assert dataset.convention.num_classes == 2
    for sample in dataset.samples:
        assert ((dataset.read_labels(sample) == 1) != wanted[sample.name]).mean() < 0.01
