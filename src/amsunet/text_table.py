"""Tables as text, for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from unicodedata import combining, east_asian_width

_WIDE = 140
"""Characters of a line, at most."""


def aligned(cells: Sequence[Sequence[str]], wide: int = _WIDE, *, right: Collection[int] = ()) -> list[str]:
    """Align cells in columns, separated by two spaces.

    Columns that do not fit into a line follow below, again behind the first one.

    Args:
        cells: Rows of cells, all of one length.
        wide: The most characters of a line.
        right: Columns, from 0, that end at the same place in place of beginning there, as numbers do.

    Returns:
        The lines.
    """
    widths = [max(map(_width, column)) + 2 for column in zip(*cells, strict=True)]
    blocks: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        if len(blocks[-1]) > 1 and sum(widths[one] for one in blocks[-1]) + widths[column] > wide:
            blocks.append([0])
        blocks[-1].append(column)

    def filled(line: Sequence[str], column: int) -> str:
        room = " " * (widths[column] - 2 - _width(line[column]))
        return f"{room}{line[column]}  " if column in right else f"{line[column]}{room}  "

    return ["".join(filled(line, one) for one in block).rstrip() for block in blocks for line in cells]


def _width(text: str) -> int:
    """Columns that a text takes on a terminal: Chinese, Japanese and Korean signs take two."""
    return sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in text)
