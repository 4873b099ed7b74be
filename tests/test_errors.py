"""The error that a user can do something about."""

from __future__ import annotations

import pickle

import pytest

from amsunet.errors import InputError, first_line, reason_of_end


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


@pytest.mark.parametrize(
    ("code", "output", "expected"),
    [
        (2, "reading\nerror: no such file\n", "error: no such file"),
        (-9, "reading\n", "it was killed, most likely for want of memory: try a smaller batch"),
        (3, " \n", "it ended with code 3"),
    ],
)
def test_a_failed_process_gives_its_last_line_or_what_its_code_says(code, output, expected):
    assert reason_of_end(code, output, "a smaller batch") == expected
