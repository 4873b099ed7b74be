"""Which column of a table names splits."""

from __future__ import annotations

from amsunet.data.discovery.spreadsheet import Table, column_called
from amsunet.data.discovery.words import split_of, words_of

_FLAGS = frozenset({"", "0", "1", "true", "false", "yes", "no", "x"})


def find_split_column(table: Table) -> int | None:
    """Find the column that names splits.

    Args:
        table: Any table.

    Returns:
        The index of the column: by its name, else the only one whose cells are names of two splits or three and nothing
        else, as a ``phase`` or a ``usage``; None if there is none.
    """
    called = column_called(table.columns, ("split", "subset", "set", "partition", "datasplit", "datasetsplit", "usage"))
    if called is not None:
        return called
    cells = [{cell for cell in table.values(index) if cell} for index in range(len(table.columns))]
    splits = [{split_of(cell) if cell.isalpha() else None for cell in here} for here in cells]
    found = [index for index, here in enumerate(splits) if len(here) > 1 and None not in here]
    return found[0] if len(found) == 1 else None


def find_flag_of_split(table: Table) -> str | None:
    """The name of a column that says of one split alone what is in it, as ``is_test`` of 0 and 1; None without one."""
    for index, name in enumerate(table.columns):
        words = [word for word in words_of(name) if word not in ("is", "in")]
        if len(words) == 1 and split_of(words[0]) and {cell.lower() for cell in table.values(index)} <= _FLAGS:
            return name
    return None
