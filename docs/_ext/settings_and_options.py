"""Directives that write what the code says: ``options`` of the commands, ``settings`` of the plan, ``data-options``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Options(SphinxDirective):
    """A section for each command: what it does, how it is called, and its options."""

    def run(self) -> list[nodes.Node]:
        from amsunet.cli import cli  # noqa: PLC0415 - the site builds its other pages without it

        return [self._section(name, command, parent) for name, command, parent in _commands(cli)]

    def _section(self, name: str, command: click.Command, parent: click.Context) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(name)])
        context = click.Context(command, parent, info_name=name.rsplit(maxsplit=1)[-1])
        section += nodes.title("", "", nodes.literal("", name))
        section += nodes.literal_block("", command.get_usage(context).removeprefix("Usage: "), language="text")
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            section += nodes.paragraph("", " ".join(paragraph.split()))
        records = [parameter.get_help_record(context) for parameter in command.params]
        section += _definitions([record for record in records if record is not None])
        return section


class Settings(SphinxDirective):
    """A line for each setting of the plan: its name, its values and default, and what it is."""

    def run(self) -> list[nodes.Node]:
        from amsunet.training.plan_schema import SETTINGS, default_of  # noqa: PLC0415 - as above

        records = []
        for name, field in SETTINGS.items():
            default = default_of(name)
            values = "; ".join(filter(None, (_values(field.annotation), default)))
            records.append((f"{name}: {values}", field.description or ""))
        return [_definitions(records)]


class DataOptions(SphinxDirective):
    """A line for each option of a data set, in the same form."""

    def run(self) -> list[nodes.Node]:
        from amsunet.data.options import OPTIONS  # noqa: PLC0415 - as above

        records = []
        for name, field in OPTIONS.items():
            default = field.get_default()
            shown = "" if default in (None, False) else f"default {default:g}"
            records.append(
                (f"{name}: {'; '.join(filter(None, (_values(field.annotation), shown)))}", field.description or "")
            )
        return [_definitions(records)]


def _commands(
    group: click.Group, parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """All commands below a group, by the words that call them."""
    context = click.Context(group, parent, info_name=group.name if parent else "amsunet")
    for name, command in group.commands.items():
        yield f"{context.command_path} {name}", command, context
        if isinstance(command, click.Group):
            yield from _commands(command, context)


def _definitions(records: list[tuple[str, str]]) -> nodes.definition_list:
    listed = nodes.definition_list()
    for term, text in records:
        item = nodes.definition_list_item("", nodes.term("", "", nodes.literal("", term)))
        item += nodes.definition("", *_marked(text))
        listed += item
    return listed


def _marked(text: str) -> list[nodes.Node]:
    """A paragraph whose ``words`` are code."""
    parts = text.split("``")
    marked = [nodes.literal("", part) if number % 2 else nodes.Text(part) for number, part in enumerate(parts) if part]
    return [nodes.paragraph("", "", *marked)] if marked else []


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


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("options", Options)
    app.add_directive("settings", Settings)
    app.add_directive("data-options", DataOptions)
    return {"parallel_read_safe": True}
