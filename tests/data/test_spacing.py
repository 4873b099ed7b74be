"""The size of a pixel, as it is typed and as lengths are written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from amsunet.data.spacing import Lengths, common_spacing, describe_spacing, describe_spacings, parse_spacing
from amsunet.errors import InputError

A, B, C = (Path(f"{name}.tif") for name in "abc")


@pytest.mark.parametrize(
    ("given", "millimetres"),
    [
        ("0.5um", (0.0005, 0.0005)),
        (" 250 nm", (0.00025, 0.00025)),
        ("0.5µm", (0.0005, 0.0005)),
        ("0.8x0.7mm", (0.8, 0.7)),
        ("0.8 x 0.7 mm", (0.8, 0.7)),
        ("1e-1cm", (1.0, 1.0)),
        (0.3, (0.3, 0.3)),
        ((1, 0.5), (1.0, 0.5)),
        ([1, 2], (1.0, 2.0)),
    ],
)
def test_a_size_is_typed_with_its_unit_or_given_in_millimetres(given: object, millimetres: tuple[float, float]) -> None:
    assert parse_spacing(given) == pytest.approx(millimetres)


@pytest.mark.parametrize(
    "given",
    [
        "0.5",
        "um",
        "",
        "0um",
        "-1mm",
        "nanum",
        "infmm",
        "5 pixels",
        "1x2x3mm",
        "1emm",
        (1, 2, 3),
        (1, "x"),
        0,
        math.nan,
        {},
    ],
)
def test_what_is_no_size_is_one_sentence(given: object) -> None:
    with pytest.raises(
        InputError, match=r"^--spacing: .* is not the size of a pixel: write --spacing 0.5um, or "
    ) as one:
        parse_spacing(given)
    assert "\n" not in str(one.value)


def test_a_size_is_written_as_it_is_typed() -> None:
    for spacing in ((0.0005, 0.0005), (0.8, 0.7), (0.1, 0.1), (1e-6, 1e-6), (2.5, 1.25)):
        assert parse_spacing(describe_spacing(spacing)) == pytest.approx(spacing)
    assert describe_spacing((0.0005, 0.0005)) == "0.5 um" and describe_spacing((0.8, 0.7)) == "0.8 x 0.7 mm"


def test_images_have_a_common_size_if_all_are_known_and_none_is_absurd() -> None:
    assert common_spacing([(1.0, 2.0), (1.2, 2.0), (1.4, 4.0)]) == (1.2, 2.0)
    assert common_spacing([(1.0, 1.0), None]) is None
    assert common_spacing([]) is None and common_spacing([None]) is None
    assert common_spacing([(1.0, 1.0), (17.0, 17.0)]) is None


def test_lengths_are_in_the_unit_that_suits_the_pixels() -> None:
    assert Lengths.of([None]) == Lengths.of([(1.0, 1.0), None]) == Lengths("pixels", 1.0)
    assert Lengths.of([None]).spacing((1.0, 1.0)) is None
    small = Lengths.of([(0.0005, 0.002)] * 3)
    assert small.unit == "um" and small.pixel == pytest.approx(1.0)
    assert small.spacing((0.0005, 0.002)) == pytest.approx((0.5, 2.0))
    assert Lengths.of([(1.4, 1.4), (1.6, 1.6)]) == Lengths("mm", pytest.approx(1.5))


def test_sizes_are_described_and_what_is_missing_is_warned_of() -> None:
    assert describe_spacings({A: None, B: None}) == ("", "")
    assert describe_spacings({A: (0.5, 0.5), B: (0.5, 0.5)}) == ("pixels are 0.5 mm", "")
    assert describe_spacings({A: (0.7, 0.7), B: (0.5, 0.5)}) == ("pixels are 0.5 mm to 0.7 mm", "")
    note, warning = describe_spacings({A: None, B: (0.0005, 0.0005), C: None})
    assert not note and warning == (
        "1 of 3 images say how large their pixels are, as b.tif (0.5 um), and others do not, as a.tif: lengths are in "
        "pixels; if all are alike, set --spacing 0.5um"
    )
    note, warning = describe_spacings({A: (1.0, 1.0), B: (0.001, 0.001)})
    assert not note and "from 1 um (b.tif) to 1 mm (a.tif), too far apart to be true" in warning
