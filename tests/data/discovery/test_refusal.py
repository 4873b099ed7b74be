"""The error for a folder in which no image has a mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.discovery.layout import find_samples
from amsunet.errors import InputError


def _images(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        mask = "Ground" in name or "masks" in name
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(np.where(pixels > 128, 255, 0).astype(np.uint8) if mask else pixels).save(path)
    return root


@pytest.mark.parametrize(
    ("outlines", "message"),
    [
        ("1.json", r"1 files as .*1\.json hold no outlines of a kind that is read"),
        ("labels/1.txt", r"labels/1\.txt hold .*YOLO"),
        ("all.json", r"all\.json does not name each image once by its file \('1\.png'\): export it again"),
    ],
)
def test_outlines_beside_images_are_named(outlines: str, message: str, tmp_path: Path) -> None:
    root = _images(tmp_path, "1.png", "2.png")
    (root / outlines).parent.mkdir(exist_ok=True)
    twice = '{"images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "1.png"}], "annotations": []}'
    (root / outlines).write_text(twice if outlines == "all.json" else "{}")
    with pytest.raises(InputError, match=message):
        find_samples(root)


def test_masks_in_two_formats_are_named_as_such(tmp_path: Path) -> None:
    root = _images(tmp_path, *(f"{folder}/{n}.png" for folder in ("images", "masks") for n in range(3)))
    for n in range(3):
        Image.open(root / f"masks/{n}.png").save(root / f"masks/{n}.jpg", quality=80)
    with pytest.raises(InputError, match=r"masks/0\.jpg and .*masks/0\.png have the same name: keep one of them"):
        find_samples(root)


def test_a_data_set_in_two_formats_is_named_and_one_of_them_works(tmp_path: Path) -> None:
    root = _images(tmp_path, *(f"{kind}/{folder}/{n}.{kind.lower()}" for kind in ("PNG", "TIF")
                               for folder in ("Original", "Ground Truth") for n in range(3)))  # fmt: skip
    with pytest.raises(
        InputError, match=r"PNG and .*TIF hold the same pictures in two formats: name one .*/PNG"
    ) as one:
        find_samples(root)
    assert str(root / "PNG") in str(one.value) and len(find_samples(root / "PNG").samples) == 3


def test_an_empty_folder_of_masks_is_named(tmp_path: Path) -> None:
    root = _images(tmp_path, "images/1.png", "images/2.png")
    (root / "masks").mkdir()
    with pytest.raises(
        InputError, match=r"masks is empty, and no other file is a mask of the 2 images .*put the masks"
    ):
        find_samples(root)
    (root / "masks" / ".hidden").touch()
    with pytest.raises(InputError, match="masks is empty"):
        find_samples(root)
