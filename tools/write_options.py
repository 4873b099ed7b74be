"""Write the options of all commands, and all settings, into the documentation: ``python tools/write_options.py``.

They are plain Markdown between two comments, which reads alike as a file, on a code host and as a site. A test holds
them to the code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

DOCS = Path(__file__).resolve().parents[1] / "docs"
_BLOCK = re.compile(r"(<!-- ([a-z]+): written by tools/write_options\.py -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with what is written between its comments as the code has it.

    Args:
        text: Of the page.
    """
    parts = {"options": _options, "settings": _settings, "data": _data_options}
    return _BLOCK.sub(lambda block: f"{block[1]}\n{parts[block[2]]()}\n\n{block[3]}", text)


def _options() -> str:
    """A section for each command: what it does, how it is called, and its options."""
    from amsunet.cli import cli  # noqa: PLC0415 - the other parts need no commands

    return "\n\n".join(_section(name, command, parent) for name, command, parent in _commands(cli))


def _section(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, parent, info_name=name.rsplit(maxsplit=1)[-1])
    usage = command.get_usage(context).removeprefix("Usage: ")
    paragraphs = [" ".join(text.split()) for text in inspect.cleandoc(command.help or "").split("\n\n")]
    records = [parameter.get_help_record(context) for parameter in command.params]
    listed = _listed([(f"`{record[0]}`", record[1]) for record in records if record is not None and record[1]])
    parts = [f"### `{name}`", f"```text\n{usage}\n```", *map(_escaped, paragraphs), *([listed] if listed else [])]
    return "\n\n".join(parts)


def _settings() -> str:
    """A line for each setting of the plan: its name, its values and default, and what it is."""
    from amsunet.training.plan_schema import SETTINGS, default_of  # noqa: PLC0415 - as above

    return _listed([
        _described(name, field.annotation, default_of(name), field.description) for name, field in SETTINGS.items()
    ])  # fmt: skip


def _data_options() -> str:
    """A line for each option of a data set, in the same form."""
    from amsunet.data.options import OPTIONS  # noqa: PLC0415 - as above

    records = []
    for name, field in OPTIONS.items():
        default = field.get_default()
        shown = "" if default in (None, False) else f"default {default:g}"
        records.append(_described(name, field.annotation, shown, field.description))
    return _listed(records)


def _described(name: str, hint: Any, default: str, text: str | None) -> tuple[str, str]:
    return f"`{name}` ({'; '.join(filter(None, (_escaped(_values(hint)), default)))})", text or ""


def _commands(
    group: click.Group, parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """All commands below a group, by the words that call them."""
    context = click.Context(group, parent, info_name=group.name if parent else "amsunet")
    for name, command in group.commands.items():
        yield f"{context.command_path} {name}", command, context
        if isinstance(command, click.Group):
            yield from _commands(command, context)


def _listed(records: list[tuple[str, str]]) -> str:
    return "\n".join(f"- {term}: {_escaped(' '.join(text.split()))}" for term, text in records)


def _escaped(text: str) -> str:
    """A help text as Markdown: its ``words`` and the range of a number become `words`, nothing else has a meaning."""
    parts = re.sub(r"\[([^\]]*\bx\b[^\]]*)\]$", r"``\1``", text).split("``")
    return "".join(
        f"`{part}`" if number % 2 else re.sub(r"[*<]", r"\\\g<0>", part) for number, part in enumerate(parts)
    )


def _values(hint: Any) -> str:
    """A type as a person would say it."""
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    if hint is type(None):
        return "none"
    if inspect.isclass(hint) and not get_args(hint):
        return {"int": "whole number", "float": "number", "str": "text", "bool": "true | false"}.get(
            hint.__name__, hint.__name__
        )
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        return f"list of {_values(parts[0])}" if parts[-1] is ... else " x ".join(map(_values, parts))
    if get_origin(hint) is dict:
        return "NAME=VALUE"
    if hasattr(hint, "__metadata__"):
        return _values(get_args(hint)[0])
    return " | ".join(map(_values, get_args(hint))) or str(hint)


if __name__ == "__main__":
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        if (after := filled(before)) != before:
            page.write_text(after, encoding="utf-8")
