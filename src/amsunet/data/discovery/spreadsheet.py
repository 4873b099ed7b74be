"""Read CSV tables as spreadsheets save them: with commas, semicolons or tabs, a byte order mark, empty rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amsunet.errors import InputError
from amsunet.regular_file import read_regular

_ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """The column names of a table, as written in it, and its rows by line number."""

    path: Path
    columns: tuple[str, ...]
    rows: dict[int, tuple[str, ...]]

    def values(self, column: int) -> list[str]:
        """The values of a column, given by its index."""
        return [row[column] for row in self.rows.values()]

    def with_values(self, column: int, values: Sequence[str]) -> Table:
        """The table with other values of a column, given by its index, one for each row."""
        rows = {
            number: (*row[:column], value, *row[column + 1 :])
            for (number, row), value in zip(self.rows.items(), values, strict=True)
        }
        return replace(self, rows=rows)


def read_text(path: Path) -> str:
    """Read a file of text in the encoding that its first bytes name, else in UTF-8, or as spreadsheets save by default.

    Args:
        path: The file.

    Raises:
        InputError: If it is no regular file.
    """
    raw = read_regular(path)
    encoding = next((name for mark, name in _ENCODINGS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def read_table(path: Path) -> Table:
    """Read a CSV file.

    Args:
        path: The file; encoding and separator are found out.

    Returns:
        The table; rows without a value are skipped, and short ones filled up.

    Raises:
        InputError: If the file is not a table, or no regular file.
    """
    text = read_text(path)
    if "\0" in text:
        raise InputError(f"{path} is not a table of text: save it as CSV")
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        # A line that names the separator, for the spreadsheet.
        separator, start = first.strip()[-1], lines.index(first) + 1
    else:
        separator, start = max(_SEPARATORS, key=first.count), lines.index(first) if first else 0
    try:
        found = list(_numbered(csv.reader(lines[start:], delimiter=separator, skipinitialspace=True), start))
    except csv.Error:
        raise InputError(f"{path} is not a table of text: save it as CSV") from None
    if not found:
        return Table(path, (), {})
    columns = tuple(found[0][1])
    width = len(columns)
    rows = {number: tuple((cells + [""] * width)[:width]) for number, cells in found[1:]}
    return Table(path, columns, rows)


def _numbered(reader: Iterator[list[str]], start: int) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, stripped, with their line numbers."""
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield start + getattr(reader, "line_num", 0), stripped


def plain(column: str) -> str:
    """A column's name for comparison: ``Patient ID`` and ``patient_id`` give the same."""
    return "".join(character for character in column.lower() if character.isalnum())


def column_called(columns: Sequence[str], names: Sequence[str]) -> int | None:
    """Find a column by name.

    Args:
        columns: The names of the columns, as written in the table.
        names: Names to look for, best first, as ``plain`` gives them.

    Returns:
        The index of the column; None if there is none.
    """
    found = [plain(column) for column in columns]
    return next((found.index(name) for name in names if name in found), None)
