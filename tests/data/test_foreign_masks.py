"""Masks of other data read by the classes of a trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_masks import as_jpeg, blob, cells, disc, find

from amsunet.data.class_folders import find_folder_convention
from amsunet.data.foreign_masks import fit_convention
from amsunet.data.images import Array
from amsunet.data.mask_files import MaskFile
from amsunet.data.mask_summary import MaskSummary, summarise, summarise_mask
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.errors import InputError

P = Path("m.png")
BLOBS = [blob(n) for n in range(4)]
THREE = [np.where(disc(30, 30 + 5 * n, 12), 1, np.where(disc(66, 60, 14), 2, 0)) for n in range(4)]


def _summaries(masks: list[Array], name: str = "m.png") -> list[MaskSummary]:
    return [summarise_mask(mask, Path(name)) for mask in masks]


def _values(*values: int) -> MaskConvention:
    names = ("background", *(f"organ {n}" for n in range(1, len(values))))
    return MaskConvention(kind="values", values=values, class_names=names)


def _cells(seed: int) -> Array:
    return cells(np.random.default_rng(seed), 3 + 2 * seed)[1]


OTHER: dict[str, list[Array]] = {
    "0/1": [mask.astype(np.uint8) for mask in BLOBS],
    "0/255": [np.uint8(255) * mask for mask in BLOBS],
    "red": [(mask[..., None] * (255, 0, 0)).astype(np.uint8) for mask in BLOBS],
    "JPEG": [as_jpeg(np.uint8(255) * mask, 80) for mask in BLOBS],
    "objects": [_cells(seed) for seed in range(4)],
}
TRAINED = {
    "0/1": _values(0, 1),
    "0/255": _values(0, 255),
    "threshold": find(OTHER["JPEG"], "m.jpg")[0],
    "objects": find(OTHER["objects"], instances=True)[0],
    "red": find(OTHER["red"])[0],
}


@pytest.mark.parametrize("trained", TRAINED)
@pytest.mark.parametrize("kind", OTHER)
def test_two_classes_are_read_from_any_masks_of_two(trained: str, kind: str) -> None:
    known, masks = TRAINED[trained], OTHER[kind]
    convention, notes = fit_convention(known, _summaries(masks, "m.jpg" if kind == "JPEG" else "m.png"), {})
    truth = masks[0] > 0 if kind == "objects" else BLOBS[0]
    assert (convention.decode(masks[0], P) == truth).mean() > 0.97
    assert convention.class_names == known.class_names
    assert all("in this order" in note for note in notes[:1]) and not (notes and trained == kind)


def test_what_is_read_otherwise_is_said_in_one_line() -> None:
    _, notes = fit_convention(_values(0, 255), _summaries(OTHER["0/1"]), {})
    assert notes == [
        "masks hold class values 0, 1, those that the network was trained on class values 0, 255: classes are taken in "
        "this order"
    ]


def test_as_many_values_as_classes_are_taken_in_order() -> None:
    masks = [np.array([0, 128, 255], np.uint8)[labels] for labels in THREE]
    convention, notes = fit_convention(_values(0, 1, 2), _summaries(masks), {})
    assert np.array_equal(convention.decode(masks[0], P), THREE[0]) and "in this order" in notes[0]


def test_fewer_values_than_classes_are_not_guessed_at() -> None:
    known = _values(0, 1, 2)
    assert fit_convention(known, _summaries(OTHER["0/255"]), {}) == (known, [])


def test_palettes_that_differ_are_read_by_colour_whatever_the_network_saw() -> None:
    def file(n: int) -> MaskFile:
        table = np.zeros((256, 3), np.uint8)
        table[1 - n % 2] = 255
        return MaskFile((BLOBS[n] ^ (n % 2 == 1)).astype(np.uint8), table)

    masks = [summarise(file(n), P) for n in range(4)]
    convention, _ = fit_convention(_values(0, 1), masks, {})
    assert all(np.array_equal(convention.decode(file(n).read_as(convention.reading), P), BLOBS[n]) for n in range(4))


def test_empty_masks_are_empty_by_any_convention() -> None:
    for known in TRAINED.values():
        assert fit_convention(known, _summaries([np.zeros((9, 9), np.uint8)]), {})[0] == known


def _folders() -> dict[str, list[MaskSummary]]:
    return {"cup": _summaries([np.uint8(255) * (labels == 2) for labels in THREE]),
            "disc": _summaries([np.uint8(255) * (labels == 1) for labels in THREE])}  # fmt: skip


def test_class_folders_are_matched_by_name_with_the_order_of_the_network() -> None:
    known, _ = find_folder_convention(_folders(), MaskOptions())
    known = known.model_copy(update={"order": known.order[::-1]})
    assert fit_convention(known, [], dict(reversed(_folders().items())))[0] == known
    numbers = MaskConvention(kind="values", values=(0, 1, 2), class_names=("background", "disc", "cup"))
    convention, notes = fit_convention(numbers, [], _folders())
    assert convention.folders == ("disc", "cup") and "in this order" in notes[0]


def test_other_class_folders_are_refused() -> None:
    known, _ = find_folder_convention(_folders(), MaskOptions())
    others = dict(zip(("heart", "lung"), _folders().values(), strict=True))
    with pytest.raises(InputError, match=r"heart, lung\) are not the classes of the training data \(cup, disc\)"):
        fit_convention(known, [], others)
    with pytest.raises(InputError, match="lack the class folders of the training data"):
        fit_convention(known, _summaries(OTHER["0/1"]), {})
