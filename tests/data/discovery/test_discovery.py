"""Finding samples in folders as they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from amsunet.data.discovery.layout import find_samples
from amsunet.errors import InputError


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files, as layouts look at names alone."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


LAYOUTS = {
    "images and masks": ["images/1.png", "masks/1.png", "images/2.jpg", "masks/2.bmp"],
    "other words": ["Img/1.png", "Ground_Truth/1.png", "Img/2.png", "Ground_Truth/2.png"],
    "side by side": ["1.png", "1_mask.png", "2.png", "2_mask.png"],
    "masks below": ["1.png", "2.png", "masks/1.png", "masks/2.png"],
    "one folder above": ["data/images/1.png", "data/masks/1.png", "data/images/2.png", "data/masks/2.png"],
    "side by side in images": ["images/1.png", "images/1_mask.png", "images/2.png", "images/2_mask.png"],
    "hidden rubbish": ["images/1.png", "images/._1.png", "images/.cache/9.png", "masks/1.png", "Thumbs.db",
                       "images/2.png", "masks/2.png"],
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_usual_layouts_are_found(kind: str, touch: Callable[..., Path]) -> None:
    layout = find_samples(touch(*LAYOUTS[kind]))
    assert [sample.name for sample in layout.samples] == ["1", "2"]
    assert all(len(sample.masks) == 1 and sample.split is None for sample in layout.samples)
    assert not layout.images_without_mask and not layout.masks_without_image


@pytest.mark.parametrize(
    "folders",
    ["{}/images/{}.png {}/masks/{}.png", "images/{}/{}.png masks/{}/{}.png", "{}/{}.png {}/{}_mask.png"],
    ids=["split outside", "split inside", "side by side"],
)
@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "validation", "testing")])
def test_split_folders_name_the_split(folders: str, names: tuple[str, ...], touch: Callable[..., Path]) -> None:
    files = [folders.format(split, n, split, n) for split in names for n in (1, 2)]
    samples = find_samples(touch(*" ".join(files).split())).samples
    assert Counter(sample.split for sample in samples) == {"train": 2, "val": 2, "test": 2}
    assert len({sample.name for sample in samples}) == 6
    for sample in samples:
        assert sample.split in str(sample.image)
        assert sample.image.parent.name in (*names, "images") and sample.image.stem in sample.masks[""].stem


def test_one_folder_a_class(touch: Callable[..., Path]) -> None:
    root = touch(*(f"{f}/{n}.png" for f in ("images", "masks/lung", "masks/heart") for n in (1, 2)), "images/3.png")
    layout = find_samples(root)
    assert layout.class_names == ("heart", "lung")
    assert [set(sample.masks) for sample in layout.samples] == [{"heart", "lung"}] * 2
    assert layout.images_without_mask == [root / "images/3.png"]


def test_missing_partners_are_listed(touch: Callable[..., Path]) -> None:
    root = touch("images/1.png", "images/2.png", "masks/1.png", "masks/3.png")
    layout = find_samples(root)
    assert [sample.name for sample in layout.samples] == ["1"]
    assert layout.images_without_mask == [root / "images/2.png"]
    assert layout.masks_without_image == [root / "masks/3.png"]


def test_a_manifest_gives_everything(touch: Callable[..., Path]) -> None:
    root = touch("a/1.png", "b/1.jpg", "b/x.gif", "elsewhere/m.png", "roi.png")
    table = root / "list" / "set.csv"
    table.parent.mkdir()
    table.write_text(
        "Image,Mask,group,split,roi\n../a/1.png,../b/x.gif,ann,train,../roi.png\n"
        f"../b/1.jpg,{root / 'elsewhere' / 'm.png'},bob,TEST,\n"
    )
    first, second = find_samples(table).samples
    assert (first.group, first.split, second.group, second.split) == ("ann", "train", "bob", "test")
    assert first.roi is not None and first.roi.samefile(root / "roi.png") and second.roi is None
    assert second.masks[""].samefile(root / "elsewhere" / "m.png")
    assert first.name != second.name and not {"/", ".."} & set(Path(first.name + second.name).parts)


def test_names_are_unique_whatever_the_paths(touch: Callable[..., Path]) -> None:
    root = touch("a/1.png", "a/1.jpg", "b/1.png", "m.png")
    images = [root / "a/1.png", "a/1.jpg", "../" + root.name + "/b/1.png"]
    (root / "manifest.csv").write_text("image,mask\n" + "".join(f"{image},m.png\n" for image in images))
    assert len({sample.name for sample in find_samples(root).samples}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "number,remark\n1.png,1.png\n",
            r"manifest\.csv lacks the columns image,mask \(its columns are number, remark\)",
        ),
        ("image,mask\n1.png,9.png\n", r"manifest\.csv, line 2: .*9\.png does not exist"),
        ("image,mask,split\n1.png,1.png,holdout\n", r"line 2: split 'holdout' is unknown: write train, val or test"),
        ("image,mask\n1.png,1.png\n1.png,1.png\n", r"1\.png is named more than once"),
        ("", r"lacks the columns"),
        (f"image,mask\n1.png,{'é' * 200}\n", r"manifest\.csv, line 2: .*é.* does not exist: check the path$"),
        (
            f"image,mask\n1.png,{'a/' * 4000}\n",
            r"line 2: .{,300} \.\.\. does not exist: check the path$",
        ),
        ("[" * 100_000 + "\n", r"lacks the columns image,mask \(its columns are \[{,300} \.\.\.\)"),
    ],
)
def test_a_wrong_manifest_is_refused_by_line(text: str, message: str, touch: Callable[..., Path]) -> None:
    root = touch("1.png")
    (root / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        find_samples(root)


def test_a_split_file_names_test_images_whatever_else_it_holds(touch: Callable[..., Path]) -> None:
    root = touch(*(f"{folder}/{n}.png" for folder in ("images", "masks") for n in range(4)))
    kinds = {str(n): "grey" for n in range(4)}
    (root / "split.json").write_text(json.dumps({"test": ["0", "1.png"], "rest": ["2", "3"], "kind": kinds}))
    assert [sample.split for sample in find_samples(root).samples] == ["test", "test", None, None]


@pytest.mark.parametrize("text", ["[]", "{", '{"test": 3}'])
def test_a_wrong_split_file_is_refused(text: str, touch: Callable[..., Path]) -> None:
    root = touch("images/1.png", "masks/1.png")
    (root / "split.json").write_text(text)
    with pytest.raises(InputError, match=r"split\.json is not a split file"):
        find_samples(root)


def test_a_patient_table_names_groups(touch: Callable[..., Path]) -> None:
    root = touch("images/1.png", "masks/1.png", "images/2.png", "masks/2.png")
    (root / "grades.csv").write_text("name, patient ID\n1.png, 7\n2, 8\n")
    layout = find_samples(root)
    assert [sample.group for sample in layout.samples] == ["7", "8"]
    assert any("grades.csv names the patient of 2 images" in note for note in layout.notes)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"holds no images .*images/ and masks/, or write a manifest\.csv"),
        (["masks/1.png"], r"put the masks into a folder masks/ beside|holds no images"),
        (["images/1.png", "images/2.png"], r"holds 2 images but no masks .*masks/ beside images/"),
    ],
)
def test_a_folder_without_samples_is_refused(files: list[str], message: str, touch: Callable[..., Path]) -> None:
    root = touch(*files)
    with pytest.raises(InputError, match=message) as refusal:
        find_samples(root)
    assert str(root) in str(refusal.value)


PUBLIC = [
    ("DRIVE", {"train": 20, "test": 20}),
    ("GlaS", {"train": 85, "test": 80}),
    ("DSB2018", {None: 536, "test": 134}),
    ("ISIC2017-256", {None: 1600, "test": 400}),
]


@pytest.mark.parametrize(("name", "splits"), PUBLIC)
def test_public_data_sets_are_found_as_published(
    name: str, splits: dict[str | None, int], shared: Callable[[str], Path]
) -> None:
    layout = find_samples(shared(name))
    assert Counter(sample.split for sample in layout.samples) == splits
    assert not layout.images_without_mask and not layout.masks_without_image
    assert len({sample.name for sample in layout.samples}) == sum(splits.values())
    assert len({mask for sample in layout.samples for mask in sample.masks.values()}) == sum(splits.values())


def test_drive_has_its_field_of_view_and_the_first_observer(shared: Callable[[str], Path]) -> None:
    layout = find_samples(shared("DRIVE"))
    for sample in layout.samples:
        number = sample.name.split("_")[0]
        assert sample.masks[""].name == f"{number}_manual1.gif" and sample.masks[""].parent.name == "1st_manual"
        assert sample.roi is not None and sample.roi.parent.name == "mask" and sample.roi.name.startswith(number)
    assert any("2nd_manual is left out" in note for note in layout.notes)


def test_glas_patients_are_known(shared: Callable[[str], Path]) -> None:
    layout = find_samples(shared("GlaS"))
    assert all(sample.group for sample in layout.samples)
