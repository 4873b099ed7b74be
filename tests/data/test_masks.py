"""Mask conventions, found and followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from amsunet.data.images import Array
from amsunet.data.masks import IGNORED, MaskConvention, MaskOptions, find_convention, summarise_mask
from amsunet.errors import InputError

P = Path("m.png")


def _thirds(values: list[int], dtype: type = np.uint8) -> Array:
    return np.repeat(np.array(values, dtype), 12)[None].repeat(20, axis=0)


def _objects(count: int) -> Array:
    mask = np.zeros((60, 60), np.uint16)
    for number in range(count):
        row, column = divmod(number, 6)
        mask[row * 10 + 1 : row * 10 + 8, column * 10 + 1 : column * 10 + 8] = number + 1
    return mask


def _find(masks: list[Array], **options: object) -> tuple[MaskConvention, list[str]]:
    return find_convention([summarise_mask(mask, P) for mask in masks], MaskOptions(**options))


COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 200, 10)], np.uint8)
CONVENTIONS = {
    "0/1": (_thirds([0, 1]), {}, "values"),
    "0/255": (_thirds([0, 255]), {}, "values"),
    "0/128": (_thirds([0, 128]), {}, "values"),
    "indices": (_thirds([0, 1, 2, 3]), {}, "values"),
    "classes said": (_thirds([0, 100, 200]), {"classes": (0, 100, 200)}, "values"),
    "classes in another order": (_thirds([1, 2, 3]), {"classes": (2, 1, 3)}, "values"),
    "16 bit": (_thirds([0, 1000, 40000], np.uint16), {"classes": (0, 1000, 40000)}, "values"),
    "colours": (COLOURS[_thirds([0, 1, 2])], {}, "colours"),
    "objects": (_objects(30), {"instances": True}, "instances"),
    "threshold": (_thirds([0, 255]), {"threshold": 128}, "threshold"),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_mask_survives_decoding_and_encoding(name: str) -> None:
    mask, options, kind = CONVENTIONS[name]
    convention, _ = _find([mask], **options)
    assert convention.kind == kind
    assert np.array_equal(convention.encode(convention.decode(mask, P)), mask)
    assert MaskConvention.model_validate_json(convention.model_dump_json()) == convention


@pytest.mark.parametrize("threshold", [1, 128, 255, 300, 40000])
def test_what_a_threshold_encodes_it_decodes(threshold: int, disc: Callable[[int], Array]) -> None:
    convention, _ = _find([_thirds([0, 50_000], np.uint16)], threshold=threshold)
    labels = disc(0).astype(np.uint8)
    assert np.array_equal(convention.decode(convention.encode(labels), P), labels)


def test_255_beside_small_numbers_is_ignored_and_said() -> None:
    mask = _thirds([0, 1, 2, 255])
    convention, notes = _find([mask])
    assert (convention.values, convention.ignore_value) == ((0, 1, 2), 255)
    assert "'ignore'" in notes[0] and "--classes" in notes[0]
    assert np.array_equal(convention.decode(mask, P) == IGNORED, mask == 255)


@pytest.mark.parametrize("options", [{}, {"classes": (0, 1)}, {"instances": True}])
def test_an_ignore_value_that_is_said_is_ignored(options: dict[str, object]) -> None:
    mask = _thirds([0, 1, 7])
    convention, _ = _find([mask], ignore_value=7, **options)
    labels = convention.decode(mask, P)
    assert np.array_equal(labels == IGNORED, mask == 7)
    assert np.array_equal(labels[mask != 7], mask[mask != 7])


def test_object_numbers_are_noticed_and_said() -> None:
    convention, notes = _find([_objects(9), _objects(14), _objects(20)])
    assert convention.kind == "instances" and "object numbers" in notes[0]
    assert np.array_equal(convention.decode(_objects(9), P), _objects(9) != 0)


@pytest.mark.parametrize("count", [3, 30])
def test_encoded_objects_are_numbered_apart(count: int) -> None:
    convention, _ = _find([_objects(2)], instances=True)
    encoded = convention.encode((_objects(count) != 0).astype(np.uint8))
    assert len(np.unique(encoded)) == count + 1


def test_more_objects_than_a_mask_can_number_are_refused() -> None:
    convention, _ = _find([_objects(2)], instances=True)
    labels = np.zeros((514, 514), np.uint8)
    labels[::2, ::2] = 1
    with pytest.raises(InputError, match="66049 objects are more than a 16-bit mask can number"):
        convention.encode(labels)


def _soft(hard: Array) -> Array:
    return np.asarray(Image.fromarray(np.uint8(255) * hard).filter(ImageFilter.GaussianBlur(1.5)))


def test_soft_edges_are_refused_with_the_way_out_that_works(disc: Callable[[int], Array]) -> None:
    masks = [_soft(disc(0)), np.uint8(255) * disc(1), _soft(disc(2))]
    with pytest.raises(InputError, match=r"m\.png has soft edges .*2 of 3 masks do.*--mask-threshold 128"):
        _find(masks)
    convention, _ = _find(masks, threshold=128)
    assert (convention.decode(masks[0], P) == disc(0)).mean() > 0.97


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([_thirds([0, 0])], r"all other masks are empty"),
        ([_thirds([0, 1000, 40000], np.uint16)], r"0, 1000, 40000, which may be classes or objects: say --classes"),
        ([_thirds([1, 2, 3])], r"--classes 1,2,3"),
        ([np.arange(1200, dtype=np.uint8).reshape(20, 20, 3)], r"256 colours, too many for classes"),
    ],
    ids=["empty", "16 bit with 3 values", "no zero", "many colours"],
)
def test_what_would_be_a_guess_is_refused(masks: list[Array], message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        _find(masks)
    assert "m.png" in str(refusal.value)


@pytest.mark.parametrize(("classes", "wrong"), [((0, -1), "-1"), ((0, 70000), "70000"), ((0, 3, 3), "3")])
def test_classes_that_no_mask_can_hold_are_refused(classes: tuple[int, ...], wrong: str) -> None:
    with pytest.raises(InputError, match=f"no class can have the value {wrong}: say --classes"):
        _find([_thirds([0, 1])], classes=classes)


def test_a_negative_value_is_not_offered_as_a_class() -> None:
    masks = [_thirds([-1, 0, 1], np.int32)]
    with pytest.raises(InputError, match="say --classes 0,1 or --instances, and --ignore-value=-1"):
        _find(masks)
    assert _find(masks, ignore_value=-1)[0].values == (0, 1)


@pytest.mark.parametrize(
    ("first", "odd", "message"),
    [
        (_thirds([0, 1]), _thirds([0, 5]), r"odd\.png holds the value 5, which no class has"),
        (_thirds([0, 1]), COLOURS[_thirds([0, 1])], r"odd\.png is a colour mask while others are grey"),
        (COLOURS[_thirds([0, 1])], COLOURS[_thirds([0, 2])], r"odd\.png holds the value"),
    ],
    ids=["value", "colour among grey", "colour"],
)
def test_a_mask_unlike_the_convention_is_named(first: Array, odd: Array, message: str) -> None:
    convention, _ = _find([first])
    with pytest.raises(InputError, match=message):
        convention.decode(odd, Path("odd.png"))


def test_an_all_black_mask_fits_among_colours() -> None:
    convention, _ = _find([COLOURS[_thirds([0, 1, 2])], _thirds([0, 0])])
    assert not convention.decode(_thirds([0, 0]), P).any()


def test_what_is_ignored_is_ignored_beside_a_threshold() -> None:
    mask = _thirds([0, 200, 255])
    convention, _ = _find([mask], threshold=128, ignore_value=255)
    assert sorted(np.unique(convention.decode(mask, Path("m.png")))) == [0, 1, 255]
    written = convention.encode(np.array([[0, 1]], np.uint8))
    assert convention.decode(written, Path("m.png")).tolist() == [[0, 1]]
    with pytest.raises(InputError, match="are both 255"):
        _find([mask], threshold=255, ignore_value=255)


@pytest.mark.parametrize(
    "options",
    [{"classes": (0, 1), "threshold": 9}, {"instances": True, "threshold": 9}, {"classes": (0, 1), "instances": True}],
)
def test_masks_cannot_be_two_things_at_once(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="say different things of the masks"):
        _find([_thirds([0, 1, 1])], **options)
