"""A file for each channel: put together by names where one mask belongs to all, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.layout import find_samples
from amsunet.data.discovery.manifest import read_manifest
from amsunet.errors import InputError

Make = Callable[[Iterable[str]], Path]


@pytest.fixture
def touch(tmp_path: Path) -> Make:
    def make(names: Iterable[str]) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def _cells(ends: Iterable[str], masks: Iterable[str] = ("",), count: int = 3, suffix: str = ".png") -> list[str]:
    images = [f"images/cell{n}{end}{suffix}" for n in range(count) for end in ends]
    return [*images, *(f"masks/cell{n}{end}.png" for n in range(count) for end in masks)]


@pytest.mark.parametrize(
    ("ends", "masks", "expected"),
    [
        (("_DAPI", "_GFP"), ("",), "DAPI,GFP"),
        (("_0000", "_0001", "_0002"), ("",), "0000,0001,0002"),
        (("_c1", "_c2", "_c10"), ("_mask",), "c1,c2,c10"),
        (("-ch00", "-ch01"), ("-label",), "ch00,ch01"),
        (("_w1DAPI", "_w2GFP"), ("",), "w1DAPI,w2GFP"),
        ((" t1ce", " flair"), ("_seg",), "flair,t1ce"),
    ],
)
def test_words_for_channels_are_known(
    touch: Make, ends: tuple[str, ...], masks: tuple[str, ...], expected: str
) -> None:
    layout = find_samples(touch(_cells(ends, masks)))
    assert [sample.name for sample in layout.samples] == ["cell0", "cell1", "cell2"]
    assert [sample.image.name for sample in layout.samples] == [
        f"cell{n}{ends[0][0]}{{{expected}}}.png" for n in range(3)
    ]
    assert not layout.images_without_mask and not layout.masks_without_image
    assert any("have a file for each channel" in note for note in layout.notes)


def test_the_layout_of_nnunet(touch: Make) -> None:
    names = [f"imagesTr/case_{n:03}_{c:04}.png" for n in range(3) for c in range(2)]
    layout = find_samples(touch([*names, *(f"labelsTr/case_{n:03}.png" for n in range(3))]))
    assert [sample.image.name for sample in layout.samples] == [f"case_{n:03}_{{0000,0001}}.png" for n in range(3)]
    assert {sample.split for sample in layout.samples} == {"train"}


def test_files_in_one_folder(touch: Make) -> None:
    layout = find_samples(touch(f"{n}_{end}.tif" for n in range(3) for end in ("c1", "c2", "mask")))
    assert [sample.image.name for sample in layout.samples] == [f"{n}_{{c1,c2}}.tif" for n in range(3)]


@pytest.mark.parametrize(
    "names",
    [
        _cells(("_c1", "_c2"), ("_c1", "_c2")),
        _cells(("_0000",)),
        _cells(("",)),
        [*_cells(("_c1",), ("_c1",)), "images/cell9_c2.png", "masks/cell9_c2.png"],
    ],
)
def test_images_of_their_own_stay_images(touch: Make, names: list[str]) -> None:
    layout = find_samples(touch(names))
    assert not any("{" in sample.image.name for sample in layout.samples)
    assert len(layout.samples) == sum(name.startswith("images/") for name in names)


def test_a_whole_image_beside_its_channels_is_the_image(touch: Make) -> None:
    layout = find_samples(touch(_cells(("", "_c1", "_c2"))))
    assert [sample.image.name for sample in layout.samples] == [f"cell{n}.png" for n in range(3)]


def test_other_words_are_asked_for(touch: Make) -> None:
    folder = touch(_cells(("_left", "_right")))
    with pytest.raises(
        InputError, match=r"cell0_left.png and .*cell0_right.png may be channels .* --channels left,right"
    ):
        find_samples(folder)
    layout = find_samples(folder, ("right", "left"))
    assert [sample.image.name for sample in layout.samples] == [f"cell{n}_{{right,left}}.png" for n in range(3)]


def test_channels_may_be_chosen(touch: Make) -> None:
    folder = touch(_cells(("_DAPI", "_GFP", "_bf"), ("_DAPI",)))
    layout = find_samples(folder, ("GFP", "DAPI"))
    assert [sample.image.name for sample in layout.samples] == [f"cell{n}_{{GFP,DAPI}}.png" for n in range(3)]
    assert [sample.name for sample in layout.samples] == ["cell0", "cell1", "cell2"]
    with pytest.raises(InputError, match="no image has a name that ends with RFP, as --channels RFP has it"):
        find_samples(folder, ("RFP",))


def test_one_channel_may_be_chosen(touch: Make) -> None:
    layout = find_samples(touch(_cells(("_DAPI", "_GFP"))), ("GFP",))
    assert [sample.image.name for sample in layout.samples] == [f"cell{n}_GFP.png" for n in range(3)]


def test_a_channel_that_is_missing_is_named(touch: Make) -> None:
    folder = touch(_cells(("_c1", "_c2", "_c3")))
    (folder / "images/cell1_c2.png").unlink()
    with pytest.raises(InputError, match=r"cell1_c2.png is missing, where .*cell1_c1.png is there"):
        find_samples(folder)


def test_a_manifest_names_channels_as_it_is_drafted(touch: Make) -> None:
    folder = touch(_cells(("_DAPI", "_GFP")))
    draft = draft_manifest(folder)
    assert (draft.images, draft.with_mask) == (3, 3)
    assert "images/cell0_{DAPI,GFP}.png" in draft.path.read_text()
    layout = read_manifest(draft.path)
    assert [(sample.name, sample.image.name) for sample in layout.samples] == [
        (f"cell{n}", f"cell{n}_{{DAPI,GFP}}.png") for n in range(3)
    ]
    (folder / "images/cell1_GFP.png").unlink()
    with pytest.raises(InputError, match=r"line 3: .*cell1_\{DAPI,GFP\}.png does not exist"):
        read_manifest(draft.path)
