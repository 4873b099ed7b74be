"""Options under the names that earlier versions gave them."""

from __future__ import annotations

import click

from amsunet.console import echo

FORMER = {
    "--windowing": "--normalization",
    "--average-weights": "--ema",
    "--no-average-weights": "--no-ema",
    "--from": "--pretrained",
    "--model": "--model-file",
}
"""Today's name of an option by its former one, where a command has today's and not the former one."""
VIEWS = {
    ("--flips",): "--tta flips",
    ("--turns",): "--tta rotations",
    ("--flips", "--turns"): "--tta d4",
}
"""Today's option by former switches, which went together."""


class Commands(click.Group):
    """A group whose commands take their options under former names too, and name today's in one line."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        known = {word for parameter in command.params for word in parameter.opts} if command else set()
        words = [_todays(word, known) if word.startswith("-") else word for word in rest]
        return name, command, _with_views(words, known)


def _todays(word: str, known: set[str]) -> str:
    option, equals, value = word.partition("=")
    if option in known or FORMER.get(option) not in known:
        return word
    _note(option, FORMER[option])
    return f"{FORMER[option]}{equals}{value}"


def _with_views(words: list[str], known: set[str]) -> list[str]:
    former = tuple(sorted({"--flips", "--turns"}.intersection(words)))
    if not former or "--tta" not in known:
        return words
    _note(" ".join(former), VIEWS[former])
    return [*VIEWS[former].split(), *(word for word in words if word not in former)]


def _note(former: str, todays: str) -> None:
    echo(f"note: {former} is called {todays} now", err=True)
