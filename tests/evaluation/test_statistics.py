"""Means and their intervals, and risk against coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from amsunet.evaluation.statistics import holm, mean_with_interval, paired_test, risk_coverage


def test_interval_covers_the_mean_about_as_often_as_it_should():
    rng = np.random.default_rng(1)
    intervals = [mean_with_interval(rng.normal(0.8, 0.1, 40).tolist()) for _ in range(100)]
    covered = sum(interval.low <= 0.8 <= interval.high for interval in intervals)
    assert 85 <= covered <= 100
    assert all(interval.low <= interval.mean <= interval.high for interval in intervals)


def test_images_of_one_patient_count_as_one_for_the_interval():
    values = [0.5] * 20 + [0.9] * 20 + [0.7] * 20
    patients = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    alone, grouped = mean_with_interval(values), mean_with_interval(values, patients)
    assert grouped.mean == pytest.approx(alone.mean) == pytest.approx(0.7)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_what_does_not_exist_is_left_out():
    interval = mean_with_interval([0.5, math.nan, 0.7])
    assert (interval.mean, interval.count) == (pytest.approx(0.6), 2)
    nothing = mean_with_interval([math.nan])
    assert math.isnan(nothing.mean)
    assert nothing.count == 0


def test_one_value_has_no_interval():
    interval = mean_with_interval([0.5])
    assert interval.mean == 0.5
    assert math.isnan(interval.low)


def test_a_paired_test_finds_the_direction():
    first = [0.80, 0.82, 0.79, 0.85, 0.90, 0.70, 0.65, 0.88]
    better = [value + 0.01 * (index + 1) for index, value in enumerate(first)]
    found = paired_test(first, better)
    assert found.difference == pytest.approx(0.045)
    assert found.effect == 1.0
    assert found.p == pytest.approx(2 / 2**8)  # of all 2^8 signs only two are as extreme
    back = paired_test(better, first)
    assert (back.difference, back.effect, back.p) == (-found.difference, -1.0, found.p)


def test_the_effect_weighs_ranks():
    found = paired_test([0, 0, 0], [3, -1, -2])
    assert found.effect == 0.0


def test_equal_networks_have_no_p():
    found = paired_test([0.5, 0.6], [0.5, 0.6])
    assert (found.difference, found.effect) == (0, 0)
    assert math.isnan(found.p)


def test_pairs_without_a_value_do_not_count():
    assert paired_test([0.5, math.nan, 0.2], [0.6, 0.9, 0.4]).difference == pytest.approx(0.15)


def test_holm_multiplies_by_how_many_are_left_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    corrected = holm([0.5, math.nan, 0.6])
    assert corrected[0] == corrected[2] == 1.0
    assert math.isnan(corrected[1])
    assert holm([]) == []


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
