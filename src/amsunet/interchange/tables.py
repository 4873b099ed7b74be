"""Tables for spreadsheets, CSV: of one image, and those of single images joined into one of all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import atomic_write, printable
from amsunet.data.images import Array
from amsunet.interchange.calibration import Calibration
from amsunet.safe_text import as_cell
from amsunet.text_files import read_rows

_MARK = "\ufeff"
"""By which spreadsheets know UTF-8."""


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, wholly or not at all; no cell is a formula.

    Args:
        path: The file to write.
        columns: The names of its columns, which it has without a row too.
        rows: A value for each of them.

    Raises:
        InputError: If the file cannot be written.
    """
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_MARK)
        writer = csv.writer(file)
        writer.writerow([as_cell(printable(one)) for one in columns])
        writer.writerows([as_cell(printable(one)) if isinstance(one, str) else one for one in row] for row in rows)


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
    rows = (row for part in parts for row in read_rows(part, damaged=remedy))
    write_table(path, [*names], ([row.get(name, "") for name in names] for row in rows))


def in_unit(name: str, calibration: Calibration | None, pixels: Array, power: int) -> dict[str, list[float]]:
    """Lengths or areas in the unit of the pixels' size, by the name of their column; nothing if that is not known.

    Args:
        name: Of what is measured.
        calibration: The size of a pixel.
        pixels: The lengths or areas in pixels, (n,).
        power: 1 for lengths, 2 for areas.
    """
    if calibration is None:
        return {}
    unit = {"mm": "mm", "µm": "um"}[calibration.unit]
    return {f"{name}_{unit}{'' if power == 1 else power}": digits(pixels * calibration.area ** (power / 2))}


def digits(values: Array) -> list[float]:
    """Values with seven digits, as many as there are to be trusted."""
    return [float(f"{value:.7g}") for value in np.asarray(values, float).tolist()]
