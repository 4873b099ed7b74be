"""Findings above the scores, from small label arrays."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.data.masks import IGNORE_INDEX
from amsunet.evaluation.findings import PixelCounts
from amsunet.evaluation.metrics import score_image

SIDE = 16
EMPTY = np.zeros((SIDE, SIDE), np.uint8)
IGNORING = np.full((SIDE, SIDE), IGNORE_INDEX, np.uint8)


def square(label: int = 1, start: int = 2, size: int = 8) -> np.ndarray:
    out = EMPTY.copy()
    out[start : start + size, start : start + size] = label
    return out


def pixel_counts(pairs, classes=("background", "disc")) -> PixelCounts:
    """Pixel counts from the reference and the prediction of each image."""
    scores = {}
    for number, (true, found) in enumerate(pairs):
        probability = np.stack([(found == label).astype(np.float32) for label in range(len(classes))])
        scores[f"image{number}"] = score_image(probability, found, true)
    return PixelCounts.from_scores(scores, classes[1:])


def findings(pairs, classes=("background", "disc")) -> str:
    found = pixel_counts(pairs, classes)
    return "\n".join(found.describe_data() + found.describe_network())


def test_good_masks_need_no_words():
    assert findings([(square(), square(start=3))] * 5) == ""
    assert findings([(square(), square()), (EMPTY, EMPTY), (EMPTY, square())]) == "", "empty images are no fault"


def test_nothing_to_be_found():
    text = findings([(EMPTY, EMPTY)] * 4)
    assert text == "no image holds disc, and none is marked: there is no Dice, evaluate on images with objects"
    assert "no image holds disc, and 1 of 4 are marked all the same" in findings(
        [(EMPTY, EMPTY)] * 3 + [(EMPTY, square())]
    )


def test_masks_that_look_inverted():
    left, right = EMPTY.copy(), EMPTY.copy()
    left[:, :7], right[:, 7:] = 1, 1
    right[0, 0] = 1
    (text,) = pixel_counts([(left, right)] * 3).describe_inversion("turn them")
    assert text.startswith("Dice of all pixels is 0.0") and text.endswith("if their masks are inverted, turn them")
    assert "and 0.99" in text
    everything = np.ones_like(EMPTY)
    for true, found in ((left, left), (EMPTY, right), (left, EMPTY), (square(size=3), everything), (left, square())):
        assert pixel_counts([(true, found)] * 3).describe_inversion("turn them") == []
    several = pixel_counts([(left, right)], ("background", "one", "two"))
    assert several.describe_inversion("turn them") == []


@pytest.mark.parametrize("empty", [0, 2])
def test_a_network_that_marks_nothing(empty):
    text = findings([(square(), EMPTY)] * 10 + [(EMPTY, EMPTY)] * empty)
    assert text == "the network marks nothing in any image" + ": Dice is 1 only where there is nothing" * (empty > 0)


def test_a_single_stray_pixel_is_next_to_nothing():
    stray = EMPTY.copy()
    stray[0, 0] = 1
    text = findings([(square(size=12), stray)] + [(square(size=12), EMPTY)] * 3)
    assert "the network marks almost nothing: 1 pixels, where 576 are disc" in text


def test_a_network_that_marks_everything():
    assert "marks everything: 100 % of the pixels, where 25 % are disc" in findings([(square(), EMPTY + 1)] * 3)
    full = EMPTY + 1
    assert findings([(full, full)] * 3) == "", "so is the truth"
    three = ("background", "liver", "spleen")
    text = findings([(square(), EMPTY + 2), (square(2), EMPTY + 2)], three)
    assert "marks everything as spleen" in text and "liver is never found: it is in 1 of 2 images" in text


def test_classes_that_do_not_occur_and_that_are_not_found():
    three = ("background", "liver", "spleen")
    both = square() + square(2, start=11, size=4)
    text = findings([(both, square())] * 4, three)
    assert text == "spleen is never found: it is in 4 of 4 images"
    assert (
        findings([(square(), square())] * 4, three) == "spleen does not occur in these images: left out of every mean"
    )
    text = findings([(square(), both), (square(), square())], three)
    assert "spleen does not occur in these images but is marked in 1 of them: left out of every mean" in text
    wrong = square() + square(2, start=11, size=2)
    moved = square() + square(2, start=13, size=2)
    assert findings([(wrong, moved)] * 4, three) == "spleen is marked, but nowhere where it is: it is in 4 of 4 images"
    assert "spleen is in one image only (image0)" in findings([(both, both)] + [(square(), square())] * 3, three)


def test_images_without_a_pixel_that_counts():
    text = findings([(IGNORING, square()), (square(), square()), (square(), square())])
    assert text == "1 of 3 images has only ignored pixels (as image0): left out of every score"
    assert findings([(IGNORING, square())] * 2) == "all pixels of all images are ignored: there is nothing to score"


def test_classes_with_a_score():
    three = ("background", "liver", "spleen")
    assert pixel_counts([(square(), square())], three).labels == (1,)
    assert pixel_counts([(square(), square(2))], three).labels == (1,), "marked alone is not there"
    assert pixel_counts([(EMPTY, EMPTY), (IGNORING, square())], three).labels == ()
