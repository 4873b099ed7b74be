"""Metrics against definitions written out, and the rule for empty masks."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from amsunet.data.masks import IGNORE_INDEX
from amsunet.evaluation.calibration import Calibration
from amsunet.evaluation.metrics import centreline_dice, score_image

SIDE = 32


def score(predicted, true, **arguments):
    """Scores of class 1, from a probability that agrees with the prediction."""
    foreground = np.where(predicted == 1, 0.8, 0.3).astype(np.float32)
    (scores,) = score_image(np.stack([1 - foreground, foreground]), predicted, true, **arguments)
    return scores


def random_masks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.zeros((SIDE, SIDE), np.uint8)
    true[8:20, 6:24] = 1
    return np.where(rng.random(true.shape) < 0.1, 1 - true, true).astype(np.uint8), true


@pytest.mark.parametrize("seed", range(5))
def test_overlap_scores_follow_their_definitions(seed):
    predicted, true = random_masks(seed)
    p, t = predicted == 1, true == 1
    scores = score(predicted, true)
    assert scores.dice == pytest.approx(2 * (p & t).sum() / (p.sum() + t.sum()))
    assert scores.iou == pytest.approx((p & t).sum() / (p | t).sum())
    assert scores.sensitivity == pytest.approx((p & t).sum() / t.sum())
    assert scores.specificity == pytest.approx((~p & ~t).sum() / (~t).sum())
    assert scores.precision == pytest.approx((p & t).sum() / p.sum())
    assert scores.accuracy == pytest.approx((p == t).mean())
    assert scores.true_positives + scores.false_positives + scores.false_negatives + scores.true_negatives == SIDE**2


def test_distances_of_a_shifted_square():
    true, predicted = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    true[8:20, 8:20] = 1
    predicted[8:20, 13:25] = 1
    assert score(predicted, true).hd95 == pytest.approx(5)
    assert score(predicted, true, spacing=(0.5, 0.5)).hd95 == pytest.approx(2.5)
    # A tolerance of two pixels is the same in another unit, also where fractions do not add up.
    for side in (0.65, 0.1, 1.3):
        in_unit = score(predicted, true, spacing=(side, side), tolerance=2 * side)
        assert (in_unit.nsd, in_unit.hd95) == pytest.approx((score(predicted, true).nsd, 5 * side))
    down = score(predicted.T, true.T, spacing=(3, 1))
    assert down.hd95 == pytest.approx(15) and score(predicted, true, spacing=(3, 1)).hd95 == pytest.approx(5)
    # Every border pixel within two pixels of the other border, by its definition.
    borders = [mask & (distance_transform_edt(mask) <= 1) for mask in (true == 1, predicted == 1)]
    gaps = [distance_transform_edt(~other)[border] for border, other in (borders, borders[::-1])]
    gaps = np.concatenate(gaps)
    assert score(predicted, true).nsd == pytest.approx((gaps <= 2).mean(), abs=0.05)
    for spacing, side in ((None, 1), ((0.5, 0.5), 0.5)):
        assert score(predicted, true, spacing=spacing).assd == pytest.approx(side * gaps.mean(), abs=0.05)


def test_a_perfect_prediction_is_perfect():
    _, true = random_masks(0)
    scores = score(true, true, thin=True)
    assert (scores.dice, scores.iou, scores.hd95, scores.nsd, scores.cldice, scores.auc) == (1, 1, 0, 1, 1, 1)


def test_both_empty_is_right_and_has_no_distance():
    empty = np.zeros((SIDE, SIDE), np.uint8)
    scores = score(empty, empty, thin=True)
    assert (scores.dice, scores.iou, scores.nsd, scores.cldice) == (1, 1, 1, 1)
    assert math.isnan(scores.hd95) and math.isnan(scores.assd)
    assert math.isnan(scores.auc)


@pytest.mark.parametrize("true_is_empty", [True, False])
def test_one_empty_is_wrong_at_the_diagonal(true_is_empty):
    empty, full = np.zeros((SIDE, SIDE), np.uint8), random_masks(0)[1]
    predicted, true = (full, empty) if true_is_empty else (empty, full)
    scores = score(predicted, true, thin=True)
    assert (scores.dice, scores.iou, scores.nsd, scores.cldice) == (0, 0, 0, 0)
    assert scores.hd95 == scores.assd == pytest.approx(math.hypot(SIDE, SIDE))


@pytest.mark.parametrize("seed", range(3))
def test_ignored_pixels_count_nowhere(seed):
    predicted, true = random_masks(seed)
    ignored = np.zeros(true.shape, bool)
    ignored[:, 12:] = True
    marked = np.where(ignored, IGNORE_INDEX, true)
    other = np.where(ignored, 1 - predicted, predicted).astype(np.uint8)
    assert astuple(score(predicted, marked)) == pytest.approx(astuple(score(other, marked)), nan_ok=True)
    kept = score(predicted, marked)
    p, t = predicted[~ignored] == 1, true[~ignored] == 1
    assert kept.dice == pytest.approx(2 * (p & t).sum() / (p.sum() + t.sum()))
    assert kept.true_negatives == (~p & ~t).sum()


def test_every_class_is_scored_on_its_own():
    true = np.zeros((SIDE, SIDE), np.uint8)
    true[4:12, 4:12], true[20:28, 20:28] = 1, 2
    predicted = np.where(true == 2, 0, true).astype(np.uint8)
    probability = np.stack([(predicted == label).astype(np.float32) for label in range(3)])
    first, second = score_image(probability, predicted, true)
    assert (first.dice, second.dice) == (1, 0)


def test_centreline_dice_does_not_care_for_width():
    thin, wide = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE), bool)
    thin[15:18, 4:28], wide[14:19, 4:28] = True, True
    overlap = 2 * (thin & wide).sum() / (thin.sum() + wide.sum())
    assert centreline_dice(wide, thin) > 0.95 > overlap


def test_calibration_of_a_network_that_is_right_as_often_as_it_is_sure():
    rng = np.random.default_rng(0)
    foreground = rng.uniform(0.5, 1, (200, 200)).astype(np.float32)
    probability = np.stack([1 - foreground, foreground])
    honest = (rng.random(foreground.shape) < foreground).astype(np.uint8)
    good, bad = Calibration(), Calibration()
    good.add(probability, honest)
    bad.add(probability, np.zeros_like(honest))
    assert good.error() < 0.02
    assert bad.error() == pytest.approx(foreground.mean(), abs=1e-4)
    assert good.pixels.sum() == honest.size
