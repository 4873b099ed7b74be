"""Text from elsewhere, as names of files, classes and patients: what of it is safe in a path, a terminal, a table.

A name may hold line breaks, sequences that steer a terminal, marks that turn the direction of writing, bytes that are
not UTF-8, or what a spreadsheet takes for a formula. Of HTML the templates take care: they escape what they are given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from amsunet.errors import InputError

_LONGEST = 100
"""Bytes of a name that becomes part of a file's name, of 255 that most file systems take."""
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Control characters, breaks of lines and paragraphs, marks of direction and of no width, and halves of characters."""
_ESCAPE = re.compile(r"\\(?:[tnr]|x[0-9a-f]{2}|u[0-9a-f]{4})")
_CELL = re.compile(r"'*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")
"""Begins a cell that spreadsheets may run, whatever the number of quotes before it."""


def name_problem(name: str) -> str:
    """What stands against a name as part of a file's name, in words; empty if nothing does.

    Args:
        name: As of a class, whose masks get it.

    Example:
        >>> name_problem("../lung")
        'holds / or \\\\'
        >>> name_problem("left lung")
        ''
    """
    if not name.strip():
        return "is empty"
    if not name.strip(". "):
        return "is only dots"
    if set(name) & set("/\\"):
        return "holds / or \\"
    if _UNSEEN.search(name):
        return "holds a character that is not seen"
    return f"is longer than {_LONGEST} bytes" if len(name.encode()) > _LONGEST else ""


def find_namesakes(names: Iterable[str]) -> tuple[str, str] | None:
    """Two names that are one to a file system that ignores case or composes accents; None if all differ.

    Args:
        names: As of classes.
    """
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in seen:
            return seen[key], name
        seen[key] = name
    return None


def problem_of_names(names: Sequence[str]) -> str:
    """What stands against names of classes, in words; empty if nothing does.

    Args:
        names: Of all classes, or of all but the background.
    """
    for name in names:
        if problem := name_problem(name):
            return f"the name {name!r:.60} {problem}"
    same = find_namesakes(names)
    return f"{same[0]} and {same[1]} are one name to some file systems" if same else ""


def _checked(name: str) -> str:
    if problem := name_problem(name):
        raise ValueError(f"the name {name!r:.60} {problem}")
    return name


SafeName = Annotated[str, AfterValidator(_checked)]
"""A field of a record that becomes part of a file's name."""


def refuse_undecodable(path: Path) -> Path:
    """Refuse a path that no record can hold, before work is spent on what could not be read again.

    Args:
        path: Of data, of a run.

    Returns:
        The path.

    Raises:
        InputError: If it is not UTF-8, itself or one of the folders that it lies in.
    """
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path.absolute()} has a name that is not UTF-8: rename it") from None
    return path


def one_line(text: str) -> str:
    r"""Write what is not seen as ``\x1b`` or ``\u202e``, so that a line stays one line and shows all that it holds.

    Args:
        text: A line that may hold names from elsewhere.

    Example:
        >>> one_line("a\nb")
        'a\\nb'
    """
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def safe_lines(text: str) -> str:
    """Each line of a text as ``one_line`` writes it.

    Args:
        text: Text whose line breaks are its own.
    """
    return "\n".join(map(one_line, text.split("\n")))


def as_cell(value: object) -> object:
    """A value as a cell of a table: one line, and with a quote before text that a spreadsheet would run. Numbers stay.

    Args:
        value: What the cell is to hold.

    Example:
        >>> as_cell("=1+1"), as_cell("-0.5"), as_cell(-0.5)
        ("'=1+1", '-0.5', -0.5)
    """
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if _CELL.match(text) and not _is_number(text) else text


def from_cell(text: str) -> str:
    """The text that ``as_cell`` made a cell of, on one line still: see ``restored``.

    Args:
        text: The cell.

    Example:
        >>> from_cell("'=1+1"), from_cell("'tis")
        ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _CELL.match(text) else text


def restored(text: str) -> str:
    r"""The text that ``one_line`` wrote: ``\x1b`` is one character again.

    Args:
        text: What was written.
    """
    return _ESCAPE.sub(lambda found: found.group().encode("ascii").decode("unicode_escape"), text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip() and "_" not in text
