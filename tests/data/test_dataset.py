"""Data sets opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.dataset import Dataset, foreground_share, open_dataset
from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.groups import warn_of_groups
from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX, MaskOptions
from amsunet.data.masks.files import read_mask
from amsunet.data.masks.labels import read_labels
from amsunet.data.options import DataOptions
from amsunet.errors import InputError

Make = Callable[..., Path]
Save = Callable[[Path, Array], Path]


@pytest.mark.parametrize(("foreground", "suffix"), [(1, ".png"), (255, ".jpg"), (255, ".tif"), (128, ".bmp")])
def test_images_and_masks_may_differ_in_format(
    foreground: int, suffix: str, make_dataset: Make, disc: Callable[[int], Array]
) -> None:
    dataset = open_dataset(make_dataset(3, foreground=foreground, suffix=suffix))
    for number, sample in enumerate(dataset.samples):
        image, labels = dataset.read(sample)
        assert image.shape == (40, 48, 1) and np.array_equal(labels, disc(number))
        assert dataset.foreground_share()[sample.name] == pytest.approx(disc(number).mean())
        assert np.array_equal(dataset.convention.encode(labels), read_mask(sample.masks[""]))


def test_outside_the_field_of_view_is_ignored(make_dataset: Make, save: Save, disc: Callable[[int], Array]) -> None:
    data = make_dataset(3)
    roi = np.zeros((40, 48), np.uint8)
    roi[5:35, 5:40] = 255
    for number in range(3):
        save(data / "fov" / f"{number:02}.gif", roi)
    dataset = open_dataset(data)
    for number, sample in enumerate(dataset.samples):
        assert np.array_equal(dataset.read_labels(sample), np.where(roi > 0, disc(number), IGNORE_INDEX))


def _turned(path: Path, pixels: Array, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)


@pytest.mark.parametrize(
    ("size", "of_image", "of_mask", "warned"),
    [
        ((40, 48), 6, 6, ""),
        ((40, 40), 6, 1, "3 images are stored in another orientation than their masks"),
        ((40, 48), 3, 1, "3 images are stored in another orientation than their masks"),
        ((40, 48), 6, 5, "3 images are stored in another orientation than their masks"),
    ],
)
def test_images_in_another_orientation_than_their_masks_are_warned_of(
    tmp_path: Path, size: tuple[int, int], of_image: int, of_mask: int, warned: str
) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        pixels = rng.integers(0, 256, size, dtype=np.uint8)
        _turned(tmp_path / "images" / f"{number}.png", pixels, of_image)
        _turned(tmp_path / "masks" / f"{number}.png", (pixels > 127).astype(np.uint8) * 255, of_mask)
    dataset = open_dataset(tmp_path)
    assert any(warned in warning for warning in dataset.warnings) if warned else not dataset.warnings
    if of_image == of_mask:
        image, labels = dataset.read(dataset.samples[0])
        assert np.array_equal(image[..., 0] > 127, labels == 1)


@pytest.mark.parametrize(("turned", "of_image", "of_mask"), [("image", 6, 1), ("mask", 1, 8)])
def test_sizes_that_differ_for_one_file_is_turned_are_explained(
    tmp_path: Path, turned: str, of_image: int, of_mask: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48), dtype=np.uint8)
    for number in range(3):
        _turned(tmp_path / "images" / f"{number}.png", pixels, of_image)
        _turned(tmp_path / "masks" / f"{number}.png", (pixels > 127).astype(np.uint8) * 255, of_mask)
    with pytest.raises(InputError, match=f"only the {turned} is marked as turned .orientation [68].: save"):
        open_dataset(tmp_path)


def test_one_folder_a_class_becomes_class_numbers(make_dataset: Make, save: Save) -> None:
    data = make_dataset(3)
    shutil.rmtree(data / "masks")
    for number in range(3):
        for name, rows in (("heart", slice(0, 10)), ("lung", slice(20, 30))):
            mask = np.zeros((40, 48), np.uint8)
            mask[rows] = 255
            save(data / "masks" / name / f"{number:02}.png", mask)
    dataset = open_dataset(data)
    assert dataset.convention.class_names == ("background", "heart", "lung")
    labels = dataset.read_labels(dataset.samples[0])
    assert (np.unique(labels[:10]), np.unique(labels[20:30])) == ([1], [2]) and labels.sum() == 48 * 30


def test_to_leave_out_is_not_advised_where_little_would_be_left(make_dataset: Make) -> None:
    data = make_dataset(6)
    for number in range(5):
        (data / "images" / f"{number:02}.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"00\.png is empty .*1 of the images can be used") as refusal:
        open_dataset(data)
    assert "--skip-broken" not in str(refusal.value)


def test_of_masks_in_doubt_a_draft_is_advised_that_holds_them_all(make_dataset: Make) -> None:
    data = make_dataset(3)
    for mask in sorted((data / "masks").iterdir()):
        for attribute in ("globules", "streaks"):
            shutil.copy(mask, mask.with_name(f"{mask.stem}_attribute_{attribute}.png"))
    with pytest.raises(InputError, match=r"may be a mask of .* as well.*check \S+ --write-manifest") as refusal:
        open_dataset(data)
    assert "--skip-broken" not in str(refusal.value)
    draft = draft_manifest(data)
    assert (draft.images, draft.with_mask) == (3, 3)
    assert all(mask.name in draft.path.read_text() for mask in (data / "masks").iterdir())


def test_broken_samples_are_refused_listed_or_left_out(make_dataset: Make) -> None:
    data = make_dataset(6)
    (data / "images" / "01.png").write_bytes(b"")
    (data / "masks" / "02.png").unlink()
    Image.new("L", (3, 3)).save(data / "masks" / "03.png")
    with pytest.raises(
        InputError, match=r"01\.png is empty .*unreadable files: 1.*sizes that differ: 1.*--skip-broken"
    ):
        open_dataset(data)
    for how in ({"options": DataOptions(skip_broken=True)}, {"allow_problems": True}):
        dataset = open_dataset(data, **how)
        assert [sample.name for sample in dataset.samples] == ["00", "04", "05"]
        assert {(p.kind, p.path.name) for p in dataset.problems} == {
            ("unreadable files", "01.png"),
            ("images without a mask", "02.png"),
            ("sizes that differ", "03.png"),
        }


def test_groups_are_taken_from_the_path(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(4), DataOptions(group=r"(\d)\.png$"))
    assert [sample.group for sample in dataset.samples] == ["0", "1", "2", "3"]


def test_groups_do_not_depend_on_where_the_data_set_is_named_from(
    make_dataset: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_dataset(3, name="set7")
    monkeypatch.chdir(data)
    rows = [f"{data}/images/{name}.png,{data}/masks/{name}.png" for name in ("00", "01", "02")]
    (data / "list.csv").write_text("\n".join(["image,mask", *rows]), encoding="utf-8")
    for source in (data, Path(), data / "list.csv", Path("list.csv")):
        assert [sample.group for sample in open_dataset(source, DataOptions(group=r"(\d+)")).samples] == [
            "00",
            "01",
            "02",
        ]


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "not a regular expression"), (r"\d+", "has no group"), ("(zzz)", "does not match")]
)
def test_a_wrong_group_pattern_is_refused(pattern: str, message: str, make_dataset: Make) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset(make_dataset(2), DataOptions(group=pattern))


def test_settings_for_masks_are_followed(make_dataset: Make) -> None:
    data = make_dataset(2)
    dataset = open_dataset(data, DataOptions(masks=MaskOptions(threshold=300)))
    assert not any(dataset.read_labels(sample).any() for sample in dataset.samples)
    assert foreground_share(dataset.scans[0], dataset.convention) == 0


def test_a_trained_convention_is_followed_and_never_guessed_anew(make_dataset: Make) -> None:
    trained = open_dataset(make_dataset(2)).convention
    other = make_dataset(2, foreground=1, name="other")
    dataset = open_dataset(other, convention=trained)
    assert dataset.convention.values == (0, 1) and "classes are taken in this order" in dataset.notes[0]
    third = make_dataset(2, foreground=7, name="third")
    three = trained.model_copy(update={"values": (0, 1, 2), "class_names": ("a", "b", "c")})
    with pytest.raises(InputError, match=r"00\.png holds the value 7, which no class has"):
        open_dataset(third, convention=three)


def test_one_mask_with_an_unknown_value_can_be_left_out(
    make_dataset: Make, save: Save, disc: Callable[[int], Array]
) -> None:
    data, options = make_dataset(4), DataOptions(masks=MaskOptions(classes=(0, 255)))
    save(data / "masks" / "02.png", np.uint8(7) * disc(2))
    with pytest.raises(InputError, match=r"02\.png holds the value 7, .*--skip-broken leaves them out"):
        open_dataset(data, options)
    dataset = open_dataset(data, options.model_copy(update={"skip_broken": True}))
    assert [sample.name for sample in dataset.samples] == ["00", "01", "03"]
    assert dataset.problems[0].kind == "masks with unknown values"


def test_drive_counts_inside_its_field_of_view_alone(opened: Callable[[str], Dataset]) -> None:
    dataset = opened("DRIVE")
    assert len(dataset.samples) == 40 and not dataset.problems
    image, labels = dataset.read(dataset.samples[0])
    assert image.shape == (584, 565, 3) and 0.6 < (labels != IGNORE_INDEX).mean() < 0.75
    assert 0.05 < (labels == 1).sum() / (labels != IGNORE_INDEX).sum() < 0.2


def test_glas_objects_are_foreground_and_mixed_patients_are_warned_of(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = shared("GlaS")
    lines = ["image,mask,group,split"]
    for folder, split in (("train", "train"), ("testB", "test")):
        for image in sorted((whole / folder / "images").iterdir())[:5]:
            mask = whole / folder / "masks" / f"{image.stem}_anno.png"
            lines.append(f"{image},{mask},one patient,{split}")
    (tmp_path / "few.csv").write_text("\n".join(lines))
    dataset = open_dataset(tmp_path / "few.csv")
    assert dataset.convention.kind == "instances" and any("object numbers" in note for note in dataset.notes)
    splits = {sample.name: sample.split or "train" for sample in dataset.samples}
    (warning,) = warn_of_groups(dataset.samples, splits, tmp_path, lambda _: splits)
    assert "1 of 1 patients lie in both training and test (one patient)" in warning


def test_where_class_folders_overlap_the_smaller_class_counts(make_dataset: Make, save: Save, tmp_path: Path) -> None:
    data = make_dataset(3)
    shutil.rmtree(data / "masks")
    for number in range(3):
        for name, side in (("cup", 10), ("disc", 24)):
            mask = np.zeros((40, 48), np.uint8)
            mask[4 : 4 + side, 4 : 4 + side] = 255
            save(data / "masks" / name / f"{number:02}.png", mask)
    dataset = open_dataset(data)
    labels = dataset.read_labels(dataset.samples[0])
    assert dataset.convention.class_names == ("background", "cup", "disc") and dataset.convention.order == (2, 1)
    assert (labels == 1).sum() == 100 and (labels == 2).sum() == 24**2 - 100


def test_overlapping_classes_lie_in_one_order_in_all_images(make_dataset: Make, save: Save) -> None:
    data = make_dataset(3)
    shutil.rmtree(data / "masks")
    for number, sides in enumerate([(10, 24), (10, 24), (24, 12)]):
        for name, side in zip(("cup", "disc"), sides, strict=True):
            mask = np.zeros((40, 48), np.uint8)
            mask[4 : 4 + side, 4 : 4 + side] = 255
            save(data / "masks" / name / f"{number:02}.png", mask)
    dataset = open_dataset(data)
    assert dataset.convention.order == (2, 1) and "in all images alike (upwards: disc, cup)" in dataset.notes[0]
    assert not (dataset.read_labels(dataset.samples[2]) == 2).any()  # the larger cup covers its disc
    known = dataset.convention.model_copy(update={"order": ()})  # as earlier versions stored it
    assert (read_labels(dataset.samples[2], known) == 2).sum() == 144


def test_what_is_foreground_everywhere_is_refused_before_anything_is_trained(make_dataset: Make, save: Save) -> None:
    data = make_dataset(3)
    for number in range(3):
        save(data / "masks" / f"{number:02}.png", np.full((40, 48), 255 - number % 2, np.uint8))
    with pytest.raises(InputError, match=r"foreground in every pixel|--classes|every pixel"):
        open_dataset(data)
    with pytest.raises(InputError, match="are foreground in every pixel"):
        open_dataset(data, DataOptions(masks=MaskOptions(threshold=1)))


def test_names_of_classes_are_kept(make_dataset: Make) -> None:
    dataset = open_dataset(make_dataset(3), DataOptions(masks=MaskOptions(class_names=("nucleus",))))
    assert dataset.convention.class_names == ("background", "nucleus")
