"""Options under the names that earlier versions gave them."""

from __future__ import annotations

import click

FORMER = {
    "--windowing": "--normalization",
    "--average-weights": "--ema",
    "--no-average-weights": "--no-ema",
    "--from": "--pretrained",
}
"""Today's name of an option by its former one."""


class Commands(click.Group):
    """A group whose commands take their options under former names too, and say today's in one line."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        known = {word for parameter in command.params for word in parameter.opts} if command else set()
        return name, command, [_todays(word, known) for word in rest]


def _todays(word: str, known: set[str]) -> str:
    option, equals, value = word.partition("=")
    if option not in FORMER or option in known:
        return word
    click.echo(f"note: {option} is called {FORMER[option]} now", err=True)
    return f"{FORMER[option]}{equals}{value}"
