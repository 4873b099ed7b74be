"""Masks found through folders and numbers, and what is no more than chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.layout import find_samples
from amsunet.errors import InputError


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


@pytest.mark.parametrize("image", ["s{0:02}x", "case{0}", "{0}", "img_{0}"])
@pytest.mark.parametrize("mask", ["{1}", "mask_{1}"])
def test_masks_in_a_folder_named_by_an_image_are_its_own(image: str, mask: str, tmp_path: Path) -> None:
    names = [image.format(n) for n in range(1, 9)]
    root = _touch(tmp_path, *(f"images/{name}.png" for name in names))
    for number, name in enumerate(names, start=1):
        _touch(root, *(f"masks/{name}/{mask.format(0, k)}.png" for k in range(1, 3 + number)))
    layout = find_samples(root)
    assert not layout.class_names and len(layout.samples) == 8 and not layout.masks_without_image
    for sample in layout.samples:
        files = [sample.masks[""], *sample.more_masks[""]]
        assert {path.parent.name for path in files} == {sample.image.stem}
        assert len(files) == len(list(files[0].parent.iterdir()))


def test_folders_of_classes_with_numbers_stay_classes(tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"{f}/{n}.png" for f in ("images", "masks/1", "masks/2") for n in range(1, 9)))
    assert find_samples(root).class_names == ("1", "2")


@pytest.mark.parametrize(("image", "mask"), [("image{}", "mask{}"), ("image_{}", "mask_{}"), ("{}", "{}")])
def test_numbers_that_are_one_apart_are_not_paired(image: str, mask: str, tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"images/{image.format(n)}.png" for n in range(12)))
    _touch(root, *(f"masks/{mask.format(n + 1)}.png" for n in range(12)))
    message = rf"numbered from {image.format(0)}\.png and {mask.format(1)}\.png on.*--write-manifest"
    with pytest.raises(InputError, match=message) as refusal:
        find_samples(root)
    assert "--skip-broken" not in str(refusal.value)
    draft = draft_manifest(root)
    assert (draft.images, draft.with_mask) == (12, 0)


def test_numbers_that_fit_some_by_chance_are_not_paired(tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"images/a{n}.png" for n in range(12)), *(f"masks/q{7 * n + 3}z.png" for n in range(12)))
    with pytest.raises(InputError, match=r"12 images but no masks"):
        find_samples(root)


def test_numbers_that_fit_all_are_a_guess_with_a_warning(tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"images/a{n}.png" for n in range(3)), *(f"masks/seg_b{n:03}.png" for n in range(3)))
    layout = find_samples(root)
    assert [sample.masks[""].name for sample in layout.samples] == [f"seg_b00{n}.png" for n in range(3)]
    assert any("only similar" in warning for warning in layout.warnings)


def test_the_cell_tracking_challenge_has_masks_of_some_images(tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"01/t{n:03}.tif" for n in range(6)), "01_GT/SEG/man_seg002.tif")
    layout = find_samples(root)
    assert [sample.image.name for sample in layout.samples] == ["t002.tif"] and len(layout.images_without_mask) == 5


def test_two_folders_of_masks_are_both_named(tmp_path: Path) -> None:
    root = _touch(tmp_path, *(f"01/t{n:03}.tif" for n in range(4)))
    _touch(root, *(f"01_GT/{f}{n:03}.tif" for f in ("SEG/man_seg", "TRB/man_trb") for n in range(4)))
    with pytest.raises(InputError, match=r"01_GT/SEG and .*01_GT/TRB hold masks of the same images"):
        find_samples(root)
