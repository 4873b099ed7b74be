"""Mask conventions followed: read, written and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_masks import find

from amsunet.data.images import Array
from amsunet.data.masks import IGNORE_INDEX, MaskConvention, MaskOptions
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


COLOURS = np.array([(0, 0, 0), (255, 0, 0), (0, 200, 10)], np.uint8)
CONVENTIONS = {
    "0/1": (_thirds([0, 1]), {}, "values"),
    "0/255": (_thirds([0, 255]), {}, "values"),
    "0/128": (_thirds([0, 128]), {}, "values"),
    "indices": (_thirds([0, 1, 2, 3]), {"classes": (0, 1, 2, 3)}, "values"),
    "classes set": (_thirds([0, 100, 200]), {"classes": (0, 100, 200)}, "values"),
    "classes in another order": (_thirds([1, 2, 3]), {"classes": (2, 1, 3)}, "values"),
    "16 bit": (_thirds([0, 1000, 40000], np.uint16), {"classes": (0, 1000, 40000)}, "values"),
    "colours": (COLOURS[_thirds([0, 1, 2])], {}, "colours"),
    "objects": (_objects(30), {"instances": True}, "instances"),
    "colours set": (COLOURS[_thirds([0, 1, 2])], {"classes": (0x00C80A, 0, 0xFF0000), "colours": True}, "colours"),
    "threshold": (_thirds([0, 255]), {"threshold": 128}, "threshold"),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_mask_survives_decoding_and_encoding(name: str) -> None:
    mask, options, kind = CONVENTIONS[name]
    convention, _ = find([mask], **options)
    assert convention.kind == kind
    assert np.array_equal(convention.encode(convention.decode(mask, P)), mask)
    assert MaskConvention.model_validate_json(convention.model_dump_json()) == convention


@pytest.mark.parametrize("threshold", [1, 128, 255, 300, 40000])
def test_what_a_threshold_encodes_it_decodes(threshold: int, disc: Callable[[int], Array]) -> None:
    convention, _ = find([_thirds([0, 50_000], np.uint16)], threshold=threshold)
    labels = disc(0).astype(np.uint8)
    assert np.array_equal(convention.decode(convention.encode(labels), P), labels)


@pytest.mark.parametrize("options", [{}, {"classes": (0, 1)}, {"instances": True}])
def test_an_ignore_value_that_is_set_is_ignored(options: dict[str, object]) -> None:
    mask = _thirds([0, 1, 7])
    convention, _ = find([mask], ignore_value=7, **options)
    labels = convention.decode(mask, P)
    assert np.array_equal(labels == IGNORE_INDEX, mask == 7)
    assert np.array_equal(labels[mask != 7], mask[mask != 7])


@pytest.mark.parametrize("count", [3, 30])
def test_encoded_objects_are_numbered_apart(count: int) -> None:
    convention, _ = find([_objects(2)], instances=True)
    encoded = convention.encode((_objects(count) != 0).astype(np.uint8))
    assert len(np.unique(encoded)) == count + 1


def test_more_objects_than_a_mask_can_number_are_refused() -> None:
    convention, _ = find([_objects(2)], instances=True)
    labels = np.zeros((514, 514), np.uint8)
    labels[::2, ::2] = 1
    with pytest.raises(InputError, match="66049 objects are more than a 16-bit mask can number"):
        convention.encode(labels)


@pytest.mark.parametrize(
    ("first", "odd", "message"),
    [
        (_thirds([0, 1]), _thirds([0, 5]), r"odd\.png holds the value 5, which no class has"),
        (_thirds([0, 1]), COLOURS[_thirds([0, 1])], r"odd\.png is a colour mask while others are grey"),
        (
            COLOURS[_thirds([0, 1])],
            COLOURS[_thirds([0, 2])],
            r"odd\.png holds the value #00c80a, .*\[#000000, #ff0000\]",
        ),
    ],
    ids=["value", "colour among grey", "colour"],
)
def test_a_mask_that_does_not_fit_the_convention_is_named(first: Array, odd: Array, message: str) -> None:
    convention, _ = find([first])
    with pytest.raises(InputError, match=message):
        convention.decode(odd, Path("odd.png"))


def test_an_all_black_mask_fits_among_colours() -> None:
    convention, _ = find([COLOURS[_thirds([0, 1, 2])], _thirds([0, 0])])
    assert not convention.decode(_thirds([0, 0]), P).any()


def test_what_is_ignored_is_ignored_beside_a_threshold() -> None:
    mask = _thirds([0, 200, 255])
    convention, _ = find([mask], threshold=128, ignore_value=255)
    assert sorted(np.unique(convention.decode(mask, Path("m.png")))) == [0, 1, 255]
    written = convention.encode(np.array([[0, 1]], np.uint8))
    assert convention.decode(written, Path("m.png")).tolist() == [[0, 1]]
    with pytest.raises(InputError, match="are both 255"):
        find([mask], threshold=255, ignore_value=255)


@pytest.mark.parametrize("names", [("disc", "cup"), ("eye", "disc", "cup")])
def test_classes_are_named_with_or_without_the_background(names: tuple[str, ...]) -> None:
    convention, _ = find([_thirds([0, 1, 2])], classes=(0, 1, 2), class_names=names)
    assert convention.class_names == ("background", *names)[-3:]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a",), "gives 1 names for 2 classes and the background"),
        (("a", "a"), "a different name"),
        (("a", "b/c"), "without /"),
    ],
)
def test_names_that_do_not_fit_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find([_thirds([0, 1, 2])], classes=(0, 1, 2), class_names=names)


def test_names_alone_set_no_values() -> None:
    assert not MaskOptions(class_names=("a",)).given_values and MaskOptions(threshold=0.5).given_values


def test_conventions_of_earlier_versions_are_read_as_they_were() -> None:
    known = {"kind": "folders", "values": [0, 1, 2], "class_names": ["background", "heart", "lung"], "threshold": 128}
    convention = MaskConvention.model_validate(known)
    assert convention.reading == "stored" and convention.order == () and convention.folder_names == ("heart", "lung")


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (40, 40, 0)])
def test_a_mask_in_the_folder_of_its_class_may_have_any_colour(colour: tuple[int, int, int]) -> None:
    known = MaskConvention(kind="folders", values=(0, 1, 2), class_names=("background", "a", "b"), ignore_value=255)
    here = np.eye(5, dtype=bool)
    assert np.array_equal(known.decode(here[..., None] * np.array(colour, np.uint8), Path("m.png")), here)
    assert known.is_foreground(colour[0] << 16 | colour[1] << 8 | colour[2], colour=True)
