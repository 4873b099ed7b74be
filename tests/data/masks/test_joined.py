"""Several masks of one image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.layout import Sample
from amsunet.data.images import Array
from amsunet.data.masks import MaskOptions
from amsunet.data.masks.joined import open_sample_mask
from amsunet.data.options import DataOptions
from amsunet.errors import InputError

Save = Callable[[Path, Array], Path]


def _boxes(*corners: tuple[int, int], value: int = 255) -> Array:
    mask = np.zeros((20, 30), np.uint8)
    for row, column in corners:
        mask[row : row + 4, column : column + 4] = value
    return mask


def _sample(root: Path, save: Save, *masks: Array) -> Sample:
    image = save(root / "a.png", np.zeros((20, 30), np.uint8))
    first, *more = [save(root / f"a_mask_{number}.png", mask) for number, mask in enumerate(masks)]
    return Sample("a", image, {"": first}, more_masks={"": tuple(more)} if more else {})


def test_masks_are_joined(tmp_path: Path, save: Save) -> None:
    sample = _sample(tmp_path, save, _boxes((0, 0)), _boxes((8, 8)), _boxes((10, 20)))
    assert np.array_equal(open_sample_mask(sample, "").pixels, _boxes((0, 0), (8, 8), (10, 20)))


def test_objects_are_kept_apart_where_asked(tmp_path: Path, save: Save) -> None:
    sample = _sample(tmp_path, save, _boxes((0, 0)), _boxes((0, 4)))
    assert np.array_equal(
        open_sample_mask(sample, "", apart=True).pixels, _boxes((0, 0), value=1) + _boxes((0, 4), value=2)
    )


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            [_boxes((0, 0)), _boxes((1, 0))],
            r"a_mask_1\.png and .*a_mask_0\.png mark the same object: .* two observers'",
        ),
        ([_boxes((0, 0)), _boxes((9, 9), value=7)], r"mark with the values 7, 255, which cannot be joined"),
        ([_boxes((0, 0)), np.zeros((20, 31), np.uint8)], "not of one size"),
    ],
    ids=["two observers", "two values", "two sizes"],
)
def test_what_cannot_be_joined_is_refused(masks: list[Array], message: str, tmp_path: Path, save: Save) -> None:
    with pytest.raises(InputError, match=message):
        open_sample_mask(_sample(tmp_path, save, *masks), "")


@pytest.fixture
def lesions(tmp_path: Path, save: Save, picture: Callable[..., Array]) -> Path:
    """Four images, the first with two masks, as BUSI has them."""
    for number in range(4):
        save(tmp_path / "benign" / f"benign ({number}).png", picture(number, 20, 30))
        save(tmp_path / "benign" / f"benign ({number})_mask.png", _boxes((2, 2)))
    save(tmp_path / "benign" / "benign (0)_mask_1.png", _boxes((10, 10)))
    return tmp_path


@pytest.mark.parametrize("options", [None, MaskOptions(instances=True)])
def test_a_lesion_in_a_file_of_its_own_is_foreground(lesions: Path, options: MaskOptions | None) -> None:
    dataset = open_dataset(lesions, DataOptions(masks=options or MaskOptions()))
    labels = dataset.read_labels(dataset.samples[0])
    assert np.array_equal(labels == 1, _boxes((2, 2), (10, 10)) > 0)
    assert not dataset.problems and any("1 of 4 images have several masks" in note for note in dataset.notes)
    assert dataset.scans[0].masks[""].counts.keys() == ({0, 255} if options is None else {0, 1, 2})


FORMS = {
    "beside": ("{}.png", "{}_mask.png", "{}_mask_1.png"),
    "in a folder for each image": ("{0}/{0}.png", "{0}/{0}_mask.png", "{0}/{0}_mask_1.png"),
    "numbered from 0": ("images/{}.png", "masks/{}_0.png", "masks/{}_1.png"),
    "numbered from 1": ("images/{}.png", "masks/{}_1.png", "masks/{}_2.png"),
    "the first without a number": ("images/{}.png", "masks/{}.png", "masks/{}_1.png"),
    "as a download again": ("images/{}.png", "masks/{} (1).png", "masks/{} (2).png"),
    "beside, numbered": ("{}.png", "{}_1.png", "{}_2.png"),
    "with a word and a number": ("images/{}.jpg", "masks/{}_seg1.png", "masks/{}_seg2.png"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", ["p{}z", "{}"], ids=["names", "numbers"])
def test_masks_of_one_image_are_joined_and_said_and_kept_apart_where_asked(
    form: str, names: str, tmp_path: Path, save: Save, picture: Callable[..., Array]
) -> None:
    image, first, second = FORMS[form]
    names_of = [names.format(number) for number in range(5)]
    for number, name in enumerate(names_of):
        save(tmp_path / image.format(name), picture(number, 20, 30))
        save(tmp_path / first.format(name), _boxes((2, 2 + number)))
        if number < 3:
            save(tmp_path / second.format(name), _boxes((10, 20 - number)))
    marked = [_boxes((2, 2 + number), *([(10, 20 - number)] if number < 3 else [])) > 0 for number in range(5)]
    dataset = open_dataset(tmp_path)
    assert [sample.image.stem for sample in dataset.samples] == names_of and not dataset.problems
    for sample, truth in zip(dataset.samples, marked, strict=True):
        assert np.array_equal(dataset.read_labels(sample) == 1, truth)
    (note,) = (line for line in dataset.notes if "joined" in line)
    assert note.startswith("3 of 5 images have several masks") and Path(second).name.format(names_of[0]) in note
    assert "--instances keeps their objects apart" in note
    apart = open_dataset(tmp_path, DataOptions(masks=MaskOptions(instances=True)))
    assert [len(scan.masks[""].counts) - 1 for scan in apart.scans] == [2, 2, 2, 1, 1]
    draft = draft_manifest(tmp_path, tmp_path / "lists" / "draft.csv")
    listed = open_dataset(draft.path)
    for sample, truth in zip(listed.samples, marked, strict=True):
        assert np.array_equal(listed.read_labels(sample) == 1, truth)


def test_an_image_that_may_have_another_mask_is_never_taught_without_it(lesions: Path, save: Save) -> None:
    save(lesions / "benign" / "benign (1)_extra_mask.png", _boxes((9, 9)))
    with pytest.raises(InputError, match=r"benign \(1\)_extra_mask\.png may be a mask of .*benign \(1\)\.png as well"):
        open_dataset(lesions)
    assert [sample.name for sample in open_dataset(lesions, DataOptions(skip_broken=True)).samples] == [
        "benign (0)", "benign (2)", "benign (3)",
    ]  # fmt: skip


def test_one_folder_of_masks_with_several_values_is_no_class(
    tmp_path: Path, save: Save, picture: Callable[..., Array]
) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", picture(number, 20, 30))
        save(tmp_path / "masks" / "organs" / f"{number}.png", _boxes((2, 2), value=1) + _boxes((10, 10), value=2))
    dataset = open_dataset(tmp_path, DataOptions(masks=MaskOptions(classes=(0, 1, 2))))
    assert dataset.convention.values == (0, 1, 2)
    assert set(np.unique(dataset.read_labels(dataset.samples[0])).tolist()) == {0, 1, 2}


def test_a_class_without_a_file_is_absent_from_the_labels(
    tmp_path: Path, save: Save, picture: Callable[..., Array]
) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", picture(number, 20, 30))
        save(tmp_path / "masks" / "organ" / f"{number}.png", _boxes((2, 2)))
    save(tmp_path / "masks" / "tumour" / "1.png", _boxes((10, 10)))
    dataset = open_dataset(tmp_path)
    found = [set(np.unique(dataset.read_labels(sample)).tolist()) for sample in dataset.samples]
    assert found == [{0, 1}, {0, 1, 2}, {0, 1}]
    assert any("2 of 3 images have no file for the class tumour" in warning for warning in dataset.warnings)


@pytest.mark.parametrize("apart", [3, 9], ids=["observers", "objects"])
def test_two_masks_of_every_image_that_overlap_are_two_observers(
    apart: int, tmp_path: Path, save: Save, picture: Callable[..., Array]
) -> None:
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", picture(number, 20, 30))
        save(tmp_path / "masks" / f"{number}_mask.png", _boxes((2, 2), (2, 6), (2, 10)))
        save(tmp_path / "masks" / f"{number}_mask_2.png", _boxes((2 + apart, 2), (2 + apart, 6), (2 + apart, 10)))
    if apart == 9:
        assert len(open_dataset(tmp_path).scans) == 3
        return
    with pytest.raises(InputError, match=r"overlap, as do those of all 3 images by 14% .*two observers'"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, DataOptions(masks=MaskOptions(instances=True))).scans) == 3


def test_a_coloured_mask_is_joined_with_one_that_marks_nothing(tmp_path: Path, save: Save) -> None:
    red = _boxes((0, 0))[..., None] * np.array([1, 0, 0], np.uint8)
    joined = open_sample_mask(_sample(tmp_path, save, np.zeros_like(red), red), "")
    assert np.array_equal(joined.pixels, red)


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
