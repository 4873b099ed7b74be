"""How messages name settings and commands: as parameters in Python, as flags on the command line.

A message of the library never spells a flag. It asks for its words here, by the names that the settings have in Python,
and gets them as whoever reads it would type them:

    setting("out")                                  out                              --out
    setting(classes=(0, 255), ignore_value=7)       classes=(0, 255), ignore_value=7  --classes 0,255 --ignore-value 7
    setting(classes=(0, 0xFF0000), colours=True)    classes=(0x000000, ...            --classes '#000000,#ff0000'
    command("resume", "runs/a")                     amsunet.resume('runs/a')         amsunet train --resume runs/a

Python is the rule; the command line declares once, when it starts, that a shell is typed into. It is the same for
all threads: what is read and refused is read in several.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Place = Literal["python", "shell"]

_FLAGS = {
    "batches": "batch",
    "model_options": "model-option",
    "sizes": "size",
    "threshold": "mask-threshold",
}
"""Settings whose flag has another name, as lists that are given one part at a time."""
_SHELL = {"draft_manifest": ("check", " --write-manifest"), "resume": ("train --resume", "")}
"""Functions that are part of a command: what stands before and behind their arguments."""
_PYTHON = {"draft_manifest": "amsunet.data.discovery.draft.draft_manifest"}
"""Commands that are no function of the package itself."""

_place: Place = "python"


class Blank(str):
    """Something for the reader to fill in, as ``DATA``: no text in quotes."""


@contextmanager
def spelled_for(place: Place) -> Iterator[None]:
    """Meanwhile word messages for this place, in all threads."""
    global _place  # noqa: PLW0603 - of the process, as what its messages are read on
    before, _place = _place, place
    try:
        yield
    finally:
        _place = before


def spelled() -> Place:
    """What messages are worded for."""
    return _place


def setting(*names: str, **values: object) -> str:
    """Name settings, or settings with their values; True of a switch means that it is on.

    Args:
        names: Of settings without a value.
        values: Settings with the value they are to have; ``colours=True`` beside ``classes`` writes these as colours.
    """
    if _place == "shell":
        flags = [f"--{flag(name)}" for name in names]
        return " ".join([*flags, *(_typed(name, value) for name, value in _plain(values).items())])
    return ", ".join([*names, *(f"{name}={_literal(name, value, values)}" for name, value in values.items())])


def command(name: str, *arguments: object, **values: object) -> str:
    """A line that can be copied: a call in Python, or a command for the shell.

    Args:
        name: Of the command, which is that of the function too.
        *arguments: Given in this order, without names.
        **values: As for ``setting``; ``help=True`` asks for what there is to be set.
    """
    return shell_command(name, *arguments, **values) if _place == "shell" else _call(name, arguments, values)


def shell_command(name: str, *arguments: object, **values: object) -> str:
    """The line for the shell, whoever reads it: for records of what was run."""
    before, behind = _SHELL.get(name, (name, ""))
    words = [shlex.quote(str(one)) for one in arguments]
    return (
        " ".join(["amsunet", before, *words, *(_typed(key, value) for key, value in _plain(values).items())]) + behind
    )


def _call(name: str, arguments: Sequence[object], values: dict[str, object]) -> str:
    function = _PYTHON.get(name, f"amsunet.{name}")
    if values.get("help"):
        return f"help({function})"
    given = [_literal("", one, {}) for one in arguments]
    return f"{function}({', '.join([*given, *([setting(**values)] if values else [])])})"


def flag(name: str) -> str:
    """The option of a setting, without its dashes."""
    return _FLAGS.get(name, name).replace("_", "-")


def _plain(values: dict[str, object]) -> dict[str, object]:
    """Values as the shell has them: colours are a way to write classes."""
    if not values.get("colours"):
        return values
    classes = values["classes"]
    assert isinstance(classes, Sequence)
    shown = tuple(f"#{int(colour):06x}" for colour in classes)
    return {key: shown if key == "classes" else value for key, value in values.items() if key != "colours"}


def _typed(name: str, value: object) -> str:
    """A flag with its value; one that begins with a minus is not taken for a flag."""
    if value is True:
        return f"--{flag(name)}"
    parts = value if isinstance(value, list | tuple) else [value]
    text = ",".join(_number(part) if isinstance(part, int | float) else str(part) for part in parts)
    return f"--{flag(name)}{'=' if text.startswith('-') else ' '}{shlex.quote(text)}"


def _literal(name: str, value: object, beside: dict[str, object]) -> str:
    if isinstance(value, Blank):
        return str(value)
    if isinstance(value, bool | str | Path):
        return repr(str(value)) if isinstance(value, Path) else repr(value)
    if isinstance(value, int | float):
        return f"0x{int(value):06x}" if name == "classes" and beside.get("colours") else _number(value)
    if isinstance(value, list | tuple):
        parts = [_literal(name, part, beside) for part in value]
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    return repr(value)


def _number(value: float) -> str:
    return f"{value:g}" if value % 1 else str(int(value))
