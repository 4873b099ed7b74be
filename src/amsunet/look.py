"""The colours of pages, reports and contact sheets: those of ``page/look.css``, which all of them share."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STYLE = Path(__file__).parent / "page" / "look.css"
_COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")


@cache
def page_colour(name: str) -> str:
    """A colour of the page by its name.

    Args:
        name: As in the stylesheet, without the two dashes.

    Returns:
        It as ``#rrggbb``.

    Example:
        >>> page_colour("paper")
        '#ffffff'
    """
    found: dict[str, str] = dict(_COLOUR.findall(STYLE.read_text(encoding="utf-8")))
    return found[name]
