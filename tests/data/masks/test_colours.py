"""Colours of masks, and which of them is the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, cells, disc, find, find_in_scenes, organs

from amsunet.data.images import Array
from amsunet.errors import InputError

P = Path("m.png")
RED, GREEN, BLACK, WHITE = 0xFF0000, 0x00C800, 0, 0xFFFFFF
LABELS = [np.where(disc(30, 30 + 5 * n, 12), 1, np.where(disc(66, 60, 14), 2, 0)) for n in range(4)]


def _painted(*colours: int) -> list[Array]:
    table = np.array([(colour >> 16, colour >> 8 & 255, colour & 255) for colour in colours], np.uint8)
    return [table[labels] for labels in LABELS]


def test_black_is_the_background() -> None:
    convention, notes = find(_painted(BLACK, RED, GREEN))
    assert convention.values == (BLACK, GREEN, RED)
    assert notes == ["each colour is taken as a class (set --instances if objects have their own)"]


def test_without_black_the_most_frequent_colour_is_the_background_with_a_note() -> None:
    masks = _painted(WHITE, RED, GREEN)
    convention, notes = find(masks)
    assert convention.values[0] == WHITE and "#ffffff is taken as background" in notes[0]
    assert np.array_equal(convention.decode(masks[0], P) == 0, LABELS[0] == 0)


def test_black_on_white_is_refused_and_both_readings_can_be_set() -> None:
    masks = _painted(WHITE, BLACK, RED)
    with pytest.raises(InputError, match=r"--classes '#ffffff,#000000,#ff0000' .*--classes '#000000,#ff0000,#ffffff'"):
        find(masks)
    convention, _ = find(masks, classes=(WHITE, BLACK, RED), colours=True)
    assert np.array_equal(convention.decode(masks[2], P), LABELS[2])


@pytest.mark.parametrize("ground", [BLACK, WHITE])
def test_some_inverted_colours_are_refused_with_one_of_each(ground: int) -> None:
    labels = [disc(30 + 5 * n, 40, 14) ^ (n % 2 == 1) for n in range(4)]
    masks = [np.array([(ground >> 16,) * 3, (255, 0, 0)], np.uint8)[label.astype(int)] for label in labels]
    with pytest.raises(InputError, match=r"is bright around and dark within \(2 of 4 masks are\).*set --classes '#"):
        find(masks)


def test_masks_on_black_beside_masks_on_white_are_refused() -> None:
    masks = [*_painted(BLACK, RED, GREEN)[:2], *_painted(WHITE, RED, GREEN)[2:]]
    with pytest.raises(InputError, match=r"is #ffffff around \(2 of 4 .*#000000, and no mask holds both"):
        find(masks)


def test_an_empty_mask_on_white_has_no_foreground() -> None:
    convention, _ = find([*_painted(WHITE, RED, GREEN), np.full((SIDE, SIDE), 255, np.uint8)])
    assert not convention.is_foreground(255) and convention.is_foreground(RED, colour=True)


def test_colours_of_which_each_is_in_one_mask_are_refused() -> None:
    table = np.random.default_rng(0).integers(40, 256, (4, 3, 3)).astype(np.uint8) * (np.arange(3) > 0)[:, None]
    with pytest.raises(InputError, match=r"8 colours that look like those of objects: set --instances"):
        find([colours[labels].astype(np.uint8) for colours, labels in zip(table, LABELS, strict=True)])


def test_numbers_beside_colours_are_refused() -> None:
    with pytest.raises(InputError, match=r"holds the numbers 0,1,2, .*#00c800,#ff0000.*: save all masks alike"):
        find([*_painted(BLACK, RED, GREEN), LABELS[0].astype(np.uint8)])


@pytest.mark.parametrize("width", [1, 2])
def test_outlines_in_another_colour_are_refused(width: int) -> None:
    around = [disc(30, 30 + 5 * n, 12 + width) & (labels != 1) for n, labels in enumerate(LABELS)]
    masks = [np.where(rim[..., None], 255, mask) for rim, mask in zip(around, _painted(BLACK, RED, GREEN), strict=True)]
    with pytest.raises(InputError, match=r"#ffffff is drawn in thin lines .*set --classes '#000000,#00c800,#ff0000"):
        find([mask.astype(np.uint8) for mask in masks])


def test_thin_vessels_of_two_colours_are_classes() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    table = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
    veins = [(2 * rows + columns + shift) % 50 < 2 for shift in (0, 9)]
    vessels = [np.where((rows - columns) % 40 < 2, 1, np.where(vein, 2, 0)) for vein in veins]
    assert find([table[one] for one in vessels])[0].values == (BLACK, 0xFF, RED)


def test_object_colours_are_foreground_where_the_user_sets_it() -> None:
    rng = np.random.default_rng(0)
    table = np.concatenate([[(0, 0, 0)], rng.integers(20, 256, (40, 3))]).astype(np.uint8)
    numbers = np.kron(np.arange(1, 37).reshape(6, 6), np.pad(np.ones((12, 12), int), 2))
    with pytest.raises(InputError, match=r"37 shades.*--instances"):
        find([table[numbers]])
    convention, _ = find([table[numbers]], instances=True)
    assert np.array_equal(convention.decode(table[numbers], P), numbers > 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": (0, 1)}, "set --classes with colours"),
        ({"ignore_value": 255}, "--ignore-value has no meaning"),
        ({"classes": (RED, RED), "colours": True}, "each colour once"),
    ],
)
def test_options_that_do_not_fit_colours_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find(_painted(BLACK, RED, GREEN), **options)


def test_colours_cannot_be_set_for_grey_masks() -> None:
    with pytest.raises(InputError, match="are grey: set --classes with their values"):
        find([np.uint8(255) * disc(40, 40, 9)], classes=(0, RED), colours=True)


def test_one_colour_everywhere_is_refused() -> None:
    with pytest.raises(InputError, match=r"hold one colour \(#ff0000\) in every pixel"):
        find([np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8)] * 3)


def test_a_stray_pixel_is_no_class() -> None:
    masks = _painted(BLACK, RED, GREEN)
    masks[2][3, 3] = (255, 255, 0)
    with pytest.raises(InputError, match=r"holds the value #ffff00 in 1 pixels, as do 1 of 4 masks: fix it, or set"):
        find(masks)


@pytest.mark.parametrize("near", [0xFE0000, 0xFF0408])
def test_colours_that_differ_a_little_from_file_to_file_are_refused(near: int) -> None:
    masks = [*_painted(BLACK, RED, RED), *_painted(BLACK, near, near)]
    with pytest.raises(InputError, match=r"as if one was changed a little: .*--mask-threshold 128 if both .*--classes"):
        find(masks)
    assert find(masks, threshold=128.0)[0].kind == "threshold"


def test_white_in_some_files_and_red_in_others_is_refused() -> None:
    masks = [*_painted(BLACK, RED, RED), *_painted(BLACK, WHITE, WHITE)]
    with pytest.raises(InputError, match=r"--mask-threshold 128 if both are one foreground, or --classes '#000000,#ff"):
        find(masks)


def test_what_covers_most_but_lies_within_is_no_sure_background() -> None:
    masks = [np.where(disc(48, 48, 42)[..., None], np.uint8([0, 200, 0]), np.uint8([255, 0, 0])) for _ in range(4)]
    with pytest.raises(InputError, match=r"covers most, but #ff0000 lies around: set --classes '#00c800,#ff0000' if"):
        find(masks)


@pytest.mark.parametrize("table", [lambda k: (k, 0, 0), lambda k: (k * 37 % 256, k * 91 % 256, k * 53 % 256)])
def test_colours_of_objects_are_refused(table: Callable[[int], tuple[int, int, int]]) -> None:
    colours = np.array([table(number) if number else (0, 0, 0) for number in range(12)], np.uint8)
    rng = np.random.default_rng(0)
    scenes = [cells(rng, 4 + number % 4) for number in range(10)]
    painted = [(image, colours[mask]) for image, mask in scenes]
    with pytest.raises(InputError, match=r"hold 7 colours that look like those of objects: set --instances if each"):
        find_in_scenes(painted)
    classes = [(image, colours[mask]) for image, mask in (organs(rng) for _ in range(10))]
    assert find_in_scenes(classes)[0].num_classes == 4


def test_a_stray_pixel_of_nearly_black_is_refused() -> None:
    masks = _painted(BLACK, RED, GREEN)
    masks[2][3, 3] = (1, 1, 1)
    with pytest.raises(InputError, match=r"holds the value #010101 in 1 pixels"):
        find(masks)


@pytest.mark.parametrize("apart", [False, True])
def test_a_colour_that_is_the_sum_of_two_others_and_lies_between_them_is_refused(apart: bool) -> None:
    red, green = np.array([255, 0, 0], np.uint8), np.array([0, 255, 0], np.uint8)
    masks = []
    for shift in range(5):
        mask = disc(40, 40 + shift, 18)[..., None] * red + disc(52, 60, 16 if not apart else 3)[..., None] * green
        if apart:
            mask[80:90, 10:30] = red + green
            mask = mask if shift % 2 else np.where((mask == red + green).all(axis=2)[..., None], mask, np.uint8(0))
        masks.append(mask)
    if not apart:
        with pytest.raises(
            InputError, match=r"#ffff00 is #00ff00 and #ff0000 together, and lies between .* folder .* or set --classes"
        ):
            find(masks)
        convention, notes = find(masks, classes=(0, 0x00FF00, 0xFF0000, 0xFFFF00), colours=True)
    else:
        convention, notes = find(masks)
    assert convention.values == (0, 0x00FF00, 0xFF0000, 0xFFFF00)
    assert not any("together" in note for note in notes)


def test_a_sum_of_two_colours_that_lies_between_them_and_beside_is_noted() -> None:
    """Half of it borders on the background: both readings are likely, and the one that is taken is said."""
    red, green = np.array([255, 0, 0], np.uint8), np.array([0, 255, 0], np.uint8)
    masks = []
    for shift in range(5):
        mask = disc(40, 40 + shift, 18)[..., None] * red + disc(52, 60, 16)[..., None] * green
        mask[60:64, 95:120] = red + green
        masks.append(mask)
    convention, notes = find(masks)
    assert 0xFFFF00 in convention.values and "it is taken as a separate class" in notes[-1]
    sure = [np.where((mask == 0).all(axis=2)[..., None], np.array([0, 0, 255], np.uint8), mask) for mask in masks]
    assert find(sure)[0].values[0] == 0x0000FF, "no black: the sum lies between nothing"
