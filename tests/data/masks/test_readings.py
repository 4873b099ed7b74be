"""Palettes and transparency: one reading for a whole data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, blob, disc, find_in_files, summarise_file
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks.external import fit_convention
from amsunet.errors import InputError

BLACK, WHITE, RED, GREEN = (0, 0, 0), (255, 255, 255), (200, 0, 0), (0, 180, 0)
LABELS = [np.where(disc(30, 30 + 5 * n, 12), 1, np.where(disc(66, 60, 14), 2, 0)).astype(np.uint8) for n in range(4)]


def indexed(indices: Array, *colours: tuple[int, int, int]) -> Image.Image:
    picture = Image.fromarray(indices.astype(np.uint8), "P")
    picture.putpalette([channel for colour in colours for channel in colour])
    return picture


def drawn(shape: Array, colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), colour)
    picture.putalpha(Image.fromarray(np.uint8(255) * shape))
    return picture


def test_black_and_white_palettes_in_any_order_are_read_by_colour(tmp_path: Path) -> None:
    order = [(BLACK, WHITE), (WHITE, BLACK)]
    pictures = [indexed(blob(n) ^ (n % 2 == 1), *order[n % 2]) for n in range(4)]
    convention, notes, read = find_in_files(tmp_path, pictures)
    assert convention.reading == "colours" and "palettes differ" in notes[0]
    assert all(np.array_equal(read(n), blob(n)) for n in range(4))


@pytest.mark.parametrize("void", [False, True])
def test_a_palette_shared_by_all_files_with_black_first_numbers_classes(tmp_path: Path, void: bool) -> None:
    masks = [mask.copy() for mask in LABELS]
    for mask in masks if void else []:
        mask[:2] = 255
    pictures = [indexed(mask, BLACK, RED, GREEN, *[(9, 9, 9)] * 252, (224, 224, 192)) for mask in masks]
    options = {} if void else {"classes": (0, 1, 2)}
    convention, _, read = find_in_files(tmp_path, pictures, **options)
    assert convention.values == (0, 1, 2) and convention.reading == "stored"
    assert all(np.array_equal(read(n), masks[n]) for n in range(4))


def test_organs_of_quantised_palettes_are_not_background(tmp_path: Path) -> None:
    """An editor sorts colours by how often they occur: an organ may be index 0."""
    colours = np.array([BLACK, RED, GREEN], np.uint8)
    orders = [(1, 0, 2), (0, 1, 2), (2, 1, 0), (0, 2, 1)]
    pictures = [
        indexed(np.argsort(order)[mask], *colours[[*order]]) for mask, order in zip(LABELS, orders, strict=True)
    ]
    convention, _, read = find_in_files(tmp_path, pictures)
    assert convention.kind == "colours" and convention.class_names == ("background", "#00b400", "#c80000")
    assert all(np.array_equal(np.array([0, 2, 1])[LABELS[n]], read(n)) for n in range(4))


def test_grey_palettes_and_files_of_other_kinds_are_one_data_set(tmp_path: Path) -> None:
    shape = [np.uint8(255) * blob(n) for n in range(4)]
    pictures = [
        indexed(blob(0), BLACK, WHITE),
        Image.fromarray(shape[1]),
        Image.fromarray(np.dstack([shape[2]] * 3)),
        indexed(shape[3], *[(n, n, n) for n in range(256)]),
    ]
    convention, _, read = find_in_files(tmp_path, pictures)
    assert convention.values == (0, 255)
    assert all(np.array_equal(read(n), blob(n)) for n in range(4))


def test_indices_are_classes_where_the_user_sets_them(tmp_path: Path) -> None:
    pictures = [indexed(mask, GREEN, RED, BLACK) for mask in LABELS]
    convention, notes, read = find_in_files(tmp_path, pictures, classes=(0, 1, 2))
    assert convention.reading == "stored" and "--classes names these" in notes[0]
    assert np.array_equal(read(1), LABELS[1])


def test_a_palette_that_was_never_filled_in_does_not_hide_its_classes(tmp_path: Path) -> None:
    _, _, read = find_in_files(tmp_path, [indexed(blob(n), BLACK, BLACK) for n in range(3)])
    assert np.array_equal(read(2), blob(2))


def test_a_palette_in_colour_beside_the_same_numbers_in_grey_shows_what_these_mean(tmp_path: Path) -> None:
    in_pieces = [np.where(disc(80, 84, 8), 1, labels).astype(np.uint8) for labels in LABELS]
    grey = [Image.fromarray(labels) for labels in in_pieces[:2]]
    pictures = [*grey, *(indexed(labels, BLACK, RED, GREEN) for labels in in_pieces[2:])]
    convention, _, read = find_in_files(tmp_path, pictures)
    assert convention.values == (0, 1, 2) and all(np.array_equal(read(n), in_pieces[n]) for n in range(4))


def test_a_picture_cut_out_on_transparent_marks_its_object(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photo = [Image.fromarray(rng.integers(60, 200, (SIDE, SIDE, 3), np.uint8)) for _ in range(3)]
    for n, picture in enumerate(photo):
        picture.putalpha(Image.fromarray(np.uint8(255) * blob(n)))
    _, notes, read = find_in_files(tmp_path, photo)
    assert "what is opaque is foreground" in notes[0] and all(np.array_equal(read(n), blob(n)) for n in range(3))


def test_four_channels_of_a_class_each_are_no_drawing_on_transparent(tmp_path: Path) -> None:
    three = [np.where(disc(70, 20, 9), 3, labels) for labels in LABELS]
    pictures = [Image.fromarray(np.dstack([np.uint8(255) * (one == n) for n in range(4)])) for one in three]
    with pytest.raises(InputError, match=r"shows one colour \(#000000\).*\(#0000ff,#00ff00,#ff0000\).*-threshold 128"):
        find_in_files(tmp_path, pictures)
    convention, _, _ = find_in_files(tmp_path, pictures, threshold=128)
    masks = [summarise_file(path) for path in tmp_path.iterdir()]
    assert convention.reading == "alpha" and fit_convention(convention, masks, {}, of_run=True) == (convention, [])


@pytest.mark.parametrize("colour", [WHITE, RED, BLACK])
def test_a_shape_drawn_on_transparent_is_found(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    shapes = [blob(n) for n in range(3)] + [np.zeros((SIDE, SIDE), np.bool_)]
    convention, notes, read = find_in_files(tmp_path, [drawn(shape, colour) for shape in shapes])
    assert convention.reading == "alpha" and "on transparent" in notes[0]
    assert all(np.array_equal(read(n), shape) for n, shape in enumerate(shapes))


def test_soft_transparency_is_cut_half_way(tmp_path: Path) -> None:
    pictures = [drawn(blob(n), RED).resize((48, 48), Image.Resampling.BOX) for n in range(3)]
    convention, notes, read = find_in_files(tmp_path, pictures)
    assert (convention.kind, convention.threshold) == ("threshold", 128) and "soft edges" in notes[1]
    assert (read(0) == blob(0)[::2, ::2]).mean() > 0.97


def test_colours_beside_transparent_are_classes(tmp_path: Path) -> None:
    def picture(mask: Array) -> Image.Image:
        shown = Image.fromarray(np.array([WHITE, RED, GREEN], np.uint8)[mask])
        shown.putalpha(Image.fromarray(np.uint8(255) * (mask > 0)))
        return shown

    convention, notes, read = find_in_files(tmp_path, [picture(mask) for mask in LABELS])
    assert convention.reading == "visible" and "these are background" in notes[0]
    assert all(np.array_equal(np.array([0, 2, 1])[LABELS[n]], read(n)) for n in range(4))


def test_black_that_is_seen_beside_transparent_is_refused(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([WHITE, RED, BLACK], np.uint8)[LABELS[0]])
    picture.putalpha(Image.fromarray(np.uint8(255) * (LABELS[0] > 0)))
    with pytest.raises(
        InputError, match=r"0\.png shows black beside transparent .*save the masks without transparency"
    ):
        find_in_files(tmp_path, [picture])


def test_transparency_that_is_the_same_everywhere_is_left_out(tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.uint8(255) * blob(n)).convert("RGBA") for n in range(3)]
    convention, notes, read = find_in_files(tmp_path, pictures)
    assert convention.reading == "stored" and not notes
    assert np.array_equal(read(1), blob(1))


def test_indices_scattered_over_a_palette_are_read_by_their_colours(tmp_path: Path) -> None:
    colours = {0: (0, 0, 0), 15: (255, 0, 0), 40: (0, 255, 0), 190: (0, 0, 255)}
    table = [channel for index in range(256) for channel in colours.get(index, (index, 7, 9))]
    pictures = []
    for number in range(4):
        mask = np.zeros((40, 40), np.uint8)
        for place, index in enumerate((15, 40, 190)):
            mask[5 + number : 15 + number, 2 + 12 * place : 12 + 12 * place] = index
        picture = Image.fromarray(mask, "P")
        picture.putpalette(table)
        pictures.append(picture)
    convention, _, _ = find_in_files(tmp_path, pictures)
    assert (convention.kind, convention.reading) == ("colours", "colours")
