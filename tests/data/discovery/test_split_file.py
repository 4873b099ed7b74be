"""Splits that files bring along: used, refused, or named as unused; never ignored in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amsunet.data.discovery.layout import Layout, find_samples
from amsunet.errors import InputError

NAMES = [f"{n:03}" for n in range(6)]


@pytest.fixture
def images(touch_pairs: Callable[..., Path]) -> Path:
    """Six images 000 to 005 with masks."""
    return touch_pairs(NAMES)


def _splits(layout: Layout) -> str:
    return "".join((sample.split or "-")[:2] for sample in layout.samples)


@pytest.mark.parametrize(
    "content",
    [
        {"splits": {"train": NAMES[:4], "test": NAMES[4:]}},
        {"train": [f"elsewhere/images/{n}.png" for n in NAMES[:4]], "test": ["C:\\d\\images\\004.png", "/a/b/005.png"]},
        {"train": [0, 1, 2, 3], "test": ["4", "5"]},
        {"train": NAMES[:4], "test": [*NAMES[4:], "other/images/003.png"]},
    ],
    ids=["nested", "longer paths", "numbers without zeros", "a longer path that is another image"],
)
def test_a_split_file_is_followed(content: dict[str, Any], images: Path) -> None:
    (images / "split.json").write_text(json.dumps(content))
    assert _splits(find_samples(images)) == "trtrtrtrtete"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": [], "test": []}, r"split\.json names no image"),
        ({"version": 1}, r"split\.json names no image"),
        ({"fold0": {"train": ["000"]}, "fold1": {"train": ["001"]}}, r"holds 2 splits \(fold0, fold1\)"),
    ],
)
def test_a_split_file_that_names_nothing_is_refused(content: dict[str, Any], message: str, images: Path) -> None:
    (images / "split.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        find_samples(images)


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"train.txt": "/Set/a/{0}.png /Set/b/{0}.png", "test.txt": "/Set/a/{0}.png /Set/b/{0}.png"}, "trtrtrtrtete"),
        ({"train.txt": "images/{0}.png\tmasks/{0}.png", "val_list.txt": "{0}.png,{0}.png"}, "trtrtrtrvava"),
        ({"train.csv": "{0}.png,x", "test.csv": "{0}.png,x"}, "trtrtrtrtete"),
        ({"none": "", "test.txt": "{0}"}, "----tete"),
    ],
    ids=["two columns", "tabs and commas", "tables", "one list"],
)
def test_lists_are_followed(files: dict[str, str], splits: str, images: Path) -> None:
    for (file, line), names in zip(files.items(), (NAMES[:4], NAMES[4:]), strict=True):
        if line:
            header = "image,mask\n" if file.endswith(".csv") else ""
            (images / file).write_text(header + "".join(f"{line.format(name)}\n" for name in names))
    layout = find_samples(images)
    assert _splits(layout) == splits
    assert any("test.txt" in note or ".csv" in note or "val_list.txt" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("files", "splits"),
    [
        ({"data_split.json": {"train": NAMES[:4], "test": NAMES[4:]}}, "trtrtrtrtete"),
        ({"train.json": NAMES[:4], "test.json": NAMES[4:]}, "trtrtrtrtete"),
        ({"metadata/training.txt": NAMES[:4], "metadata/test.txt": NAMES[4:]}, "trtrtrtrtete"),
        ({"Sets/train_set.csv": ["id", "a.png", "000.png", "001.png"], "Sets/notes/test.csv": ["1", "2"]}, "trtr----"),
    ],
    ids=["a split file of another name", "lists of JSON", "lists in a folder of any name", "a table of numbers"],
)
def test_splits_in_files_of_another_name_or_place_are_followed(
    files: dict[str, Any], splits: str, images: Path
) -> None:
    for name, content in files.items():
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_text(json.dumps(content) if name.endswith(".json") else "\n".join(content))
    layout = find_samples(images)
    assert _splits(layout) == splits and any("split of" in note for note in layout.notes)


@pytest.mark.parametrize("place", ["splits/fold{}/{}.txt", "fold{}/{}.txt"])
def test_lists_of_folds_are_not_used_and_named(place: str, images: Path) -> None:
    for fold in (0, 1):
        for split, names in (("train", NAMES[fold : fold + 4]), ("val", NAMES[fold + 4 :])):
            path = images / place.format(fold, split)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(names))
    layout = find_samples(images)
    assert _splits(layout) == "-" * 6 and any("fold0/val.txt and" in warning for warning in layout.warnings)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"fold0.json": ["000"], "fold1.json": ["001"]}, r"fold0\.json and .*fold1\.json both name a split"),
        ({"folds.json": ["x"]}, r"folds\.json is not used: .*names no image of the data set, as 'x'"),
    ],
)
def test_split_files_that_are_not_used_are_named(files: dict[str, list[str]], message: str, images: Path) -> None:
    for name, of_train in files.items():
        (images / name).write_text(json.dumps({"train": of_train}))
    layout = find_samples(images)
    assert _splits(layout) == "-" * 6 and any(re.search(message, warning) for warning in layout.warnings)


@pytest.mark.parametrize("place", ["patient{}/{}/1.png", "{1}/patient{0}_1.png"])
def test_lists_of_patients_are_followed(place: str, tmp_path: Path) -> None:
    for patient in (1, 2, 3):
        for folder in ("images", "masks"):
            path = tmp_path / place.format(patient, folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (tmp_path / "train.txt").write_text("patient1\npatient2\n")
    (tmp_path / "test.txt").write_text("patient3\n")
    layout = find_samples(tmp_path)
    assert _splits(layout) == "trtrte" and any("name the split of 3 of 3" in note for note in layout.notes)


def test_lists_of_utf_16_are_read(images: Path) -> None:
    (images / "test.txt").write_text("C:\\data\\000.png\r\n", encoding="utf-16")
    assert _splits(find_samples(images)) == "te-----"


def test_lists_that_fit_nothing_are_refused_by_file(images: Path) -> None:
    for split in ("train", "test"):
        (images / f"{split}.txt").write_text("a.png b.png\n")
    with pytest.raises(InputError, match=r"test\.txt names no image of the data set"):
        find_samples(images)


@pytest.mark.parametrize(("file", "text"), [("splits_final.json", "[]"), ("test.txt", "Read me first")])
def test_what_is_not_used_is_warned_of(file: str, text: str, images: Path) -> None:
    (images / file).write_text(text)
    layout = find_samples(images)
    assert _splits(layout) == "-" * 6 and any(f"{file} is not used" in warning for warning in layout.warnings)


def test_a_table_of_masks_is_no_list(images: Path) -> None:
    (images / "train_masks.csv").write_text("img,rle_mask\n000.png,1 2\n")
    layout = find_samples(images)
    assert _splits(layout) == "-" * 6 and not layout.warnings and not layout.notes


def test_a_split_file_goes_before_lists_with_a_warning(images: Path) -> None:
    (images / "split.json").write_text(json.dumps({"test": ["000"]}))
    (images / "test.txt").write_text("001\n")
    layout = find_samples(images)
    assert _splits(layout) == "te-----" and any("test.txt are not used" in warning for warning in layout.warnings)


def test_an_image_of_another_folder_is_not_taken_for_one_of_its_name(tmp_path: Path) -> None:
    for folder in ("train/images", "train/masks"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.png").touch()
    (tmp_path / "split.json").write_text(json.dumps({"train": ["train/images/1.png"], "test": ["test/images/1.png"]}))
    layout = find_samples(tmp_path)
    assert _splits(layout) == "tr" and any("1 images that are not found" in warning for warning in layout.warnings)


@pytest.mark.parametrize("places", [("train", "holdout"), ("internal", "external_test")])
def test_folders_like_splits_are_named(places: tuple[str, str], tmp_path: Path) -> None:
    for place in places:
        for folder in ("images", "masks"):
            path = tmp_path / place / folder / f"{place}.png"
            path.parent.mkdir(parents=True)
            path.touch()
    assert any(f"the folder {places[1]} names no split" in warning for warning in find_samples(tmp_path).warnings)
