"""Reading JSON and CSV that somebody else may have written: what cannot be read is an error of one sentence."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from amsunet.errors import InputError
from amsunet.regular_file import read_regular
from amsunet.safe_text import from_cell

MISSING = "missing"
"""The code of the error about a file that is not found."""
UNREADABLE = "unreadable"
"""The same of one that may not be read."""
_DEEPEST = 100
"""Levels of JSON; Python's own limit depends on who calls, and what takes the content apart has less."""


def parse_json(text: str | bytes) -> Any:
    """The content of JSON.

    Args:
        text: As it was read.

    Raises:
        ValueError: For text that is no JSON, or is nested deeper than any record is.
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    level = [content]
    for _ in range(_DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list)
                 for inner in (one.values() if isinstance(one, dict) else one)]  # fmt: skip
        if not level:
            return content
    raise ValueError("it is nested too deep")


def read_json(path: Path, *, damaged: str = "copy it again", missing: str = "copy it again") -> Any:
    """Read a file of JSON.

    Args:
        path: The file.
        damaged: What to do if it cannot be read: the end of the sentence.
        missing: What to do if it is not found.

    Returns:
        Its content.

    Raises:
        InputError: If it cannot be read, or is no regular file; of the code ``MISSING`` if it is not found.
    """
    try:
        return parse_json(read_regular(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: {missing}", code=MISSING) from None
    except InputError:
        raise
    except PermissionError:
        raise InputError(f"{path} may not be read: change its permissions", code=UNREADABLE) from None
    except (ValueError, OSError):
        raise InputError(f"{path} is damaged: {damaged}") from None


def read_rows(path: Path, *, damaged: str = "copy it again") -> list[dict[str, str]]:
    """Read a table that ``write_csv`` wrote.

    Args:
        path: A CSV file.
        damaged: What to do if it cannot be read: the end of the sentence.

    Returns:
        Each row by the names of its columns, without the quotes that keep spreadsheets from running a cell.

    Raises:
        InputError: If it cannot be read as a table.
    """
    try:
        lines = read_regular(path).decode("utf-8-sig").splitlines(keepends=True)
        header, *rows = csv.reader(lines)
        names = [from_cell(name) for name in header]
        return [dict(zip(names, map(from_cell, row), strict=False)) for row in rows if row]
    except FileNotFoundError:
        raise InputError(f"{path} is missing: {damaged}", code=MISSING) from None
    except InputError:
        raise
    except (ValueError, OSError, csv.Error):
        raise InputError(f"{path} is no table that can be read: {damaged}") from None
