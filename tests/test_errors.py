"""The error that a user can do something about."""

from __future__ import annotations

import pickle

import pytest

from amsunet.errors import InputError, first_line


def test_a_code_travels_with_the_error_and_not_in_its_message():
    error = InputError("a.png is broken: save it again", code="damaged")
    assert (str(error), error.code) == ("a.png is broken: save it again", "damaged")
    again = pickle.loads(pickle.dumps(error))  # as from another process
    assert (str(again), again.code) == (str(error), "damaged")
    assert InputError("a.png is broken: save it again").code == ""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", "RuntimeError"),
        ("\n  no memory \nat line 5", "no memory"),
        ("Exception from src/core.cpp:5:\nCheck 'x' failed at src/core.cpp:9:\nno such file", "no such file"),
        ("word " * 40, "word " * 23 + "..."),
    ],
)
def test_the_first_line_of_an_error_says_what_is_wrong(message, expected):
    assert first_line(RuntimeError(message)) == expected
