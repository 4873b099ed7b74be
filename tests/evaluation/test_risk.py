"""Risk against coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from amsunet.evaluation.risk import risk_coverage


def test_what_knows_the_loss_is_best_and_what_is_upside_down_is_worst():
    dice = np.random.default_rng(0).random(40)
    known, reversed_ = risk_coverage(1 - dice, dice), risk_coverage(dice, dice)
    assert known.area == pytest.approx(known.best_area)
    assert known.correlation == pytest.approx(1)
    assert reversed_.correlation == pytest.approx(-1)
    assert known.area < known.chance_area < reversed_.area
    assert known.risk[-1] == pytest.approx(1 - dice.mean())


def test_the_curve_is_of_the_surest_images():
    curve = risk_coverage(np.array([0.3, 0.1, 0.2]), np.array([0.4, 1.0, 0.8]))
    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk == pytest.approx([0, 0.1, 0.8 / 3])
    assert curve.area == pytest.approx((0 + 0.1 + 0.8 / 3) / 3)


def test_what_is_the_same_for_all_knows_nothing_whatever_the_order():
    for dice in ([1.0, 0.5, 0.0], [0.0, 0.5, 1.0]):
        curve = risk_coverage(np.full(3, 0.2), np.array(dice))
        assert curve.area == pytest.approx(curve.chance_area) == 0.5
        assert math.isnan(curve.correlation)


def test_a_single_image_has_a_curve():
    assert risk_coverage(np.array([0.2]), np.array([0.9])).area == pytest.approx(0.1)
