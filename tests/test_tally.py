"""How figures of many tests become one table, and how few stand for many."""

from __future__ import annotations

import pytest
from tally import spread, summed


def test_figures_are_added_up_and_the_largest_is_kept():
    notes = [
        {"question": "kills", "subject": "train", "figures": {"tried": 2, "largest_megabytes": 9}},
        {"question": "kills", "subject": "predict", "figures": {"tried": 1}},
        {"question": "kills", "subject": "train", "figures": {"tried": 3, "largest_megabytes": 7}},
    ]
    assert summed(notes) == {"kills": {"predict": {"tried": 1}, "train": {"tried": 5, "largest_megabytes": 9}}}


@pytest.mark.parametrize(("count", "most", "found"), [(7, 3, 3), (3, 9, 3), (5, 5, 5)])
def test_as_many_as_asked_for_are_spread_over_all(count, most, found):
    chosen = spread(count, most, "name")
    assert len(chosen) == found and set(chosen) <= set(range(count))
    assert chosen == spread(count, most, "name"), "the same each time"


def test_names_get_others():
    assert len({tuple(spread(100, 1, name)) for name in "abcdefgh"}) > 4
