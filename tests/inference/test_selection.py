"""The fastest runtime is taken of those that agree."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.inference import selection
from amsunet.inference.selection import Fastest


class _Sleeper:
    """Logits by the brightness of a pixel, after a while by the clock of these tests."""

    now = 0.0

    def __init__(self, name, seconds, change=lambda logits: logits):
        self.name = name
        self.seconds = seconds
        self.change = change
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        _Sleeper.now += self.seconds
        x = images[:, :1].astype(np.float32) / 25 - 5
        return self.change(np.concatenate((-x, x), axis=1))


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 3, 32, 40), np.uint8)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(selection.time, "perf_counter", lambda: _Sleeper.now)


def _wrong(logits):
    return -logits


def _background_alone(logits):
    return np.stack((logits[:, 0] + 100, logits[:, 1] - 100), axis=1)


def _no_numbers(logits):
    return np.full_like(logits, np.nan)


def test_the_fastest_is_taken_and_said(images, said):
    slow, usual, fast = (_Sleeper(*each) for each in (("slow", 0.3), ("usual", 0.2), ("fast", 0.01)))
    chosen = Fastest([slow, usual, fast], usual, 0.5)
    assert chosen.name == "the fastest of slow, usual, fast"
    assert np.array_equal(chosen(images), fast(images))
    assert chosen.name == "fast"
    (line,) = said
    assert line == "fast is the fastest of 3: 20.0 times usual"
    calls = slow.calls, usual.calls
    chosen(images)
    assert (slow.calls, usual.calls) == calls, "measured once"


def test_measuring_takes_about_a_second_for_each(images):
    slow, slower = _Sleeper("slow", 0.4), _Sleeper("slower", 0.6)
    start = _Sleeper.now
    Fastest([slow, slower], slow, 0.5)._choose(images)
    assert 2 <= _Sleeper.now - start <= 2 + 2 * (0.4 + 0.6)


@pytest.mark.parametrize("change", [_wrong, _background_alone, _no_numbers])
def test_what_gives_other_masks_is_left_out_however_fast(images, change, said):
    exact, broken = _Sleeper("exact", 0.01), _Sleeper("broken", 0, change)
    chosen = Fastest([exact, broken], exact, 0.5)
    assert np.array_equal(chosen(images), exact(images))
    assert any("broken is left out" in line for line in said)


def test_empty_masks_do_not_agree_by_chance(said):
    """With nothing to be found no label differs, but the probabilities tell."""
    black = np.zeros((1, 3, 32, 32), np.uint8)
    exact = _Sleeper("exact", 0.01, lambda logits: logits / 20)
    broken = _Sleeper("broken", 0, _background_alone)
    Fastest([exact, broken], exact, 0.5)(black)
    assert any("broken is left out" in line for line in said)


def test_small_differences_are_allowed(images):
    exact, rounded = _Sleeper("exact", 0.01), _Sleeper("rounded", 0.001, lambda logits: logits + np.float32(1e-3))
    chosen = Fastest([exact, rounded], exact, 0.5)
    chosen(images)
    assert chosen.name == "rounded"
