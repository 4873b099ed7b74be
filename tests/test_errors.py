"""The error that a user can do something about."""

from __future__ import annotations

import pickle

from amsunet.errors import InputError


def test_a_code_travels_with_the_error_and_not_in_its_message():
    error = InputError("a.png is broken: save it again", code="damaged")
    assert (str(error), error.code) == ("a.png is broken: save it again", "damaged")
    again = pickle.loads(pickle.dumps(error))  # as from another process
    assert (str(again), again.code) == (str(error), "damaged")
    assert InputError("a.png is broken: save it again").code == ""
