"""Means and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from amsunet.evaluation.statistics import mean_with_interval


def test_interval_covers_the_mean_about_as_often_as_it_says():
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
