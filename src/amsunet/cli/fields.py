"""Options of the command line made from the fields of a pydantic model, where each is written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from amsunet.cli.options import Command
from amsunet.wording import flag as flag_of


def field_option(
    name: str, field: FieldInfo, default: str, *, switch: bool = False, **details: Any
) -> Callable[[Command], Command]:
    """The option of a field, which gives None where it is not set.

    Args:
        name: Of the field, from which its flag is made.
        field: Its type, bounds and description.
        default: What it is when left out, in words, for the help; empty where its description is all there is.
        switch: Of a truth value: there is the flag alone, and none to turn it off.
        details: Of ``click.option``, in place of those made of the field; ``flags`` are other names of it.
    """
    flags = [f"--{flag_of(name)}", *details.pop("flags", ())]
    hint = _plain(field.annotation)
    made: dict[str, Any] = {"default": None, "help": _help(field, default)}
    if get_origin(hint) is Literal:
        made["type"] = click.Choice(get_args(hint))
    elif hint is bool and switch:
        made |= {"is_flag": True, "flag_value": True}
    elif hint is bool:
        flags[0] = f"{flags[0]}/--no-{flags[0].removeprefix('--')}"
    elif hint in (int, float):
        made["type"] = _range(hint, field) if _bounds(field) else hint
    return click.option(*flags, name, **made | details)


def _plain(hint: Any) -> Any:
    """A type without what it is annotated with, and without None."""
    if hasattr(hint, "__metadata__"):
        return _plain(get_args(hint)[0])
    parts = [part for part in get_args(hint) if part is not type(None)]
    return _plain(parts[0]) if type(None) in get_args(hint) and len(parts) == 1 else hint


def _bounds(field: FieldInfo) -> dict[str, Any]:
    """What a number is held between: by the field, or by its type where that may be None."""
    of_type = [one for part in get_args(field.annotation) for one in getattr(part, "__metadata__", ())]
    bounds = [*field.metadata, *(bound for one in of_type if isinstance(one, FieldInfo) for bound in one.metadata)]
    return {key: getattr(bound, key) for bound in bounds for key in ("ge", "gt", "le", "lt") if hasattr(bound, key)}


def _range(hint: Any, field: FieldInfo) -> click.ParamType[Any]:
    """The numbers that a field may have."""
    bounds = _bounds(field)
    kind: Any = click.IntRange if hint is int else click.FloatRange
    return kind(  # type: ignore[no-any-return]
        min=bounds.get("ge", bounds.get("gt")),
        max=bounds.get("le", bounds.get("lt")),
        **({"min_open": "gt" in bounds, "max_open": "lt" in bounds} if hint is float else {}),
    )


def _help(field: FieldInfo, default: str) -> str:
    text = " ".join((field.description or "").replace("``", "").split())
    return f"{text.removesuffix('.')} ({default})." if default else text
