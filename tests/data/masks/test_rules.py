"""The rules by which the meaning of masks is found, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, blob, disc, find

from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX, MaskOptions
from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.rules import absent_classes
from amsunet.data.masks.summary import MaskSummary, summarise_mask
from amsunet.errors import InputError

P = Path("m.png")
WHITE = [np.uint8(255) * blob(n) for n in range(4)]


def _thirds(values: list[int], dtype: type = np.uint8) -> Array:
    return np.repeat(np.array(values, dtype), 12)[None].repeat(20, axis=0)


def test_two_values_are_background_and_foreground() -> None:
    for top in (1, 128, 254, 255, 65535):
        convention, notes = find([np.uint16(top) * blob(n) for n in range(3)])
        assert (convention.values, notes) == ((0, top), [])


def test_255_beside_small_numbers_is_ignored_with_a_note() -> None:
    mask = _thirds([0, 1, 2, 255])
    convention, notes = find([mask])
    assert (convention.values, convention.ignore_value) == ((0, 1, 2), 255)
    assert "'ignore'" in notes[0] and "--classes" in notes[0]
    assert np.array_equal(convention.decode(mask, P) == IGNORE_INDEX, mask == 255)


@pytest.mark.parametrize(("classes", "wrong"), [((0, -1), "-1"), ((0, 70000), "70000"), ((0, 3, 3), "3")])
def test_classes_that_no_mask_can_hold_are_refused(classes: tuple[int, ...], wrong: str) -> None:
    with pytest.raises(InputError, match=f"no class can have the value {wrong}: set --classes"):
        find([_thirds([0, 1])], classes=classes)


def test_a_negative_value_is_not_offered_as_a_class() -> None:
    masks = [_thirds([-1, 0, 1], np.int32)]
    with pytest.raises(InputError, match=r"m\.png holds the value -1, .*: set --ignore-value=-1 if"):
        find(masks)
    assert find(masks, ignore_value=-1)[0].values == (0, 1)


@pytest.mark.parametrize(
    "options",
    [{"classes": (0, 1), "threshold": 9}, {"instances": True, "threshold": 9}, {"classes": (0, 1), "instances": True}],
)
def test_masks_cannot_be_two_things_at_once(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="are both set, but masks are one or the other"):
        find([_thirds([0, 1, 1])], **options)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([_thirds([0, 0])], r"all other masks are empty"),
        ([_thirds([255, 255])], r"hold the value 255 in every pixel"),
        ([_thirds([0, 1000, 40000], np.uint16)], r"0, 1000, 40000, which may be classes or objects: set --classes"),
        ([_thirds([1, 2, 3])], r"which of them is the background .*--classes 1,2,3"),
        ([_thirds([1, 2])], r"set --classes 1,2 or --classes 2,1, the background first"),
        (
            [_thirds([0, 1]), _thirds([0, 255])],
            r"marks foreground with 255 while other masks use 1: .*threshold 1 if both .*, or --ignore-value 255 if",
        ),
        ([np.uint8(255) - mask for mask in WHITE], r"--classes 255,0 if 255 is the background, or --classes 0,255 if"),
        ([np.float32(blob(0) * 0.25 + blob(1) * 0.5)], r"levels .*0, 0.25, 0.5, 0.75\).*--mask-threshold 0.375"),
    ],
    ids=["empty", "full", "16 bit", "no zero", "two and no zero", "0/1 and 0/255", "white around", "fractions"],
)
def test_what_would_be_a_guess_is_refused(masks: list[Array], message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        find(masks)
    assert "m.png" in str(refusal.value)


def test_settings_for_white_surroundings_are_followed() -> None:
    masks = [np.uint8(255) - mask for mask in WHITE]
    assert np.array_equal(find(masks, classes=(255, 0))[0].decode(masks[1], P), blob(1))
    assert np.array_equal(find(masks, classes=(0, 255))[0].decode(masks[1], P), ~blob(1))


def test_a_few_masks_that_fill_their_image_are_no_surroundings() -> None:
    assert find([*WHITE, np.full((SIDE, SIDE), 255, np.uint8)])[0].values == (0, 255)


def test_specks_beside_white_are_no_classes() -> None:
    masks = [mask.copy() for mask in WHITE]
    for mask in masks:
        mask[5:90:9, 3] = 1
    with pytest.raises(
        InputError, match=r"holds 1 in specks .*--mask-threshold 128 if 255 is the object, or --classes 0,1"
    ):
        find(masks)


def test_advice_is_not_drawn_from_a_few_odd_masks() -> None:
    masks = [np.where(blob(n), 100, np.where(disc(8, 80, 6), 200, 0)).astype(np.uint8) for n in range(12)]
    masks[7][:8, :8] = 7
    with pytest.raises(InputError, match=r"set --classes 0,100,200 \(1 of 12 masks hold others: fix these\)"):
        find(masks)


def test_a_class_that_no_mask_holds_is_noted() -> None:
    masks = [_thirds([0, 1, 2])]
    convention, _ = find(masks, classes=(0, 1, 2, 7), class_names=("a", "b", "c"))
    assert absent_classes(_summaries(masks), convention) == [
        "no mask holds 7 (c): this class cannot be learned or evaluated"
    ]


def _summaries(masks: list[Array], name: str = "m.png") -> list[MaskSummary]:
    return [summarise_mask(mask, Path(name)) for mask in masks]


def test_class_folders_are_ordered_once_by_their_usual_size() -> None:
    cups = [np.uint8(255) * disc(48, 48, radius) for radius in (10, 40)]
    discs = [np.uint8(255) * disc(48, 48, 30) for _ in cups]
    folders = {"disc": _summaries(discs), "cup": _summaries(cups)}
    convention, notes = find_folder_convention(folders, MaskOptions())
    assert convention.order == (1, 2) or np.mean([cup.mean() for cup in cups]) > discs[0].mean()
    assert convention.folders == ("disc", "cup") and "in all images alike" in notes[0]


def test_soft_class_folders_are_cut_half_way_with_a_note() -> None:
    soft = [np.asarray(mask // 2 + np.roll(mask, 1, 1) // 2 + np.roll(mask, 2, 0) % 2, np.uint8) for mask in WHITE]
    soft = [np.minimum(mask.astype(int) * 255 // mask.max(), 255).astype(np.uint8) for mask in soft]
    convention, notes = find_folder_convention({"cell": _summaries(soft)}, MaskOptions())
    assert convention.threshold == 128 and "have soft edges" in notes[0]


def test_class_folders_leave_other_options_out() -> None:
    with pytest.raises(
        InputError, match="is a mask of one class, by its folder or name: leave --classes and --instances out"
    ):
        find_folder_convention({"cell": _summaries(WHITE)}, MaskOptions(instances=True))


def _bands(values: list[int], dtype: type = np.uint8) -> list[Array]:
    """Discs of all values but the first within it, in eight masks."""
    masks = []
    for number in range(8):
        mask = np.full((SIDE, SIDE), values[0], dtype)
        for place, value in enumerate(values[1:]):
            mask[disc(24 + number, 20 + 26 * place, 9)] = value
        masks.append(mask)
    return masks


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (_bands([3, 0, 1, 2]), r"are 3 around .*--classes 3,0,1,2 if 3 is the background, --classes 0,1,2,3 if 0 is"),
        (
            _bands([255, 0, 1]),
            r"--classes 255,0,1 if 255 .* or --classes 0,1 --ignore-value 255 if it is to",
        ),
        (_bands([255, 128, 0]), r"--classes 255,0,128 if 255 is the background"),
        (_bands([2, 1]), r"--classes 2,1 if 2 is the background, --classes 1,2 if 1 is"),
        ([_bands([0, 1, 2, 3])[0], *_bands([0, 255])], r"holds no class but 255, .*--ignore-value 255 if these"),
        (
            [*_bands([0, 255], np.uint16), *_bands([0, 65535], np.uint16)],
            r"with 65535 .*--mask-threshold 1 if both mark the object$",
        ),
        (_bands([0, -1], np.int16), r"no class can have one below 0: save the masks with 0 for the background and 1"),
        (_bands([-1000, 1], np.int16), r"set --mask-threshold 1 if 1 is the object and -1000 all around it"),
    ],
    ids=["3 around", "255 around", "REFUGE", "2 around", "255 alone", "two depths", "-1", "-1000 and 1"],
)
def test_an_odd_background_is_refused_with_advice_that_is_true(masks: list[Array], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find(masks)


def test_advice_on_an_odd_background_works_as_typed() -> None:
    masks = _bands([255, 128, 0])
    convention, notes = find(masks, classes=(255, 0, 128))
    assert np.array_equal(convention.decode(masks[0], P) == 0, masks[0] == 255) and notes == []
    assert "255 lies around" in find(masks, classes=(0, 128, 255))[1][0]
    masks = _bands([-1000, 1], np.int16)
    assert np.array_equal(find(masks, threshold=1.0)[0].decode(masks[0], P), masks[0] == 1)


@pytest.mark.parametrize("top", [4294967295, 65536, 1e6])
def test_two_values_beyond_those_of_classes_are_cut(top: float) -> None:
    masks = [np.asarray(blob(n) * top, np.float64 if top == 1e6 else np.uint32) for n in range(4)]
    convention, _ = find(masks)
    assert np.array_equal(convention.decode(masks[1], P), blob(1))


@pytest.mark.parametrize("radius", [5, 12, 30])
def test_inverted_masks_of_objects_at_the_border_are_refused(radius: int) -> None:
    masks = [np.uint8(255) * ~disc(number - 4, 30 + 4 * number, radius) for number in range(8)]
    with pytest.raises(InputError, match=r"255 around and 0 within: set --classes 255,0 if 255 is the background"):
        find(masks)


def test_large_objects_are_no_surroundings() -> None:
    for masks in (
        [disc(48, 48, 60 - n) for n in range(8)],
        [np.arange(SIDE)[:, None].repeat(SIDE, 1) > 20 + n for n in range(8)],
    ):
        assert find([np.uint8(255) * mask for mask in masks])[0].values == (0, 255)


def test_another_value_around_some_masks_is_refused_with_both_readings() -> None:
    masks = [np.where(disc(40, 40 + n, 12), 1, np.where(disc(70, 60, 9), 2, 255 * (n % 2))) for n in range(4)]
    with pytest.raises(
        InputError, match=r"is 255 around \(2 of .*--classes 0,1,2 --ignore-value 255 if .*0,1,2,255 if"
    ):
        find([mask.astype(np.uint8) for mask in masks])


@pytest.mark.parametrize("void", [99, 65535])
def test_a_value_far_above_class_numbers_may_be_one_to_ignore(void: int) -> None:
    mask = _thirds([0, 1, 2, void], np.uint16)
    with pytest.raises(
        InputError, match=f"--classes 0,1,2,{void} or --instances, or --classes 0,1,2 --ignore-value {void}"
    ):
        find([mask])


def test_rims_may_be_ignored() -> None:
    inner, outer = ([disc(40, 40 + n, radius) for n in range(4)] for radius in (12, 14))
    masks = [
        np.where(one, 255, np.where(other, 128, 0)).astype(np.uint8) for one, other in zip(inner, outer, strict=True)
    ]
    with pytest.raises(InputError, match=r"--classes 0,255 --ignore-value 128"):
        find(masks)


def test_a_frame_around_every_image_is_noticed() -> None:
    frame = np.pad(np.zeros((SIDE - 2, SIDE - 2), np.uint8), 1, constant_values=255)
    _, notes = find([np.maximum(mask, frame) for mask in WHITE])
    assert "marks the whole border of its image (4 of 4 masks do)" in notes[0]


def test_some_inverted_masks_are_refused_with_one_of_each() -> None:
    masks = [np.uint8(255) * (~blob(n) if n % 3 == 0 else blob(n)) for n in range(9)]
    with pytest.raises(InputError, match=r"3 of 9 masks are.* the other way round: .*--classes 0,255 if all are right"):
        find(masks)
    assert find(masks, classes=(0, 255))[0].values == (0, 255)
    few = [np.uint8(255) * (~blob(n) if n == 3 else blob(n)) for n in range(20)]
    assert "look whether some are inverted" in find(few)[1][0]


def test_all_stray_values_are_named_at_once() -> None:
    masks = _bands([0, 1, 2, 3]) * 3
    masks = [mask.copy() for mask in masks]
    masks[3][2, 2], masks[5][4, 4] = 7, 9
    with pytest.raises(InputError, match=r"one of the values 7,9 in stray pixels, as do 2 of 24 masks: fix them"):
        find(masks)


def test_more_numbers_than_classes_are_not_cut_off_in_the_advice() -> None:
    masks = [np.arange(25, dtype=np.uint8).repeat(4)[None].repeat(20, 0) for _ in range(3)]
    with pytest.raises(InputError, match=r"set --instances, or --classes with all 25 values$"):
        find(masks)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mixed", [False, True])
def test_white_beside_nearly_white_is_refused_with_both_readings(dtype: type, mixed: bool) -> None:
    """Neither classes nor objects are numbered so; half of one foreground may have been changed by a program."""
    white = np.iinfo(dtype).max
    masks = [dtype(white - (number % 2 and not mixed)) * blob(number).astype(dtype) for number in range(4)]
    if mixed:
        for mask in masks:
            mask[::2][mask[::2] > 0] = white - 1
    both = rf"holds {white - 1}, {white}" if mixed else rf"marks with {white - 1}, m\.png with {white}"
    cut = (white + 1) // 2
    with pytest.raises(
        InputError, match=rf"{both}, as if .* set --mask-threshold {cut} if .* or --classes 0,{white - 1},"
    ):
        find(masks)
    convention, _ = find(masks, threshold=cut)
    assert all(((convention.decode(mask, P) == 1) == (mask > 0)).all() for mask in masks)
    assert find(masks, classes=(0, white - 1, white))[0].values == (0, white - 1, white)
