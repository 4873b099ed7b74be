"""Tables as spreadsheets save them: with commas, semicolons or tabs, with marks of encoding and empty rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from amsunet.errors import InputError

_ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Table:
    """The columns of a table, as they are called in it, and its rows by line number."""

    path: Path
    columns: tuple[str, ...]
    rows: dict[int, tuple[str, ...]]

    def values(self, column: int) -> list[str]:
        return [row[column] for row in self.rows.values()]


def read_table(path: Path) -> Table:
    """Read a CSV file; rows without a value are passed over, and short ones filled up.

    Raises: InputError if it is no table.
    """
    raw = path.read_bytes()
    encoding = next((name for mark, name in _ENCODINGS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")  # as spreadsheets save where they are not asked
    if "\0" in text:
        raise InputError(f"{path} is not a table of text: save it as CSV")
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        # What a spreadsheet writes in front for itself.
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
    """The rows that hold anything, stripped, with the numbers of their lines."""
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield start + getattr(reader, "line_num", 0), stripped


def plain(column: str) -> str:
    """A column's name for comparison: ``Patient ID`` and ``patient_id`` are one."""
    return "".join(character for character in column.lower() if character.isalnum())


def column_called(columns: Sequence[str], names: Sequence[str]) -> int | None:
    """The column with the first of the names that any column has."""
    found = [plain(column) for column in columns]
    return next((found.index(name) for name in names if name in found), None)
