"""Options for the settings of a training, made from the schema that they are written in once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from amsunet.cli.options import Command, options, resolve_pretrained
from amsunet.console import echo
from amsunet.text_files import parse_json
from amsunet.training.plan_schema import SETTINGS, Manner, check_setting, default_of
from amsunet.training.settings_file import read_settings, settings_over
from amsunet.wording import flag as flag_of

NETWORK = ("model", "base_channels", "model_options", "pretrained")
"""What a study has for each of its networks."""
TRAINING = [name for name in ("minutes", "epochs", *SETTINGS) if name != "in_channels"]
"""What the command line sets of a training: the data have the channels."""
STUDY = [name for name in TRAINING if name not in {*NETWORK, *Manner.model_fields, "seed"}]
"""What all trainings of a study share."""
_METAVARS = {
    "model": "NAME|FILE.py:FUNCTION",
    "pretrained": "RUN",
    "crop": "SIDE|HxW",
    "extra_augmentation": "stain,...",
    "model_options": "NAME=VALUE",
}

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings from the config.json of a run (those that were set then, not those derived), or from a JSON file of "
    "names and values; options here win.",
)


def setting_options(names: Collection[str]) -> Callable[[Command], Command]:
    """Give a command an option for each of these settings, and ``settings`` with what was set, by name."""
    names = list(dict.fromkeys(names))

    def add(function: Command) -> Command:
        @wraps(function)
        def collected(*arguments: Any, config: Path | None, **values: Any) -> Any:
            given = {name: values.pop(name) for name in names}
            file = {} if config is None else _of_these(names, read_settings(config), config)
            return function(*arguments, settings=settings_over(file, given), **values)

        return options(_config, *(_option(name, SETTINGS[name]) for name in names))(collected)  # type: ignore[return-value]

    return add


def _of_these(names: Collection[str], settings: dict[str, Any], file: Path) -> dict[str, Any]:
    """The settings of a file that a command has; a study has others for each of its trainings."""
    if others := [name for name in settings if name not in names]:
        echo(f"note: {', '.join(others)} of {file} left out: not set here", err=True)
    return {name: value for name, value in settings.items() if name in names}


def settings_of(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any] | None:
    """NAME=VALUE, several times; values are JSON where they can be read so, else text."""
    settings = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE")
        try:
            settings[name.replace("-", "_")] = parse_json(text)
        except ValueError:
            settings[name.replace("-", "_")] = text
    return settings or None


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    flag = f"--{flag_of(name)}"
    hint = _plain(field.annotation)
    details: dict[str, Any] = {"default": None, "help": _help(name, field), "metavar": _METAVARS.get(name)}
    if get_origin(hint) is Literal:
        details["type"] = click.Choice(get_args(hint))
    elif hint is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    elif hint in (int, float):
        details["type"] = _range(hint, field)
    elif get_origin(hint) is dict:
        details |= {"multiple": True, "callback": settings_of}
    else:
        details["callback"] = resolve_pretrained if name == "pretrained" else _check
    flags = [flag, "--model-file"] if name == "model" else [flag]
    return click.option(*flags, name, **details)


def _plain(hint: Any) -> Any:
    """A type without what it is annotated with, and without None."""
    if hasattr(hint, "__metadata__"):
        return _plain(get_args(hint)[0])
    parts = [part for part in get_args(hint) if part is not type(None)]
    return _plain(parts[0]) if type(None) in get_args(hint) and len(parts) == 1 else hint


def _range(hint: Any, field: FieldInfo) -> click.ParamType[Any]:
    """The numbers that a setting may have."""
    bounds = {
        key: getattr(bound, key) for bound in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(bound, key)
    }
    kind: Any = click.IntRange if hint is int else click.FloatRange
    return kind(  # type: ignore[no-any-return]
        min=bounds.get("ge", bounds.get("gt")),
        max=bounds.get("le", bounds.get("lt")),
        **({"min_open": "gt" in bounds, "max_open": "lt" in bounds} if hint is float else {}),
    )


def _help(name: str, field: FieldInfo) -> str:
    text = " ".join((field.description or "").replace("``", "").split())
    default = default_of(name)
    return f"{text.removesuffix('.')} ({default})." if default else text


def _check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    return None if value is None else check_setting(parameter.name or "", value)
