"""Splits, patients and manifests from files, as people really write them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

import pytest

from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.layout import Layout, find_samples
from amsunet.data.discovery.patient_column import find_patient_column
from amsunet.data.discovery.spreadsheet import read_table
from amsunet.errors import InputError

Touch = Callable[..., Path]


@pytest.fixture
def images(touch_pairs: Callable[..., Path]) -> Path:
    """Six images 000 to 005 with masks."""
    return touch_pairs(f"{number:03}" for number in range(6))


def _splits(layout: Layout) -> str:
    return "".join((sample.split or "-")[:2] for sample in layout.samples)


@pytest.mark.parametrize(
    "content",
    [
        {"train": ["000", "001", "002", "003"], "test": ["004", "005"]},
        {"train": [f"images/00{n}.png" for n in range(4)], "test": ["images/004.png", "images/005.png"]},
        {"Training": ["000.PNG", "001.png", "002.jpg", "003"], "testing": ["./images/004.png", "images\\005.png"]},
        {f"00{n}": "train" if n < 4 else "test" for n in range(6)},
        {
            "train": [{"image": f"00{n}.png", "mask": "x"} for n in range(4)],
            "test": [{"image": "004"}, {"image": "005"}],
        },
    ],
    ids=["names", "paths", "other words", "by image", "entries"],
)
def test_a_split_file_is_followed_however_it_names_images(content: dict[str, Any], images: Path) -> None:
    (images / "split.json").write_text(json.dumps(content))
    layout = find_samples(images)
    assert _splits(layout) == "trtrtrtrtete" and not layout.warnings
    assert any("6 of 6 images" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"test": ["a", "b"]},
            r"names no image of the data set \('a' is the first of 2; an image is called 000\.png\)",
        ),
        ({"train": ["000", "001"], "test": ["images/001.png"]}, r"'images/001\.png' in two splits, train and test"),
        ({"holdout": ["000"]}, r"has the keys 'holdout': name the splits train, val and test"),
    ],
)
def test_a_split_file_that_cannot_be_meant_is_refused(content: dict[str, Any], message: str, images: Path) -> None:
    (images / "split.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        find_samples(images)


def test_unknown_names_and_keys_of_a_split_file_are_warned_of(images: Path) -> None:
    (images / "split.json").write_text(json.dumps({"test": ["000", "777"], "holdout": ["001"], "rest": ["002"]}))
    layout = find_samples(images)
    assert _splits(layout) == "te-----"
    assert any("'777'" in warning and "1 images" in warning for warning in layout.warnings)
    assert any("'holdout'" in warning for warning in layout.warnings)
    assert not any("rest" in warning for warning in layout.warnings)


def test_a_name_that_fits_two_images_is_not_guessed(tmp_path: Path) -> None:
    for place in ("a", "b"):
        for folder in ("images", "masks"):
            (tmp_path / place / folder).mkdir(parents=True)
            (tmp_path / place / folder / "1.png").touch()
    (tmp_path / "split.json").write_text(json.dumps({"test": ["1"]}))
    with pytest.raises(InputError, match="names no image"):
        find_samples(tmp_path)
    (tmp_path / "split.json").write_text(json.dumps({"test": ["b/images/1.png"]}))
    assert _splits(find_samples(tmp_path)) == "-te"


def test_lists_of_names_give_the_split_as_in_pascal_voc(images: Path) -> None:
    folder = images / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("000\n001\n002\n003\n")
    (folder / "val.txt").write_text("004\n005\n")
    assert _splits(find_samples(images)) == "trtrtrtrvava"


NAMES = [f"{n:03}" for n in range(6)]
TABLES = {
    "commas": "name,patient\n" + "\n".join(f"{n},P{i // 2}" for i, n in enumerate(NAMES)),
    "semicolons": "name;patient\n" + "\n".join(f"{n};P{i // 2}" for i, n in enumerate(NAMES)),
    "tabs": "name\tpatient\n" + "\n".join(f"{n}.png\tP{i // 2}" for i, n in enumerate(NAMES)),
    "lost zeros": "Image;Patient ID\n" + "\n".join(f"{i};P{i // 2}" for i in range(6)),
    "numbers with a point": "image,subject\n" + "\n".join(f"{i}.0,P{i // 2}" for i in range(6)),
    "an id in front": "id,filename,patient_id\n" + "\n".join(f"{7 + i},{n}.png,P{i // 2}" for i, n in enumerate(NAMES)),
    "an age in front": "patient_age,patient_sex,file,patient\n"
    + "\n".join(f"{40 + i},f,{n}.png,P{i // 2}" for i, n in enumerate(NAMES)),
    "paths": "picture,case\n" + "\n".join(f"images/{n}.png,P{i // 2}" for i, n in enumerate(NAMES)),
    "a line in front and empty ones": "sep=;\nname;patient\n;\n"
    + "\n;\n".join(f"{n};P{i // 2}" for i, n in enumerate(NAMES)),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("kind", TABLES)
def test_patients_are_known_from_a_table(kind: str, encoding: str, images: Path) -> None:
    (images / "patients.csv").write_text(TABLES[kind], encoding=encoding)
    layout = find_samples(images)
    assert [sample.group for sample in layout.samples] == ["P0", "P0", "P1", "P1", "P2", "P2"]
    assert not layout.warnings and any("patient of 6 images" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,patient\nscan_a,1\nscan_b,2\n", r"patients of 0 of 6 images.*scan_a, 1; an image is called 000\.png"),
        ("patient_id,stage\n1,II\n2,III\n", r"patients of 0 of 6 images"),
        ("name,patient\n000,1\n001,1\n", r"patient of 2 images.*4 of 6 images are not in it, as 002\.png"),
    ],
    ids=["other names", "no names", "few"],
)
def test_a_table_that_does_not_fit_is_a_warning(text: str, message: str, images: Path) -> None:
    (images / "patients.csv").write_text(text)
    layout = find_samples(images)
    assert any(re.search(message, warning) for warning in layout.warnings)


def test_patients_whose_names_stand_in_the_paths_are_found(tmp_path: Path) -> None:
    for patient in ("TCGA_CS_4941", "TCGA_CS_4942"):
        for name in ("1.tif", "1_mask.tif", "2.tif", "2_mask.tif"):
            path = tmp_path / f"{patient}_19960909" / f"{patient}_19960909_{name}"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    (tmp_path / "data.csv").write_text("Patient,age\nTCGA_CS_4941,60\nTCGA_CS_4942,50\nTCGA_XX_1,1\n")
    layout = find_samples(tmp_path)
    assert [sample.group for sample in layout.samples] == ["TCGA_CS_4941"] * 2 + ["TCGA_CS_4942"] * 2


def test_a_table_may_name_the_split(images: Path) -> None:
    (images / "meta.csv").write_text(
        "id;set\n" + "\n".join(f"00{n}.png;{'Test' if n < 2 else 'training'}" for n in range(6))
    )
    layout = find_samples(images)
    assert _splits(layout) == "tetetrtrtrtr" and any("meta.csv names the split of 6 of 6" in n for n in layout.notes)


def test_a_table_without_patients_gives_no_note(images: Path) -> None:
    (images / "metadata.csv").write_text("image_id,age,sex\n000,40,f\n")
    (images / "ages.csv").write_text("image,patient_age\n000,40\n001,40\n")
    layout = find_samples(images)
    assert not layout.warnings and not any(sample.group for sample in layout.samples)


@pytest.mark.parametrize(
    ("columns", "patient"),
    [
        (["name", "patient_age", "patient"], 2),
        (["name", "Patient ID"], 1),
        (["name", "patient_sex", "patient age"], None),
        (["name", "de-identified patient code"], 1),
        (["name", "inpatient_days"], None),
        (["SubjectID", "name"], 0),
    ],
)
def test_a_column_of_ages_is_no_patient(columns: list[str], patient: int | None) -> None:
    assert find_patient_column(columns) == patient


LINES = [("images/000.png", "masks/000.png", "ann"), ("images/001.png", "masks/001.png", "bob")]
MANIFESTS = {
    "semicolons": ("image;mask;patient", ";"),
    "tabs and other words": ("img\tlabel\tsubject_id", "\t"),
    "a spreadsheet's": ("File Name,Annotation,Case", ","),
    "German": ("Image,Mask,Patient", ","),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_is_read_as_spreadsheets_write_it(kind: str, encoding: str, images: Path) -> None:
    header, separator = MANIFESTS[kind]
    rows = [header, *(separator.join(line) for line in LINES), separator * 2, ""]
    (images / "manifest.csv").write_text("\r\n".join(rows), encoding=encoding)
    layout = find_samples(images)
    assert [(s.name, s.masks[""].name, s.group) for s in layout.samples] == [
        ("000", "000.png", "ann"), ("001", "001.png", "bob"),
    ]  # fmt: skip
    assert any("2 patients" in note for note in layout.notes)


def test_paths_of_windows_and_columns_that_are_not_used_are_understood(images: Path) -> None:
    (images / "manifest.csv").write_text("image,mask,age\nimages\\000.png,masks\\000.png,40\n")
    layout = find_samples(images)
    assert len(layout.samples) == 1 and any("not used: age" in note for note in layout.notes)


def test_a_manifest_is_warned_of_masks_of_two_images_and_may_name_splits_otherwise(images: Path) -> None:
    rows = [("000", "000", "train"), ("001", "000", "train"), ("002", "002", "test")]
    lines = "".join(f"images/{image}.png,masks/{mask}.png,{split}\n" for image, mask, split in rows)
    (images / "manifest.csv").write_text(f"image,mask,phase\n{lines}")
    layout = find_samples(images)
    assert [sample.split for sample in layout.samples] == ["train", "train", "test"]
    assert any("1 images have the mask of another one, as" in warning for warning in layout.warnings)


def test_lines_of_one_image_are_its_masks(images: Path) -> None:
    text = "image,mask\nimages/000.png,masks/000.png\nimages/000.png,masks/001.png\n"
    text += "images/002.png,masks/002.png|masks/3.png\n"
    (images / "masks" / "3.png").touch()
    (images / "manifest.csv").write_text(text)
    layout = find_samples(images)
    assert [[path.name for path in sample.more_masks[""]] for sample in layout.samples] == [["001.png"], ["3.png"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,mask\nimages/000.png,volume.nrrd\n",
            r"line 2: .*volume\.nrrd is a volume, which is not read",
        ),
        ("image,mask\nimages,masks/000.png\n", r"line 2: .*images is a folder"),
        ("image,mask\n\n,masks/000.png\n", r"line 3: no image is named"),
        ("image,mask\n", r"no line below its columns"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(text: str, message: str, images: Path) -> None:
    (images / "volume.nrrd").touch()
    (images / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        find_samples(images)


def test_a_draft_holds_what_was_found_and_is_read_back(images: Path) -> None:
    (images / "masks" / "000_1.png").touch()
    (images / "masks" / "005.png").unlink()
    (images / "split.json").write_text('{"test": ["004"]}')
    before = find_samples(images)
    draft = draft_manifest(images)
    assert (draft.path, draft.images, draft.with_mask) == (images / "manifest.csv", 6, 5)
    after = find_samples(images)
    assert [(s.name, s.split, s.masks, s.more_masks) for s in after.samples] == [
        (s.name, s.split, s.masks, s.more_masks) for s in before.samples
    ]
    assert after.images_without_mask == before.images_without_mask == [images / "images" / "005.png"]
    with pytest.raises(InputError, match="exists already"):
        draft_manifest(images)


def test_a_draft_of_class_folders_and_elsewhere(tmp_path: Path) -> None:
    for name in ("set/images/1.png", "set/masks/cup/1.png", "set/masks/disc/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    draft = draft_manifest(tmp_path / "set", tmp_path / "lists" / "my.csv")
    assert draft.next_source == str(tmp_path / "lists" / "my.csv")
    layout = find_samples(draft.path)
    assert layout.class_names == ("cup", "disc") and len(layout.samples[0].masks) == 2
    assert layout.samples[0].masks["cup"].samefile(tmp_path / "set/masks/cup/1.png")


def test_images_alone_make_a_draft_to_fill_in(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    draft = draft_manifest(tmp_path)
    assert (draft.images, draft.with_mask) == (1, 0)
    assert draft.path.read_text().splitlines()[1] == "a.png,,,,"


def _observed(folder: Path) -> Path:
    """Three images with a mask, two of them with a second observer's as well."""
    for name in ("images/1.png", "images/2.png", "images/3.png", "1st_manual/1.png", "1st_manual/2.png",
                 "1st_manual/3.png", "2nd_manual/1.png", "2nd_manual/3.png"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_draft_keeps_the_second_observer(tmp_path: Path) -> None:
    root = _observed(tmp_path / "set")
    before = find_samples(root)
    assert [sample.other_observer for sample in before.samples] == [
        root / "2nd_manual/1.png", None, root / "2nd_manual/3.png"
    ]  # fmt: skip
    draft = draft_manifest(root)
    assert draft.path.read_text().splitlines()[:3] == [
        "image,mask,group,split,roi,other_observer",
        "images/1.png,1st_manual/1.png,,,,2nd_manual/1.png",
        "images/2.png,1st_manual/2.png,,,,",
    ]
    after = find_samples(root)
    assert after.samples == before.samples
    (note,) = (note for note in after.notes if "second observer" in note)
    assert note.startswith("manifest.csv names a second observer's mask for 2 of 3 images: they are not trained on")
    assert not any("columns" in note for note in after.notes)


@pytest.mark.parametrize("column", ["Second observer", "observer2", "2nd_observer", "OTHER_OBSERVER"])
def test_a_second_observer_is_found_by_what_people_call_the_column(column: str, tmp_path: Path) -> None:
    root = _observed(tmp_path)
    (root / "manifest.csv").write_text(f"{column},image,mask\n2nd_manual\\1.png,images/1.png,1st_manual/1.png\n")
    (sample,) = find_samples(root).samples
    assert (sample.other_observer, sample.masks) == (root / "2nd_manual/1.png", {"": root / "1st_manual/1.png"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("images/1.png,1st_manual/1.png,2nd_manual/2.png", r"line 2: .*2nd_manual/2\.png does not exist: check"),
        ("images/1.png,1st_manual/1.png,1st_manual/1.png", r"line 2: .*1\.png is the image or its mask, and the sec"),
        ("images/1.png,1st_manual/2.png|1st_manual/1.png,1st_manual/1.png", "line 2: .* and the second observer's as"),
        ("images/1.png,1st_manual/1.png,images/1.png", "line 2: .* is the image or its mask"),
        ("images/1.png,1st_manual/1.png,2nd_manual", "line 2: .* is a folder: name a file"),
        ("images/1.png,1st_manual/1.png,2nd_manual/1.png\nimages/1.png,1st_manual/2.png,2nd_manual/3.png",
         r"line 3: .*has the second observer's mask .*3\.png here and .*1\.png above"),
    ],
)  # fmt: skip
def test_a_second_observer_that_cannot_be_one_is_refused(rows: str, message: str, tmp_path: Path) -> None:
    root = _observed(tmp_path)
    (root / "manifest.csv").write_text(f"image,mask,other_observer\n{rows}\n")
    with pytest.raises(InputError, match=message):
        find_samples(root)


def test_the_second_observer_of_joined_masks_stands_in_any_of_their_lines(tmp_path: Path) -> None:
    root = _observed(tmp_path)
    rows = "images/1.png,1st_manual/1.png,\nimages/1.png,1st_manual/2.png,2nd_manual/1.png\n"
    (root / "manifest.csv").write_text(f"image,mask,other_observer\n{rows}")
    (sample,) = find_samples(root).samples
    assert sample.other_observer == root / "2nd_manual/1.png" and len(sample.more_masks[""]) == 1


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_written_with_other_code_points_for_the_same_letters_are_the_same(
    forms: tuple[Literal["NFC", "NFD"], Literal["NFC", "NFD"]], tmp_path: Path
) -> None:
    names = ["käse", "größe", "é_1", "é_2", "x"]
    first, second = ({name: normalize(form, name) for name in names} for form in forms)
    for folder, written in (("images", first), ("masks", second)):
        for name in written.values():
            (tmp_path / folder / f"{name}.png").parent.mkdir(exist_ok=True)
            (tmp_path / folder / f"{name}.png").touch()
    expected = {tmp_path / f"images/{first[name]}.png": tmp_path / f"masks/{second[name]}.png" for name in names}
    (tmp_path / "split.json").write_text(f'{{"test": ["{second["käse"]}"]}}', encoding="utf-8")
    rows = "".join(f"{written}.png,P{place // 2}\n" for place, written in enumerate(second.values()))
    (tmp_path / "info.csv").write_text(f"file,patient\n{rows}", encoding="utf-8")
    layout = find_samples(tmp_path)
    assert {sample.image: sample.masks[""] for sample in layout.samples} == expected
    assert {sample.image.stem for sample in layout.samples if sample.split == "test"} == {first["käse"]}
    assert {sample.group for sample in layout.samples} == {"P0", "P1", "P2"}
    (tmp_path / "split.json").unlink()
    rows = "".join(f"images/{second[name]}.png,masks/{first[name]}.png\n" for name in names)
    (tmp_path / "manifest.csv").write_text(f"image,mask\n{rows}", encoding="utf-8")
    listed = find_samples(tmp_path)
    assert {sample.image: sample.masks[""] for sample in listed.samples} == expected


@pytest.mark.parametrize("table", ["info.csv", "manifest.csv"])
def test_a_word_for_a_missing_value_is_no_patient(table: str, images: Path) -> None:
    patients = ["P1", "N/A", "n/a", "nan", "", "P1"]
    rows = (f"images/{number:03}.png,masks/{number:03}.png,{who}\n" for number, who in enumerate(patients))
    (images / table).write_text(f"image,mask,patient\n{''.join(rows)}")
    layout = find_samples(images)
    assert [sample.group for sample in layout.samples] == ["P1", None, None, None, None, "P1"]
    assert any(re.search(r"4 .*counts as one more", line) for line in [*layout.notes, *layout.warnings])


def test_a_table_keeps_the_numbers_of_its_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a;b\n\n1;"x;y"\n;\n2\n')
    table = read_table(tmp_path / "t.csv")
    assert table.columns == ("a", "b") and table.rows == {3: ("1", "x;y"), 5: ("2", "")}


@pytest.mark.parametrize(
    ("columns", "first", "second", "conflict"),
    [
        ("split", "train", "test", "split test here and train above"),
        ("patient", "1", "2", "patient 2 here and 1 above"),
    ],
)
def test_lines_of_one_image_that_differ_are_refused(
    columns: str, first: str, second: str, conflict: str, images: Path
) -> None:
    rows = f"images/000.png,masks/000.png,{first}\nimages/000.png,masks/001.png,{second}\n"
    (images / "manifest.csv").write_text(f"image,mask,{columns}\n{rows}")
    with pytest.raises(InputError, match=rf"manifest\.csv, line 3: .*000\.png has the {conflict}"):
        find_samples(images)


def test_lines_of_one_image_fill_each_other_up(images: Path) -> None:
    (images / "manifest.csv").write_text(
        "image,mask,patient,split\nimages/000.png,masks/000.png,,train\nimages/000.png,masks/001.png,7,\n"
    )
    (sample,) = find_samples(images).samples
    assert (sample.group, sample.split) == ("7", "train") and len(sample.more_masks[""]) == 1
