"""A table looked up in bands is the table looked up at once."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.lookup import BAND, look_up

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [1, BAND, 2 * BAND + 7])
@pytest.mark.parametrize("shape", [(256,), (256, 3)])
def test_bands_join(rows: int, shape: tuple[int, ...]) -> None:
    table = RNG.integers(0, 60_000, shape, np.uint16)
    pixels = RNG.integers(0, 256, (rows, 5), np.uint8)
    assert np.array_equal(look_up(table, pixels), table[pixels])
    assert look_up(table, pixels).dtype == np.uint16
