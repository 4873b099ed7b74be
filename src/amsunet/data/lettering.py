"""Text on pictures in whatever script names are written, by the fonts that the machine has."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont


def draw_text(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *, size: int, fill: str) -> float:
    """Write a line with its top left corner at ``place``; a character that no font has is written as its code.

    Returns: where the line ends, in pixels from the left.
    """
    x, y = place
    for path, run in _runs(text):
        font = _load(path, size)
        # Fonts stand on one line, however tall each of them is.
        pen.text((x, y + size), run, font=font, fill=fill, anchor="ls")
        x += font.getlength(run)
    return x


def shorten(text: str, width: float, *, size: int) -> str:
    """Leave out the middle of a text that is wider than ``width`` pixels: names differ at both ends."""
    for kept in range(len(text), 0, -1):
        short = text if kept == len(text) else f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
        if _width(short, size) <= width:
            return short
    return "..."


def _width(text: str, size: int) -> float:
    return sum(_load(path, size).getlength(run) for path, run in _runs(text))


@lru_cache(1024)
def _runs(text: str) -> tuple[tuple[Path, str], ...]:
    """A text cut where the font changes."""
    composed = unicodedata.normalize("NFC", text)
    parts = []
    for character in composed:
        path = _font_of(character) if character.isprintable() else None
        parts.append((path or _usual(), character if path else ascii(character)[1:-1]))
    return tuple((path, "".join(run for _, run in runs)) for path, runs in groupby(parts, lambda part: part[0]))


@lru_cache(4096)
def _font_of(character: str) -> Path | None:
    """The first font that has a character: the usual one, then the machine's plain ones, then all others."""
    return next((path for path in _fonts() if _has(path, character)), None)


@lru_cache(1)
def _fonts() -> tuple[Path, ...]:
    from matplotlib.font_manager import fontManager  # noqa: PLC0415 - seconds, where it looks for fonts anew

    plain = sorted(fontManager.ttflist, key=lambda font: (font.style != "normal", font.weight != 400, font.name))
    # One font has a box for every character there is.
    return (_usual(), *dict.fromkeys(Path(font.fname) for font in plain if "LastResort" not in font.fname))


@lru_cache(1)
def _usual() -> Path:
    """The font that comes with Matplotlib."""
    from matplotlib import get_data_path  # noqa: PLC0415

    return Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def _has(path: Path, character: str) -> bool:
    characters = _characters(path)
    return characters is not None and ord(character) in characters


@lru_cache(256)
def _characters(path: Path) -> frozenset[int] | None:
    """The characters of a font; None of one that cannot be read or drawn."""
    from matplotlib.ft2font import FT2Font  # noqa: PLC0415

    try:
        _load(path, 12)
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return None


@lru_cache(64)
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
