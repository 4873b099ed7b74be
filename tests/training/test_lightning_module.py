"""The learning rate of the released recipe."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.training.lightning_module import learning_rate_factor


def test_factor_is_the_published_one(golden):
    expected = golden("schedule_poly_10steps_5epochs")["factor"]
    found = [learning_rate_factor(step, warmup_steps=10, total_steps=50) for step in range(51)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(("warmup", "total"), [(1, 1), (1, 2), (7, 100), (10, 10)])
def test_rises_to_one_and_falls_to_zero(warmup, total):
    factors = [learning_rate_factor(step, warmup_steps=warmup, total_steps=total) for step in range(total + 3)]
    assert factors[0] == pytest.approx(1e-3)
    assert factors[warmup] == 1.0
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)
    assert factors[max(total, warmup + 1) :] == [0.0] * len(factors[max(total, warmup + 1) :])
