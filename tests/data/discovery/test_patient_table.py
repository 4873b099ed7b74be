"""Splits and patients from tables: used, refused, or named as unused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from amsunet.data.discovery.layout import find_samples
from amsunet.data.discovery.patient_table import find_patient_column
from amsunet.errors import InputError

NAMES = [f"P{n // 2:02}_{n % 2}" for n in range(6)]


@pytest.fixture
def images(touch_pairs: Callable[..., Path]) -> Path:
    """Two images of each of the patients P00 to P02, with masks."""
    return touch_pairs(NAMES)


def _table(head: str, values: list[str]) -> str:
    return f"{head}\n" + "".join(f"{name},{value}\n" for name, value in zip(NAMES, values, strict=False))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_table("image,split", ["train"] * 5 + ["holdout"]), r"data\.csv, column 'split': split 'holdout' is unknown"),
        (
            _table("image,split", ["train"] * 6) + "P00_0,test\n",
            r"data\.csv puts 'P00_0' into two splits, train and test",
        ),
    ],
)
def test_a_split_that_cannot_be_followed_is_refused(text: str, message: str, images: Path) -> None:
    (images / "data.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        find_samples(images)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_table("image,set", ["0", "1", "2"]), r"column 'set'\) is not used as the split: its values \(0, 1, 2\)"),
        (
            _table("image,is_test", ["0", "1", "1"]),
            r"column 'is_test'\) is not used as the split: write a column split",
        ),
        (_table("image,fold", ["0", "1", "2"]), r"column 'fold'\) names folds, not a split, and is not used"),
        ("name,split\nx,train\ny,test\n", r"column 'split'\) is not used as the split: it names no image"),
        (_table("image,patient", ["a"] * 6) + "P00_0,b\n", r"gives 1 images two patients, as P00_0\.png \(a, b\)"),
    ],
)
def test_what_is_not_used_is_warned_of(text: str, message: str, images: Path) -> None:
    (images / "data.csv").write_text(text)
    assert any(re.search(message, warning) for warning in find_samples(images).warnings)


def test_a_split_by_patient_is_followed(images: Path) -> None:
    (images / "patients.csv").write_text("patient,split\nP00,train\nP01,val\nP02,test\n")
    samples = find_samples(images).samples
    assert [sample.split for sample in samples] == ["train", "train", "val", "val", "test", "test"]
    assert [sample.group for sample in samples] == ["P00", "P00", "P01", "P01", "P02", "P02"]


@pytest.mark.parametrize(
    ("name", "patients"),
    [("data.csv", ["P1", "p1", "P1 ", "P2", "p2", "NA"]), ("manifest.csv", ["P1", "p1", "P1", "P2"])],
)
def test_a_patient_written_otherwise_is_the_same(name: str, patients: list[str], images: Path) -> None:
    rows = [f"images/{path.name},masks/{path.name}" for path in sorted((images / "images").iterdir())]
    lines = "".join(f"{row},{patient}\n" for row, patient in zip(rows, patients, strict=False))
    (images / name).write_text(f"image,mask,patient\n{lines}")
    assert [sample.group for sample in find_samples(images).samples][:5] == ["P1", "P1", "P1", "P2", "P2"][
        : len(patients)
    ]


def test_paths_distinguish_images_of_one_name(tmp_path: Path) -> None:
    rows = ["image,patient"]
    for split in ("train", "test"):
        for folder in ("images", "masks"):
            for name in ("1", "2") if split == "test" else ("1", "2", "3"):
                path = tmp_path / split / folder / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                rows += [f"{split}/images/{name}.png,{split}{name}"] if folder == "images" else []
    (tmp_path / "patients.csv").write_text("\n".join(rows))
    assert [s.group for s in find_samples(tmp_path).samples] == ["test1", "test2", "train1", "train2", "train3"]


def test_a_table_that_pairs_images_otherwise_is_warned_of(images: Path) -> None:
    table = images / "pairs.csv"
    table.write_text("image,mask\nimages/P00_0.png,masks/P00_0.png\n")
    assert not find_samples(images).warnings
    table.write_text("image,mask\nimages/P00_0.png,masks/P00_1.png\n")
    (warning,) = find_samples(images).warnings
    assert "pairs.csv is not used as a manifest, and gives P00_0.png the mask p00_1" in warning


def test_a_column_of_nothing_but_splits_is_one_whatever_its_name(images: Path) -> None:
    (images / "data.csv").write_text(_table("image,phase", ["train", "train", "valid", "valid", "test", "test"]))
    layout = find_samples(images)
    assert [sample.split for sample in layout.samples] == ["train", "train", "val", "val", "test", "test"]
    assert any("column 'phase'" in note for note in layout.notes)


def test_empty_cells_name_no_split_and_are_not_counted(images: Path) -> None:
    (images / "data.csv").write_text(_table("image,split", ["train", "test", "", "", "", ""]))
    layout = find_samples(images)
    assert [sample.split for sample in layout.samples] == ["train", "test", None, None, None, None]
    assert any("names the split of 2 of 6 images" in note for note in layout.notes)


def test_a_table_that_disagrees_with_a_split_file_is_not_used_with_a_warning(images: Path) -> None:
    (images / "split.json").write_text('{"test": ["P00_0"]}')
    (images / "data.csv").write_text(_table("image,split", ["train"] * 5 + ["test"]))
    layout = find_samples(images)
    assert [sample.split for sample in layout.samples] == ["test", *[None] * 5]
    assert any("data.csv (column 'split') is not used" in w and "2 images" in w for w in layout.warnings)


def test_a_table_beside_the_images_is_read(images: Path) -> None:
    (images / "images" / "meta.csv").write_text(_table("frame,video_id", ["a", "a", "a", "b", "b", "b"]))
    assert [sample.group for sample in find_samples(images).samples] == ["a", "a", "a", "b", "b", "b"]


@pytest.mark.parametrize("suffix", ["", ".png"])
@pytest.mark.parametrize("line", ["{} {}", "{}\t{}", "{}, {}", "{};{}"])
@pytest.mark.parametrize("head", ["", "image patient"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_list_of_patients_is_read(images: Path, line: str, head: str, suffix: str, turned: bool) -> None:
    pairs = [(name + suffix, f"case{number // 3}") for number, name in enumerate(NAMES)]
    pairs = [(*head.split(),), *pairs] if head else pairs
    (images / "patients.txt").write_text("\n\n".join(line.format(*(pair[::-1] if turned else pair)) for pair in pairs))
    layout = find_samples(images)
    assert [sample.group for sample in layout.samples] == ["case0"] * 3 + ["case1"] * 3
    assert any("patients.txt names the patient of 6 images" in note for note in layout.notes)
    assert not layout.warnings


def test_names_with_spaces_stand_in_a_list(touch_pairs: Callable[..., Path]) -> None:
    root = touch_pairs(["scan 1", "scan 2"])
    (root / "patients.txt").write_text("scan 1 A\nscan 2 A\n")
    assert [sample.group for sample in find_samples(root).samples] == ["A", "A"]


@pytest.mark.parametrize("text", ["", "P00\nP01\nP02\n", "x P00\ny P01\n", "P00_0 P00 f 30\nP00_1 P00\n"])
def test_a_list_that_names_no_images_is_not_read_with_a_warning(images: Path, text: str) -> None:
    (images / "patients.txt").write_text(text)
    layout = find_samples(images)
    assert {sample.group for sample in layout.samples} == {None}
    assert [warning for warning in layout.warnings if "patients.txt is not read: write a line for each" in warning]


def test_other_text_files_are_no_lists_of_patients(images: Path) -> None:
    for name in ("notes.txt", "train_patients_info.txt"):
        (images / name).write_text("".join(f"{name} A\n" for name in NAMES))
    layout = find_samples(images)
    assert {sample.group for sample in layout.samples} == {None} and not any(
        "is not read" in w for w in layout.warnings
    )


@pytest.mark.parametrize(
    ("columns", "patient"),
    [
        (["frame", "video_id"], 1),
        (["sequence_id", "patient"], 1),
        (["lesion_id", "MRN"], 1),
        (["Patienten-Alter", "Patienten-ID"], 1),
    ],
)
def test_patients_go_before_videos(columns: list[str], patient: int) -> None:
    assert find_patient_column(columns) == patient
