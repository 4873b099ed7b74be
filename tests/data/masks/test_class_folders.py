"""What masks mean that lie in one folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, blob, disc

from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.summary import MaskSummary, summarise_mask
from amsunet.errors import InputError

COUNT = 8


def _white(mask: Array) -> Array:
    return np.uint8(255) * mask.astype(np.uint8)


def _find(folders: Mapping[str, Sequence[Array | None]], **options: object) -> tuple[MaskConvention, list[str]]:
    """The convention of masks of bool, or as they are, by folder and image; None where an image has none."""
    images: list[dict[str, MaskSummary]] = [{} for _ in next(iter(folders.values()))]
    for name, masks in folders.items():
        for number, mask in enumerate(masks):
            if mask is not None:
                raw = _white(mask) if mask.dtype == bool else mask
                images[number][name] = summarise_mask(raw, Path(f"{name}/{number}.png"))
    by_class = {name: [image[name] for image in images if name in image] for name in folders}
    return find_folder_convention(by_class, MaskOptions(**options), images)


def _corner(number: int) -> Array:
    return disc(20, 20 + number, 8)


def test_a_folder_of_inverted_masks_is_refused_by_its_name() -> None:
    folders = {"liver": [~blob(n) for n in range(COUNT)], "kidney": [_corner(n) for n in range(COUNT)]}
    with pytest.raises(InputError, match=r"^liver/0\.png .* in the folder liver are bright around .*--mask-threshold"):
        _find(folders)
    assert _find(folders, threshold=128.0)[0].folders == ("liver", "kidney")


def test_some_inverted_masks_in_a_class_folder_are_refused_with_one_of_each() -> None:
    masks = [~blob(n) if n in (2, 5) else blob(n) for n in range(COUNT)]
    with pytest.raises(InputError, match=r"^liver/2\.png is bright around .* liver/0\.png the other way round"):
        _find({"liver": masks})


def test_classes_that_share_every_image_may_lie_around() -> None:
    blobs = [blob(n) for n in range(COUNT)]
    assert _find({"tumour": blobs, "stroma": [~mask for mask in blobs]})[0].num_classes == 3


@pytest.mark.parametrize("name", ["Background", "0_bg"])
def test_a_folder_of_the_background_is_no_class(name: str) -> None:
    blobs = [blob(n) for n in range(COUNT)]
    with pytest.raises(InputError, match=rf"of a folder named {name}, .* take this folder away"):
        _find({"cell": blobs, name: [~mask for mask in blobs]})


def test_several_numbers_in_the_folder_of_one_class_are_noticed() -> None:
    numbers = [np.uint8(1) * blob(n) + np.uint8(2) * disc(80, 80, 8) for n in range(COUNT)]
    _, notes = _find({"cell": numbers, "nerve": [_corner(n) for n in range(COUNT)]})
    assert any(note.startswith("masks in the folder cell hold 1,2") for note in notes)


def test_255_beside_1_in_a_class_folder_is_asked_for() -> None:
    masks = [np.where(disc(10, 10, 5), 255, blob(n)).astype(np.uint8) for n in range(COUNT)]
    with pytest.raises(InputError, match="holds 1 and 255: set --ignore-value 255 if"):
        _find({"cell": masks})
    assert _find({"cell": masks}, ignore_value=255)[0].ignore_value == 255
    assert _find({"cell": masks}, threshold=1.0)[0].threshold == 1


def test_a_class_within_another_is_on_top_though_it_is_larger_in_the_mean() -> None:
    # Large tumours stand in images whose organ was not drawn; where both were, the tumour lies in the organ.
    organs = [disc(48, 48, 22) if n < 4 else None for n in range(COUNT)]
    tumours = [disc(48, 44, 8) if n < 4 else disc(48, 48, 40) for n in range(COUNT)]
    assert _find({"organ": organs, "tumour": tumours})[0].order == (1, 2)
    assert _find({"tumour": tumours, "organ": organs})[0].order == (2, 1)


@pytest.mark.parametrize("grown", [1, 0])
def test_two_observers_of_the_same_objects_are_no_classes(grown: int) -> None:
    one = [blob(n) for n in range(COUNT)]
    other = [mask | np.roll(mask, grown, 0) for mask in one]
    with pytest.raises(InputError, match=r"^anna/0\.png and bert/0\.png mark the same objects, .*--class-names anna,b"):
        _find({"anna": one, "bert": other})
    notes = _find({"anna": one, "bert": other}, class_names=("anna", "bert"))[1]
    assert any("lies under other classes" in note for note in notes) == (grown == 0)


def test_a_lumen_in_its_vessel_and_classes_apart_are_classes() -> None:
    vessels = [disc(48, 40 + n, 20) for n in range(COUNT)]
    lumens = [disc(48, 40 + n, 15) for n in range(COUNT)]
    assert _find({"lumen": lumens, "vessel": vessels})[0].order == (2, 1)
    assert _find({"a": vessels, "b": [np.roll(mask, SIDE // 2, 1) for mask in vessels]})[0].num_classes == 3


def test_known_folders_are_not_asked_about_again() -> None:
    masks = [summarise_mask(_white(~blob(n)), Path(f"liver/{n}.png")) for n in range(COUNT)]
    assert find_folder_convention({"liver": masks}, MaskOptions(), known=True)[0].folders == ("liver",)
