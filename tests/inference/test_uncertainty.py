"""Uncertainty: one minus the Dice that is to be expected."""

from __future__ import annotations

import json

import numpy as np
import pytest

from amsunet.inference.uncertainty import Uncertainty, measure_uncertainty


def _two(foreground) -> np.ndarray:
    foreground = np.asarray(foreground, np.float32)
    return np.stack([1 - foreground, foreground])


def _dice(mask, truth) -> float:
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def test_certain_masks_are_certain():
    disc = np.hypot(*np.indices((20, 20)) - 10) < 6
    assert measure_uncertainty(_two(disc), disc.astype(np.uint8)) == 0
    assert measure_uncertainty(_two(np.zeros((4, 4))), np.zeros((4, 4), np.uint8)) == 0


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_it_is_the_mean_over_truths_that_are_as_probable_as_told(threshold):
    rng = np.random.default_rng(0)
    probability = 1 / (1 + np.exp(np.hypot(*np.indices((60, 60)) - 30) - 15)) * rng.uniform(0.6, 1, (60, 60))
    mask = probability > threshold
    truths = [rng.random((60, 60)) < probability for _ in range(50)]
    expected = np.mean([_dice(mask, truth) for truth in truths])
    assert measure_uncertainty(_two(probability), mask.astype(np.uint8)) == pytest.approx(1 - expected, abs=0.01)


def test_an_empty_mask_is_as_uncertain_as_what_it_may_have_missed():
    probability = np.full((5, 5), 0.01)
    probability[2, 2] = 0.4
    assert measure_uncertainty(_two(probability), np.zeros((5, 5), np.uint8)) == pytest.approx(0.4)


def test_the_mean_of_what_disagrees_is_uncertain():
    halves = np.zeros((2, 10, 10), np.float32)
    halves[0, :, :5] = halves[1, :, 5:] = 1
    alone, mean = _two(halves[0]), _two(halves.mean(axis=0))
    assert measure_uncertainty(alone, alone.argmax(axis=0)) < measure_uncertainty(mean, (mean[1] > 0.4).astype(int))


def test_with_more_classes_it_is_the_mean_over_them_but_the_background():
    labels = np.repeat(np.arange(3), 10)[None]
    probability = np.eye(3, dtype=np.float32)[labels].transpose(2, 0, 1)
    assert measure_uncertainty(probability, labels) == 0
    probability[:, 0, 10:20] = np.array([0.4, 0.6, 0])[:, None]
    only_one = 1 - 2 * 6 / (10 + 6)
    assert measure_uncertainty(probability, labels) == pytest.approx(only_one / 2)


@pytest.mark.parametrize("classes", [2, 4])
def test_parts_add_up_to_the_whole_and_may_be_put_aside(classes):
    logits = np.random.default_rng(0).normal(size=(classes, 40, 50)).astype(np.float32)
    probability = np.exp(logits) / np.exp(logits).sum(axis=0)
    labels = np.where(probability.argmax(axis=0) == 1, 0, probability.argmax(axis=0))  # one class is not found
    sums = None
    for part in (np.s_[:17, :], np.s_[17:, :20], np.s_[17:, 20:]):
        parts = Uncertainty(classes, sums)
        parts.add(probability[:, *part], labels[part])
        sums = json.loads(json.dumps(parts.sums()))
    assert Uncertainty(classes, sums).value() == pytest.approx(measure_uncertainty(probability, labels))
