"""Tables for spreadsheets, CSV: of one image, and those of single images joined into one of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from amsunet.atomic_io import atomic_write, csv_line, printable
from amsunet.interchange.calibration import Calibration
from amsunet.text_files import read_rows

_MARK = "\ufeff"
"""By which spreadsheets know UTF-8."""


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a table, wholly or not at all; what a row lacks stays empty, and no cell is a formula.

    Args:
        path: The file to write.
        columns: The names of its columns, which it has without a row too.
        rows: Values by the names of their columns.

    Raises:
        InputError: If the file cannot be written.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_MARK + csv_line(columns) + "\r\n")
        for row in rows:
            file.write(printable(csv_line([row.get(name, "") for name in columns])) + "\r\n")


def join_tables(parts: Sequence[Path], path: Path, columns: Sequence[str]) -> None:
    """Join tables one below the other, under all their columns; what a table lacks stays empty.

    One table is in memory at a time: those of thousands of images would not all fit.

    Args:
        parts: Tables of single images.
        path: The file to write.
        columns: The names of the first columns; those that only some tables have follow.

    Raises:
        InputError: If a part cannot be read, or the file cannot be written.
    """
    remedy = "remove it and predict the image again"
    names = dict.fromkeys(columns)
    for part in parts:
        for row in read_rows(part, damaged=remedy)[:1]:
            names |= dict.fromkeys(row)
    write_table(path, [*names], (row for part in parts for row in read_rows(part, damaged=remedy)))


def in_unit(name: str, calibration: Calibration | None, pixels: float, power: int) -> dict[str, float]:
    """A length or an area in the unit of the pixels' size, by the name of its column; nothing if that is not known.

    Args:
        name: Of what is measured.
        calibration: The size of a pixel.
        pixels: The length or area in pixels.
        power: 1 for a length, 2 for an area.
    """
    if calibration is None:
        return {}
    unit = {"mm": "mm", "µm": "um"}[calibration.unit]
    value = pixels * calibration.area ** (power / 2)
    return {f"{name}_{unit}{'' if power == 1 else power}": float(f"{value:.7g}")}
