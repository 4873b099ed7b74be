"""Masks of other data read by the classes of a trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_masks import as_jpeg, blob, cells, disc, find

from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.external import fit_convention
from amsunet.data.masks.files import MaskFile
from amsunet.data.masks.summary import MaskSummary, summarise, summarise_mask
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


def test_another_reading_is_noted_in_one_line() -> None:
    _, notes = fit_convention(_values(0, 255), _summaries(OTHER["0/1"]), {})
    assert notes == [
        "masks hold class values 0, 1, those that the network was trained on class values 0, 255: classes are taken in "
        "this order (0 is background, 1 is organ 1)"
    ]


def test_as_many_values_as_classes_are_taken_in_order() -> None:
    masks = [np.array([0, 128, 255], np.uint8)[labels] for labels in THREE]
    convention, notes = fit_convention(_values(0, 1, 2), _summaries(masks), {})
    assert np.array_equal(convention.decode(masks[0], P), THREE[0]) and "in this order" in notes[0]


def test_fewer_values_than_classes_are_not_guessed_at() -> None:
    with pytest.raises(
        InputError,
        match=r"holds the value 255, .*hold class values 0, 255, the network knows 3 classes .*organ 1, organ 2",
    ):
        fit_convention(_values(0, 1, 2), _summaries(OTHER["0/255"]), {})


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


@pytest.mark.parametrize("trained", TRAINED)
def test_inverted_masks_are_refused_by_every_network_but_of_its_own_data(trained: str) -> None:
    inverted = _summaries([255 - mask for mask in OTHER["0/255"]])
    with pytest.raises(InputError, match=r"255 around.* --classes 255,0 if .*background, or --classes 0,255 if"):
        fit_convention(TRAINED[trained], inverted, {})
    own = _summaries([1 - mask for mask in OTHER["0/1"]])
    assert fit_convention(TRAINED["0/1"], own, {}, of_run=True) == (TRAINED["0/1"], [])


@pytest.mark.parametrize("trained", TRAINED)
def test_some_inverted_masks_are_refused_by_every_network_but_of_its_own_data(trained: str) -> None:
    masks = [255 - mask if n % 2 else mask for n, mask in enumerate(OTHER["0/255"])]
    with pytest.raises(InputError, match=r"is bright around .*invert the ones that are wrong, or set --"):
        fit_convention(TRAINED[trained], _summaries(masks), {})
    own = _summaries([1 - mask if n % 2 else mask for n, mask in enumerate(OTHER["0/1"])])
    assert fit_convention(TRAINED["0/1"], own, {}, of_run=True) == (TRAINED["0/1"], [])


@pytest.mark.parametrize("trained", ["threshold", "objects", "shares"])
def test_a_network_that_reads_anything_reads_masks_of_another_kind_as_these_are(trained: str) -> None:
    shares = [as_jpeg(mask, 80).astype(np.float32) / 255 for mask in OTHER["0/255"]]
    known = {**TRAINED, "shares": find(shares, "m.tif")[0]}[trained]
    colours = np.array([(255, 255, 255), (0, 160, 0)], np.uint8)
    edge = np.arange(BLOBS[0].shape[0])[:, None] < 5
    others = {
        "green on white": [colours[mask.astype(int)] for mask in BLOBS],
        "ignored": [np.where(edge, 255, mask).astype(np.uint8) for mask in BLOBS],
        "JPEG": OTHER["JPEG"],
    }
    for kind, masks in others.items():
        convention, _ = fit_convention(known, _summaries(masks, "m.jpg" if kind == "JPEG" else "m.png"), {})
        found, truth = convention.decode(masks[0], P), np.where(edge, 255, BLOBS[0]) if kind == "ignored" else BLOBS[0]
        assert (found == truth).mean() > 0.97, kind
    signed = [np.where(edge, -1, mask).astype(np.int16) for mask in BLOBS]
    for network in (known, _values(0, 1)):
        with pytest.raises(InputError, match=r"holds the value -1, .*--ignore-value=-1"):
            fit_convention(network, _summaries(signed), {})


def test_a_network_keeps_its_threshold_on_masks_of_as_bright_an_object() -> None:
    known = TRAINED["threshold"].model_copy(update={"threshold": 100.0})
    assert fit_convention(known, _summaries(OTHER["JPEG"], "m.jpg"), {}) == (known, [])
    narrow = [np.where(disc(48, 40 + n, 20), np.where(disc(48, 40 + n, 15), 255, 128), 0) for n in range(4)]
    assert fit_convention(known, _summaries([mask.astype(np.uint8) for mask in narrow]), {}) == (known, [])


def test_what_a_network_ignores_is_the_object_where_nothing_else_is_marked() -> None:
    known = _values(0, 1).model_copy(update={"ignore_value": 255})
    for kind in ("0/255", "JPEG"):
        masks = OTHER[kind]
        convention, _ = fit_convention(known, _summaries(masks, "m.jpg" if kind == "JPEG" else "m.png"), {})
        assert (convention.decode(masks[0], P) == BLOBS[0]).mean() > 0.97
    table = np.zeros((256, 3), np.uint8)
    table[0] = 255
    files = [MaskFile((~mask).astype(np.uint8), table) for mask in BLOBS]
    files = [MaskFile(1 - file.pixels, table[[1, 0, *range(2, 256)]]) for file in files]
    convention, _ = fit_convention(known, [summarise(file, P) for file in files], {})
    assert np.array_equal(convention.decode(files[0].read_as(convention.reading), P), BLOBS[0])


def test_several_colours_are_not_taken_for_class_numbers_in_order() -> None:
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)
    masks = _summaries([colours[labels] for labels in THREE])
    message = r"organ 1, organ 2; .*is not known: set --classes '#000000,#00ff00,#ff0000' in the order of these"
    with pytest.raises(InputError, match=message):
        fit_convention(_values(0, 1, 2), masks, {})
    known, _ = find([colours[labels] for labels in THREE])
    assert fit_convention(known, masks, {}) == (known, [])


def test_one_wrong_mask_among_good_ones_is_reported_later() -> None:
    masks = [*OTHER["0/1"], np.where(disc(9, 9, 5), 9, OTHER["0/1"][0]).astype(np.uint8)]
    assert fit_convention(_values(0, 1), _summaries(masks), {}) == (_values(0, 1), [])


def _drawn_on_transparent(mask: Array) -> MaskSummary:
    opacity = np.uint8(255) * mask
    return summarise(MaskFile(np.zeros((*mask.shape, 3), np.uint8), alpha=opacity), Path("m.png"))


def test_shapes_drawn_in_alpha_are_not_taken_as_empty_masks() -> None:
    convention, notes = fit_convention(_values(0, 255), [_drawn_on_transparent(mask) for mask in BLOBS], {})
    assert convention.reading == "alpha" and notes
    opaque = [_drawn_on_transparent(np.ones_like(mask)) for mask in BLOBS]
    assert fit_convention(_values(0, 255), opaque, {}) == (_values(0, 255), [])
