"""Text on pictures in any script, with the fonts that are installed."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import ImageDraw, ImageFont

_ODD = re.compile(
    "bold|italic|oblique|light|thin|black|heavy|medium|mono|serif|myeongjo|mincho|brush|pen|hand", re.IGNORECASE
)
"""Words in the names of fonts that are harder to read at a small size than plain ones."""


def draw_text(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *, size: int, fill: str) -> float:
    """Draw a line of text; a character that no font has is drawn as its code.

    Args:
        pen: Where to draw.
        place: The top left corner of the line, in pixels.
        text: The line.
        size: Of the font, in pixels.
        fill: The colour, as Pillow takes it.

    Returns:
        Where the line ends, in pixels from the left.
    """
    x, y = place
    for path, run in _runs(text):
        font = _load(path, size)
        # Fonts stand on one line, however tall each of them is.
        pen.text((x, y + size), run, font=font, fill=fill, anchor="ls")
        x += font.getlength(run)
    return x


def shorten(text: str, width: float, *, size: int) -> str:
    """Replace the middle of a text that is too wide by dots: names differ at both ends.

    Args:
        text: The text.
        width: The most it may take, in pixels.
        size: Of the font, in pixels.

    Returns:
        The text, shortened if necessary.
    """
    for kept in range(len(text), 0, -1):
        short = text if kept == len(text) else f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"
        if _width(short, size) <= width:
            return short
    return "..."


def _width(text: str, size: int) -> float:
    return sum(_load(path, size).getlength(run) for path, run in _runs(text))


def describe_missing_fonts(texts: Iterable[str]) -> str:
    """Describe the scripts for which no font is installed, so that ``draw_text`` draws codes.

    Args:
        texts: All texts that are drawn.

    Returns:
        The scripts and what to install; empty if nothing is missing.
    """
    characters = dict.fromkeys(itertools.chain.from_iterable(unicodedata.normalize("NFC", text) for text in texts))
    missing: dict[str, str] = {}
    for character in characters:
        if character.isprintable() and _font_of(character) is None:
            script = unicodedata.name(character, "OTHER").split()[0]
            missing.setdefault("CJK" if script == "CJK" else script.capitalize(), character)
    if not missing:
        return ""
    scripts = ", ".join(f"{script} ({character})" for script, character in missing.items())
    return (
        f"no font on this machine has characters of {scripts}, which the pictures show as codes: install a font of "
        "that script, as one of the Noto family, and run this again"
    )


@lru_cache(1024)
def _runs(text: str) -> tuple[tuple[Path, str], ...]:
    """Split a text where the font changes; one font draws all that the usual font lacks, if there is such a font."""
    composed = unicodedata.normalize("NFC", text)
    lacking = {one for one in composed if one.isprintable() and not _has(_usual(), one)}
    shared = next((path for path in _others() if all(_has(path, one) for one in lacking)), None) if lacking else None
    parts = []
    for character in composed:
        path = shared if character in lacking else None
        path = path or (_font_of(character) if character.isprintable() else None)
        parts.append((path or _usual(), character if path else ascii(character)[1:-1]))
    return tuple((path, "".join(run for _, run in runs)) for path, runs in groupby(parts, lambda part: part[0]))


@lru_cache(4096)
def _font_of(character: str) -> Path | None:
    """The first font that has a character: the usual one, then the machine's plain ones, then all others."""
    if _has(_usual(), character):
        return _usual()
    return next((path for path in _others() if _has(path, character)), None)


@lru_cache(1)
def _others() -> tuple[Path, ...]:
    """All installed fonts; Matplotlib's cached list lacks fonts that were installed after it was written."""
    from matplotlib.font_manager import findSystemFonts  # noqa: PLC0415 - seconds, where it looks for fonts anew

    # One font has a box for every character there is.
    found = [Path(font) for font in findSystemFonts() if "LastResort" not in font]
    return tuple(sorted(found, key=lambda path: (bool(_ODD.search(path.stem)), path.name)))


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
