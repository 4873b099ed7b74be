"""Text from elsewhere: in paths, in a terminal, in tables."""

from __future__ import annotations

import csv
import doctest
import io
import random

import pytest
from pydantic import TypeAdapter, ValidationError

from amsunet import safe_text
from amsunet.safe_text import SafeName, as_cell, find_namesakes, from_cell, name_problem, one_line, restored

UNSAFE = [
    *("", " ", ".", "..", ". .", "../../x", "/etc/x", "a/b", "a\\b", "a\0b", "a\nb", "a\tb", "a\rb", "\x1b[2J"),
    *("gnp.\u202elamron", "\u2066a", "a\u200b", "a\u2028b", "a\udcffb", "x" * 101, "\u00e9" * 51, "\x7f", "\x9b31m"),
]
SAFE = [
    "lung",
    "left lung",
    "\u00e9paule",
    "#ff0000",
    "class 1",
    "\u5fc3\u81df",
    "T1: x",
    "a.b",
    "..a",
    "x" * 100,
    "-",
    "=1",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_would_leave_their_folder_or_are_not_seen_are_refused(name):
    assert name_problem(name)
    with pytest.raises(ValidationError) as told:
        TypeAdapter(SafeName).validate_python(name)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("name", SAFE)
def test_other_names_stay_as_they_are(name):
    assert name_problem(name) == "" and TypeAdapter(SafeName).validate_python(name) == name == one_line(name)


def test_names_that_some_file_systems_take_for_one_are_found():
    assert find_namesakes(["lung", "heart", "Lung"]) == ("lung", "Lung")
    assert find_namesakes(["caf\u00e9", "cafe\u0301"]) == ("caf\u00e9", "cafe\u0301")
    assert find_namesakes(["lung", "heart"]) is None


def _texts() -> list[str]:
    """Seeded names of what is dangerous anywhere."""
    rng = random.Random(0)
    parts = [*"=+-@\t\r\n'\",;|\\ax1 ", "\x1b[2J", "\u202e", "\udcff", "\u2028", "\uff1d", "0.5", "\\n", "\\x1b"]
    return ["".join(rng.choices(parts, k=rng.randint(1, 8))) for _ in range(500)] + ["=1+1", "'=1", "''=1", "-1"]


def test_what_is_shown_is_one_line_without_control():
    for text in _texts():
        shown = one_line(text)
        assert shown.isascii() or not safe_text._UNSEEN.search(shown)
        assert len(shown.splitlines()) <= 1 and "\x1b" not in shown and one_line(shown) == shown
        assert shown.encode()  # no half of a character


def test_no_cell_is_a_formula_and_all_are_read_as_they_were():
    for text in _texts():
        file = io.StringIO()
        csv.writer(file).writerow([as_cell(text), "next"])
        (row,) = csv.reader(file.getvalue().splitlines())
        assert row[1] == "next" and not safe_text._UNSEEN.search(row[0])
        assert row[0][0] not in "=@\uff1d" and (row[0][0] not in "+-" or float(row[0]) is not None)
        assert from_cell(row[0]) == one_line(text)
        if "\\" not in text:
            assert restored(from_cell(row[0])) == text


@pytest.mark.parametrize("number", [-1, -0.5, 3, "-0.5", "+1e-5", "-inf", None])
def test_numbers_stay_numbers(number):
    assert as_cell(number) == number


def test_the_examples_run():
    assert doctest.testmod(safe_text).failed == 0


def test_a_problem_repeats_no_long_name():
    assert len(safe_text.problem_of_names(["n" * 100_000])) < 200
