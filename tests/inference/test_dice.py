"""How validation judges one image."""

from __future__ import annotations

import pytest
import torch

from amsunet.inference.dice import classes_in, dice_by_class


def _dice(predicted, labels, classes=2, threshold=0.5):
    """Of certain predictions."""
    one_hot = torch.nn.functional.one_hot(torch.tensor([predicted]), classes).movedim(-1, 1).float()
    return dice_by_class(one_hot, torch.tensor([labels], dtype=torch.uint8), threshold).tolist()


@pytest.mark.parametrize(
    ("predicted", "labels", "expected"),
    [
        ([[0, 1, 1, 1]], [[0, 0, 1, 1]], 4 / 5),
        ([[1, 1, 0, 0]], [[0, 0, 1, 1]], 0.0),
        ([[0, 0, 0, 0]], [[0, 0, 0, 0]], 1.0),
        ([[0, 0, 0, 0]], [[0, 0, 0, 1]], 0.0),
        ([[0, 1, 0, 0]], [[0, 0, 0, 0]], 0.0),
        ([[1, 1, 1, 1]], [[255, 255, 1, 1]], 1.0),
        ([[1, 1, 1, 1]], [[255, 255, 255, 255]], float("nan")),
    ],
)
def test_dice_of_two_classes(predicted, labels, expected):
    assert _dice(predicted, labels) == pytest.approx([expected], nan_ok=True)


def test_every_class_but_the_background_is_judged_by_itself():
    assert _dice([[0, 1, 2, 2]], [[0, 1, 1, 2]], classes=3) == pytest.approx([2 / 3, 2 / 3])


@pytest.mark.parametrize(("threshold", "expected"), [(0.3, 1.0), (0.5, 0.0)])
def test_threshold_is_that_of_prediction(threshold, expected):
    probabilities = torch.tensor([0.6, 0.4]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    assert dice_by_class(probabilities, torch.ones(1, 2, 2, dtype=torch.uint8), threshold).tolist() == [expected]


def test_classes_that_are_in_labels_are_told_without_background_and_what_is_ignored():
    labels = torch.tensor([[[0, 2, 255]]], dtype=torch.uint8)
    assert classes_in(labels, 4).tolist() == [False, True, False]
