"""Class numbers are distinguished from object numbers, on many made data sets of each kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, Scene, cells, disc, find_in_scenes, organs, picture, summarise_file, wells
from scipy import ndimage

from amsunet.data.discovery.layout import find_samples
from amsunet.data.images import Array, read_image
from amsunet.data.masks.numbers import classify_numbers
from amsunet.data.masks.summary import MaskSummary, summarise_mask
from amsunet.errors import InputError

SETS = ((1, 2, 3), (1, 2, 3), (1, 2), (2, 3), (1, 2, 3), (1, 3), (3,), (2,))
Make = Callable[[np.random.Generator, int], Scene]


def _verdicts(make: Make, count: int, repeats: int = 12) -> list[str]:
    found = []
    for repeat in range(repeats):
        rng = np.random.default_rng(100 * count + repeat)
        scenes = [make(rng, number) for number in range(count)]
        found.append(classify_numbers([summarise_mask(mask, Path("m.png"), image) for image, mask in scenes]).kind)
    return found


def _lungs(rng: np.random.Generator, number: int) -> Scene:
    rows, columns = np.indices((SIDE, SIDE))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for side, middle in ((1, 28), (2, 68)):
        high, wide = rng.integers(24, 32), rng.integers(11, 15)
        mask[((rows - 48 - rng.integers(-4, 5)) / high) ** 2 + ((columns - middle) / wide) ** 2 < 1] = side
    return picture(rng, 150 - 80.0 * (mask > 0)), mask


def _cup_in_disc(rng: np.random.Generator, number: int) -> Scene:
    row, column = rng.integers(30, 66, 2)
    mask = np.where(disc(row, column, 9), 2, np.where(disc(row, column, 20), 1, 0)).astype(np.uint8)
    return picture(rng, np.full(mask.shape, 100.0)), mask


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda rng, n: organs(rng, SETS[n % len(SETS)]), 8),
        (lambda rng, n: organs(rng, SETS[n % len(SETS)]), 24),
        (lambda rng, n: organs(rng), 2),
        (lambda rng, n: organs(rng, [(1, 2, 3), (1, 2)][n % 2]), 4),
        (lambda rng, n: organs(rng, SETS[n % len(SETS)], alike=True), 24),
        (_cup_in_disc, 2),
    ],
    ids=["absent at times", "many", "all", "the last absent", "of one brightness", "cup in disc"],
)
def test_what_keeps_its_brightness_or_place_is_a_class(make: Make, count: int) -> None:
    assert set(_verdicts(make, count)) == {"classes"}


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda rng, n: cells(rng, rng.integers(3, 9)), 10),
        (lambda rng, n: cells(rng, 4), 10),
        (lambda rng, n: cells(rng, 6, light=0.6), 10),
        (lambda rng, n: cells(rng, 5 + n), 3),
    ],
    ids=["some", "as many in all", "in light that falls off", "in three images"],
)
def test_what_keeps_neither_is_an_object(make: Make, count: int) -> None:
    assert set(_verdicts(make, count)) == {"objects"}


@pytest.mark.parametrize("count", [2, 3, 5, 10])
@pytest.mark.parametrize(
    ("make", "never"),
    [
        (lambda rng, n: organs(rng, SETS[n % len(SETS)]), "objects"),
        (lambda rng, n: organs(rng, SETS[n % len(SETS)], alike=True), "objects"),
        (_lungs, "objects"),
        (lambda rng, n: wells(rng), "classes"),
        (lambda rng, n: wells(rng), "objects"),
        (lambda rng, n: cells(rng, 2), "classes"),
        (lambda rng, n: cells(rng, 4), "classes"),
        (lambda rng, n: cells(rng, rng.integers(2, 9), light=0.6), "classes"),
    ],
    ids=["organs", "alike", "lungs", "wells (classes)", "wells (objects)", "two", "four", "light"],
)
def test_of_few_images_nothing_wrong_is_believed(make: Make, never: str, count: int) -> None:
    assert never not in _verdicts(make, count)


def test_what_is_open_is_refused_with_both_options_filled_in() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"0\.png: .* 0, 1, 2, 3, 4, .*set --classes 0,1,2,3,4 or --instances"):
        find_in_scenes([wells(rng), wells(rng)])


def test_a_decision_is_noted_with_its_reason_and_the_other_setting() -> None:
    rng = np.random.default_rng(0)
    convention, notes = find_in_scenes([organs(rng) for _ in range(3)])
    assert convention.values == (0, 1, 2, 3) and "its own brightness (set --instances" in notes[0]
    convention, notes = find_in_scenes([cells(rng, 4 + n) for n in range(4)])
    assert convention.kind == "instances" and "object numbers (up to 7" in notes[0] and "set --classes" in notes[0]


def test_one_number_a_mask_is_the_class_of_the_image() -> None:
    rng = np.random.default_rng(0)
    scenes = [(image, mask * np.uint8(1 + n % 2)) for n in range(4) for image, mask in [organs(rng, (1,))]]
    convention, notes = find_in_scenes(scenes)
    assert convention.values == (0, 1, 2) and "each mask holds one" in notes[0]


def test_organs_of_a_stray_pixel_are_not_objects() -> None:
    rng = np.random.default_rng(0)
    scenes = [organs(rng) for _ in range(6)]
    scenes[4][1][3, 3] = 4
    with pytest.raises(InputError, match=r"4\.png holds the value 4 in 1 pixels, .*--classes 0,1,2,3 --ignore-value 4"):
        find_in_scenes(scenes)
    convention, _ = find_in_scenes(scenes, classes=(0, 1, 2, 3), ignore_value=4)
    assert (convention.decode(scenes[4][1], Path("m.png")) == 255).sum() == 1


@cache
def _summary(mask: Path, image: Path) -> MaskSummary:
    return summarise_file(mask, read_image(image))


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_published_labels_are_understood_in_any_selection(count: int, shared: Callable[[str], Path]) -> None:
    glands = sorted((shared("GlaS") / "train" / "images").iterdir())[:20]
    nuclei = sorted((shared("DSB2018-instances") / "labels").iterdir())[::40]
    pairs = {
        "glands": [(path, path.parents[1] / "masks" / f"{path.stem}_anno.png") for path in glands],
        "nuclei": [(shared("DSB2018") / "images" / path.name, path) for path in nuclei],
    }
    for name, chosen in pairs.items():
        masks = [_summary(mask, image) for image, mask in chosen]
        for repeat in range(8):
            some = np.random.default_rng(repeat).choice(len(masks), count, replace=False)
            verdict = classify_numbers([masks[number] for number in some]).kind
            assert verdict == "objects" or (verdict == "open" and count == 2), name


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
def test_tissues_of_the_sample_are_classes_in_any_selection(count: int) -> None:
    import amsunet

    samples = find_samples(Path(amsunet.__file__).parent / "data" / "samples" / "brain").samples
    masks = [_summary(sample.masks[""], sample.image) for sample in samples]
    for repeat in range(8):
        some = np.random.default_rng(repeat).choice(len(masks), count, replace=False)
        assert classify_numbers([masks[number] for number in some]).kind == "classes"


def test_numbers_without_a_background_are_left_open() -> None:
    mask: Array = np.repeat(np.array([1, 2, 3], np.uint8), 12)[None].repeat(20, axis=0)
    assert classify_numbers([summarise_mask(mask, Path("m.png"))]).kind == "open"


def test_numbers_counted_over_the_data_set_are_objects() -> None:
    rng = np.random.default_rng(0)
    scenes = [cells(rng, 5 + n) for n in range(6)]
    counted = [
        (image, np.where(mask > 0, mask + np.int32(100_000 * n + 70_000), 0)) for n, (image, mask) in enumerate(scenes)
    ]
    assert find_in_scenes(counted)[0].kind == "instances"


def test_one_object_an_image_numbered_over_the_data_set_is_no_class() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="--classes 0,1,2,3 or --instances"):
        find_in_scenes([(image, mask * np.uint8(1 + n)) for n in range(3) for image, mask in [cells(rng, 1)]])


def _many(rng: np.random.Generator, number: int) -> Scene:
    return cells(rng, 4 + number % 5)


def _with_specks(rng: np.random.Generator, number: int) -> Scene:
    image, mask = _many(rng, number)
    for row, column in rng.integers(2, SIDE - 2, (6, 2)):
        mask[row, column] = rng.integers(1, mask.max() + 1)
    return image, mask


def _scratched(rng: np.random.Generator, number: int) -> Scene:
    image, mask = _many(rng, number)
    for place in (24, 48, 72):
        mask[place + number % 3] = mask[:, place] = 0
    return image, mask


def _rods(rng: np.random.Generator, number: int) -> Scene:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for rod in range(1, 5 + number % 3):
        place = rng.integers(10, SIDE - 18)
        (mask if rod % 2 else mask.T)[place : place + 6, 4:-4] = rod
    return picture(rng, 60 + 110 * (mask > 0)), mask


def _rimmed(rng: np.random.Generator, number: int) -> Scene:
    image, mask = cells(rng, 3 + number % 4)
    mask[ndimage.binary_dilation(mask > 0) & (mask == 0)] = 255
    return image, mask


@pytest.mark.parametrize("make", [_with_specks, _scratched, _rods, _rimmed])
def test_objects_cut_or_rimmed_or_with_specks_are_never_classes(make: Make) -> None:
    verdicts = _verdicts(make, 12) if make is not _rimmed else _rim_verdicts()
    assert "classes" not in verdicts
    if make in (_with_specks, _rimmed):
        assert set(verdicts) == {"objects"}


def _rim_verdicts() -> list[str]:
    verdicts = []
    for repeat in range(6):
        rng = np.random.default_rng(repeat)
        convention, notes = find_in_scenes([_rimmed(rng, number) for number in range(12)])
        assert convention.ignore_value == 255 and "'ignore'" in notes[-1]
        verdicts.append("objects" if convention.kind == "instances" else "classes")
    return verdicts


def _lanes(rng: np.random.Generator, number: int) -> Scene:
    """Six wells in two rows, one of them empty."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for well in set(range(6)) - {number % 6}:
        place = np.array([24 + 48 * (well // 3), 16 + 32 * (well % 3)]) + rng.integers(-2, 3, 2)
        mask[disc(*place, rng.integers(8, 11))] = well + 1
    return picture(rng, 60 + 110 * (mask > 0)), mask


def _under_a_lamp(rng: np.random.Generator, number: int) -> Scene:
    _, mask = _lanes(rng, number)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    light = 1 - 0.8 * ((columns - 0.2) ** 2 + (rows - 0.4) ** 2)
    return picture(rng, (60 + 110 * (mask > 0)) * light), mask


@pytest.mark.parametrize("make", [_lanes, _under_a_lamp])
def test_what_stands_in_a_grid_is_left_open(make: Make) -> None:
    assert set(_verdicts(make, 12, 6)) == {"open"}


def test_objects_numbered_from_the_darkest_on_are_no_classes() -> None:
    def make(rng: np.random.Generator, number: int) -> Scene:
        _, mask = _many(rng, number)
        order = np.concatenate([[0], 1 + rng.permutation(int(mask.max()))])
        return picture(rng, np.where(order[mask] > 0, 90 + 20 * order[mask], 50)), order[mask].astype(np.uint8)

    assert "classes" not in _verdicts(make, 12)


def _sorted_by_brightness(rng: np.random.Generator, number: int) -> Scene:
    """Five cells anywhere, numbered from the darkest on."""
    _, mask = cells(rng, 5)
    return picture(rng, np.array([60, 85, 110, 135, 160, 185])[mask]), mask


def _nuclei_in_cells(rng: np.random.Generator, count: int, *, apart: bool) -> Scene:
    """Cells and their nuclei, numbered through: as 1, 2 and 3, 4, or ``apart`` as 1, 2 and then 3, 4."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    places: list[Array] = []
    while len(places) < count:
        place = rng.integers(14, SIDE - 14, 2)
        if all(np.hypot(*(place - other)) > 24 for other in places):
            places.append(place)
    for rank, place in enumerate(places):
        mask[disc(*place, 11)] = rank + 1 if apart else 2 * rank + 1
        mask[disc(*place, 5)] = rank + 1 + count if apart else 2 * rank + 2
    nucleus = (mask > count) if apart else (mask > 0) & (mask % 2 == 0)
    return picture(rng, 40 + 60 * (mask > 0) + 80 * nucleus), mask


@pytest.mark.parametrize("count", [3, 8])
def test_objects_numbered_from_the_darkest_on_are_not_taken_as_classes(count: int) -> None:
    assert "classes" not in _verdicts(_sorted_by_brightness, count)


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("cells_of", [lambda n: 3, lambda n: 3 + n % 3], ids=["as many", "more or fewer"])
@pytest.mark.parametrize("apart", [False, True], ids=["in turn", "cells first"])
def test_nuclei_numbered_within_numbered_cells_are_not_taken_as_classes(
    count: int, cells_of: Callable[[int], int], apart: bool
) -> None:
    found = _verdicts(lambda rng, number: _nuclei_in_cells(rng, cells_of(number), apart=apart), count)
    assert set(found) == {"open"}


def test_many_organs_in_crops_of_an_atlas_are_no_objects() -> None:
    rng = np.random.default_rng(0)
    tiles = np.kron(np.arange(1, 31).reshape(5, 6), np.pad(np.ones((16, 16), int), 2))
    crops = [tiles[row : row + 60, column : column + 60] for row, column in rng.integers(0, 40, (16, 2))]
    with pytest.raises(InputError, match=r"may be classes or objects: set --instances, or --classes with all 26"):
        find_in_scenes([(picture(rng, np.where(crop, 60 + 6 * crop, 40)), crop.astype(np.uint8)) for crop in crops])
