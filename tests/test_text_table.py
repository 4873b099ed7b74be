"""Tables as text."""

from __future__ import annotations

from amsunet.text_table import aligned


def test_columns_that_do_not_fit_into_a_line_follow_below():
    cells = [["", *(f"class {label}" for label in range(9))], ["Dice", *["0.9000 [0.8000, 0.9500]"] * 9]]
    lines = aligned(cells)
    assert all(len(line) <= 140 for line in lines) and len(lines) == 4
    assert [line.partition(" ")[0] for line in lines] == ["", "Dice", "", "Dice"]
    assert [sum(f"class {label}" in line for line in lines) for label in range(9)] == [1] * 9
    assert aligned([["network", "x" * 300]]) == [f"network  {'x' * 300}"], "one at least"


def test_numbers_end_at_the_same_place():
    assert aligned([["name", "count"], ["a", "7"], ["long name", "1,000"]], right=[1]) == [
        "name       count",
        "a              7",
        "long name  1,000",
    ]


def test_wide_signs_take_two_places():
    assert aligned([["세포", "1"], ["cells", "2"]]) == ["세포   1", "cells  2"]
