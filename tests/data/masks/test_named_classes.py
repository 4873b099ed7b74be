"""Masks with classes in their names: never joined as one foreground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_masks import organs
from PIL import Image

from amsunet.data.dataset import open_dataset
from amsunet.data.masks.named_classes import find_named_classes
from amsunet.errors import InputError


def _write(source: Path, image: str, masks: tuple[str, ...], count: int = 4) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        picture, mask = organs(rng, tuple(range(1, len(masks) + 1)))
        for name, array in (
            (image, picture[..., 0]),
            *zip(masks, (255 * (mask == n) for n in (1, 2, 3)), strict=False),
        ):
            path = source / f"{name.format(number)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    ("image", "masks"),
    [
        ("p{}", ("p{}_lung", "p{}_heart")),
        ("p{}", ("p{}_mask_lung", "p{}_mask_heart")),
        ("p{}", ("p{}_lung_mask", "p{}_heart_mask")),
        ("p{}_image", ("p{}_lung", "p{}_heart")),
        ("images/p{}", ("masks/p{}_lung", "masks/p{}_heart")),
        ("images/p{}", ("masks/lung_p{}", "masks/heart_p{}")),
        ("images/p{}", ("masks/p{}-lung (1)", "masks/p{}-heart (1)")),
    ],
    ids=lambda names: str(names),
)
def test_classes_are_read_from_names_with_a_warning(image: str, masks: tuple[str, ...], tmp_path: Path) -> None:
    _write(tmp_path, image, masks)
    dataset = open_dataset(tmp_path)
    assert dataset.convention.class_names == ("background", "heart", "lung")
    assert any("classes are taken from the names of masks (heart, lung)" in warning for warning in dataset.warnings)
    rng = np.random.default_rng(0)
    for sample in dataset.samples:
        wanted = np.array([0, 2, 1])[organs(rng, (1, 2))[1]]  # the first one is called lung
        assert np.array_equal(dataset.read_labels(sample), wanted)


def test_numbered_masks_of_a_class_are_its_pieces(tmp_path: Path) -> None:
    _write(tmp_path, "p{}", ("p{}_lung_1", "p{}_lung_2", "p{}_heart"))
    dataset = open_dataset(tmp_path)
    rng = np.random.default_rng(0)
    for sample in dataset.samples:
        assert np.array_equal(dataset.read_labels(sample), np.array([0, 2, 2, 1])[organs(rng)[1]])


def test_an_image_may_lack_a_class(tmp_path: Path) -> None:
    _write(tmp_path, "images/p{}", ("masks/p{}_lung", "masks/p{}_heart"), count=6)
    for number in (0, 2, 4):
        (tmp_path / "masks" / f"p{number}_heart.png").unlink()
    dataset = open_dataset(tmp_path)
    assert [np.unique(dataset.read_labels(sample)).tolist() for sample in dataset.samples] == [[0, 2], [0, 1, 2]] * 3
    assert any("3 of 6 images have no file for the class heart" in warning for warning in dataset.warnings)


def test_a_class_beside_a_mask_without_one_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "p{}", ("p{}_mask", "p{}_mask_heart"))
    with pytest.raises(InputError, match=r"p0_mask_heart\.png may be a mask of \S+p0\.png as well"):
        open_dataset(tmp_path)


def test_two_observers_by_name_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "images/p{}", ("masks/p{}_anna",))
    for path in sorted((tmp_path / "masks").iterdir()):
        path.with_name(path.name.replace("anna", "berta")).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="mark the same objects"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("ends", [("_1", "_2"), ("_mask", "_mask_1"), ("_v1", "_v2"), ("_old", "_new"), ("", "_lung")])
def test_numbers_and_versions_are_no_classes(ends: tuple[str, str]) -> None:
    images = [Path(f"images/{name}.png") for name in "abc"]
    masks = [Path(f"masks/{image.stem}{end}.png") for image in images for end in ends]
    assert find_named_classes(images, masks) == {}


def test_one_image_or_names_that_fit_no_image_are_no_classes() -> None:
    pair = [Path("a_lung.png"), Path("a_heart.png")]
    assert find_named_classes([Path("a.png"), Path("b.png")], pair) == {}
    four = [*pair, Path("b_lung.png"), Path("b_heart.png")]
    assert find_named_classes([Path("a.png"), Path("b.png")], [*four, Path("c_lung.png")]) == {}
    assert find_named_classes([Path("a.png"), Path("b.png")], four) == {
        Path(f"{name}.png"): {label: [Path(f"{name}_{label}.png")] for label in ("heart", "lung")} for name in "ab"
    }
