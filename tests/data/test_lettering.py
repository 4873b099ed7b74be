"""Text on pictures."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageDraw

from amsunet.data.lettering import _fonts, _has, _runs, draw_text, shorten


def _drawn(text: str) -> np.ndarray:
    canvas = Image.new("L", (400, 40), 0)
    end = draw_text(ImageDraw.Draw(canvas), (5, 5), text, size=14, fill="white")  # type: ignore[arg-type]
    pixels = np.asarray(canvas)
    assert not pixels[:, round(end) + 2 :].any()
    return pixels


@pytest.mark.parametrize("text", ["Prüfling ä", "русский", "Ελληνικά"])
def test_what_the_usual_font_has_is_written_with_it(text: str) -> None:
    assert [run for _, run in _runs(text)] == [text] and _runs(text)[0][0] == _fonts()[0]
    assert _drawn(text).any()
    assert np.array_equal(_drawn(unicodedata.normalize("NFD", "ä")), _drawn("ä"))


@pytest.mark.parametrize("text", ["細胞", "한글", "\U000f0000", "a\nb", "\udcff"])
def test_no_box_stands_for_a_character(text: str) -> None:
    for path, run in _runs(text):
        assert all(_has(path, character) for character in run)
    written = "".join(run for _, run in _runs(text))
    assert written == text or "\\" in written


def test_a_character_that_no_font_has_is_written_as_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _fonts()[:1]
    monkeypatch.setattr("amsunet.data.lettering._fonts", lambda: usual)
    monkeypatch.setattr("amsunet.data.lettering._font_of", lambda one: usual[0] if _has(usual[0], one) else None)
    _runs.cache_clear()
    assert [run for _, run in _runs("細_1")] == [r"\u7d30_1"]
    _runs.cache_clear()


@pytest.mark.parametrize("text", ["short", "a name that goes on and on and on (train), 12.0%"])
def test_long_names_lose_their_middle(text: str) -> None:
    short = shorten(text, 120, size=13)
    assert short[:3] == text[:3] and short[-3:] == text[-3:]
    assert (short == text) == (text == "short") and ("..." in short) == (text != "short")
