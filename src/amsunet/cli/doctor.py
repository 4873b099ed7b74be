"""``amsunet doctor``: what is installed, what it can do here, and what is wrong."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from amsunet.installation import Installation

_WIDTH = 100


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor(as_json: bool) -> None:
    """Show what is installed, what it can do on this machine, and what is wrong, with the remedy.

    All packages are imported once, in a process of its own: that takes seconds. The exit code is 1 if something is
    wrong.
    """
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    from amsunet.installation import inspect_installation  # noqa: PLC0415

    found = inspect_installation()
    click.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False) if as_json else _as_text(found))
    if found.problems:
        raise SystemExit(1)


def _as_text(found: Installation) -> str:
    from amsunet.optional import install_command  # noqa: PLC0415

    machine = found.machine
    memory = machine["free_memory"]
    installed = {
        extra: f"not installed: {install_command(extra)}"
        if all(one.version is None for one in packages)
        else ", ".join(map(str, packages))
        for extra, packages in found.packages.items()
        if packages
    }
    free = {
        "cores": str(machine["cores"]),
        "free memory": "unknown without psutil" if memory is None else f"{memory / 1e9:.1f} GB",
    } | {
        f"{name} folder": f"{folder['path']}, {folder['free'] / 1e9:.1f} GB free"
        + ("" if folder["writable"] else ", cannot be written to")
        for name, folder in machine.items()
        if isinstance(folder, dict)
    }
    parts = [
        f"amsunet {found.versions['amsunet']}, Python {found.versions['python']}, {found.versions['system']}",
        *_section("installed", installed),
        *_section("can do here", found.abilities),
        *_section("machine", free),
        *(f"\nnote: {note}" for note in found.notes),
        *(f"\nproblem: {problem}" for problem in found.problems),
        "" if found.problems else "\nnothing is wrong",
    ]
    return "\n".join(parts).rstrip("\n")


def _section(title: str, lines: dict[str, str]) -> list[str]:
    margin = max(map(len, lines), default=0) + 4
    wrapped = (
        textwrap.fill(
            text,
            _WIDTH,
            initial_indent=f"  {name}".ljust(margin),
            subsequent_indent=" " * margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, text in lines.items()
    )
    return [f"\n{title}", *wrapped]
