"""The values of images: the range they belong to, and its description."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.value_range import ValueRange, common_range, evident_range, shows, values_of


def _range(kind: str, low: float, high: float) -> ValueRange:
    return ValueRange(type=kind, low=low, high=high)


@pytest.mark.parametrize(
    ("kind", "low", "high", "bright", "top"),
    [
        ("uint8", 3, 40, 30, 255),  # of 8 bits it is that of the type
        ("uint16", 0, 200, 190, 255),
        ("uint16", 16, 900, 800, 1023),
        ("uint16", 0, 3040, 2900, 4095),
        ("uint16", 0, 12000, 9000, 16383),
        ("uint16", 0, 60000, 50000, 65535),
        ("float32", 0, 0.8, 0.7, 1),
        ("float32", 0, 255, 200, 255),
        ("uint16", 0, 65535, 3000, None),  # a hot pixel
        ("float32", 0, 0.01, 0.01, None),
        ("float32", -1000, 3000, 2000, None),
        ("uint16", 0, 0, 0, None),
        ("float32", 0, 1e6, 1e6, None),
    ],
)
def test_values_point_to_a_range_that_they_fill(
    kind: str, low: float, high: float, bright: float, top: float | None
) -> None:
    expected = None if top is None else _range(kind, 0, top)
    assert evident_range(_range(kind, low, high), bright) == expected


def test_the_range_of_a_data_set_is_that_of_all_its_images_of_a_type() -> None:
    found = common_range([_range("uint16", 9, 300), _range("uint8", 7, 90), _range("uint16", 40, 4000)])
    assert found == {"uint16": _range("uint16", 0, 4095), "uint8": _range("uint8", 0, 255)}
    assert common_range([_range("float32", -1024, 900), _range("float32", -900, 3071)]) == {
        "float32": _range("float32", -1024, 3071)
    }
    assert common_range([_range("float32", 0.5, 7.3)]) == {"float32": _range("float32", 0, 7.3)}


@pytest.mark.parametrize(
    ("kind", "low", "high", "bright", "expected"),
    [
        ("uint16", 0, 4000, 3000, True),
        ("uint16", 0, 4200, 3000, True),  # single values beyond
        ("uint16", 0, 9000, 8000, False),
        ("uint16", 0, 4000, 200, False),  # it would be black
        ("float32", 0, 4000, 3000, False),
    ],
)
def test_a_known_range_shows_what_lies_in_it_and_is_not_black(
    kind: str, low: float, high: float, bright: float, expected: bool
) -> None:
    assert shows(_range("uint16", 0, 4095), _range(kind, low, high), bright) == expected


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (_range("uint8", 0, 255), "8 bits"),
        (_range("uint16", 0, 65535), "16 bits"),
        (_range("uint16", 0, 4095), "12 bits in 16"),
        (_range("uint16", 5, 3000), "16 bits with values of 5 to 3000"),
        (_range("float32", 0, 255), "values of 0 to 255"),
        (_range("float32", -0.5, 1), "values of -0.5 to 1"),
    ],
)
def test_a_range_in_words(values: ValueRange, text: str) -> None:
    assert str(values) == text


def test_values_are_taken_from_pixels() -> None:
    assert values_of(np.array([[3, 9]], np.uint16)) == _range("uint16", 3, 9)
