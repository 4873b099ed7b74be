"""Options for how a data set is read, made from the fields that they are written in once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from amsunet.cli.fields import field_option
from amsunet.cli.options import Command, options
from amsunet.data.options import OPTIONS, read_options

_METAVARS = {
    "classes": "V,V,...",
    "class_names": "A,B,...",
    "group": "REGEX",
    "spacing": "SIZE",
    "channels": "A,B,...",
    "axes": "AXES",
}


def data_options(*left_out: str) -> Callable[[Command], Command]:
    """Give a command an option for everything that is set of a data set, and ``data_options`` made of them.

    Args:
        left_out: Those that the command does not have.
    """
    names = [name for name in OPTIONS if name not in left_out]

    def add(function: Command) -> Command:
        @wraps(function)
        def collected(*arguments: Any, **values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            return function(*arguments, data_options=read_options(given), **values)

        return options(*(_option(name) for name in names))(collected)  # type: ignore[return-value]

    return add


def _option(name: str) -> Callable[[Command], Command]:
    field = OPTIONS[name]
    default = field.get_default()
    shown = "" if default in (None, False) else f"default {default:g}"
    return field_option(name, field, shown, switch=True, metavar=_METAVARS.get(name))
