"""Which column of a table names splits."""

from __future__ import annotations

from amsunet.data.discovery.spreadsheet import Table, column_called
from amsunet.data.discovery.words import split_of


def find_split_column(table: Table) -> int | None:
    """Find the column that names splits.

    Args:
        table: Any table.

    Returns:
        The index of the column: by its name, else the only one whose cells are names of two splits or three and nothing
        else, as a ``phase`` or a ``usage``; None if there is none.
    """
    called = column_called(table.columns, ("split", "subset", "set", "partition"))
    if called is not None:
        return called
    cells = [{cell for cell in table.values(index) if cell} for index in range(len(table.columns))]
    splits = [{split_of(cell) if cell.isalpha() else None for cell in here} for here in cells]
    found = [index for index, here in enumerate(splits) if len(here) > 1 and None not in here]
    return found[0] if len(found) == 1 else None
