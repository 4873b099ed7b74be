"""Text on pictures."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from amsunet.data import fonts
from amsunet.data.fonts import _has, _others, _runs, _usual, describe_missing_fonts, draw_text, shorten


def _drawn(text: str) -> np.ndarray:
    canvas = Image.new("L", (400, 40), 0)
    end = draw_text(ImageDraw.Draw(canvas), (5, 5), text, size=14, fill="white")  # type: ignore[arg-type]
    pixels = np.asarray(canvas)
    assert not pixels[:, round(end) + 2 :].any()
    return pixels


@pytest.mark.parametrize("text", ["Prüfling ä", "русский", "Ελληνικά"])
def test_what_the_usual_font_has_is_written_with_it(text: str) -> None:
    assert [run for _, run in _runs(text)] == [text] and _runs(text)[0][0] == _usual()
    assert _drawn(text).any()
    assert np.array_equal(_drawn(unicodedata.normalize("NFD", "ä")), _drawn("ä"))


@pytest.mark.parametrize("text", ["細胞", "한글", "\U000f0000", "a\nb", "\udcff"])
def test_no_box_stands_for_a_character(text: str) -> None:
    for path, run in _runs(text):
        assert all(_has(path, character) for character in run)
    written = "".join(run for _, run in _runs(text))
    assert written == text or "\\" in written


@pytest.fixture
def only_these_fonts(monkeypatch: pytest.MonkeyPatch):
    """Make these the only fonts of the machine beside the usual one."""
    cached = (_runs, fonts._font_of, _others)

    def use(*paths: Path) -> None:
        for one in cached:
            one.cache_clear()
        monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [str(path) for path in paths])

    yield use
    for one in cached:
        one.cache_clear()


def test_a_character_that_no_font_has_is_written_as_its_code_with_a_warning(only_these_fonts) -> None:
    only_these_fonts()
    assert [run for _, run in _runs("細_1")] == [r"\u7d30_1"]
    warning = describe_missing_fonts(["細胞 7", "한글", "ä\n"])
    assert warning.startswith(
        "no font on this machine has characters of CJK (細), Hangul (한), which the pictures show as"
    )
    assert describe_missing_fonts(["Prüfling 7\n", ""]) == ""


def test_a_font_that_was_just_installed_is_used(only_these_fonts, tmp_path) -> None:
    bold = Path(_usual()).with_name("DejaVuSans-Bold.ttf")
    plain = shutil.copy(_usual(), tmp_path / "Zz.ttf")
    (tmp_path / "broken.ttf").write_bytes(b"none")
    only_these_fonts(bold, tmp_path / "broken.ttf", plain)
    assert [path.name for path in _others()] == ["Zz.ttf", "broken.ttf", bold.name]
    assert fonts._characters(tmp_path / "broken.ttf") is None and _runs("細")[0][1] == r"\u7d30"


def test_what_the_usual_font_lacks_is_of_one_font_where_one_has_all_of_it(only_these_fonts, monkeypatch) -> None:
    one, other = Path("a.ttf"), Path("b.ttf")
    only_these_fonts(one, other)
    holds = {_usual(): set("ab "), one: set("細"), other: set("細胞")}
    monkeypatch.setattr(fonts, "_characters", lambda path: frozenset(map(ord, holds[path])))
    assert _runs("a 細胞 b") == ((_usual(), "a "), (other, "細胞"), (_usual(), " b"))
    assert _runs("a 細") == ((_usual(), "a "), (one, "細"))
    assert _runs("胞한") == ((other, "胞"), (_usual(), r"\ud55c"))


@pytest.mark.parametrize("text", ["short", "a name that goes on and on and on (train), 12.0%"])
def test_long_names_lose_their_middle(text: str) -> None:
    short = shorten(text, 120, size=13)
    assert short[:3] == text[:3] and short[-3:] == text[-3:]
    assert (short == text) == (text == "short") and ("..." in short) == (text != "short")
