"""Options for the settings of a training, made from the schema that they are written in once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo

from amsunet.choices import NO_PRETRAINED
from amsunet.cli.fields import field_option
from amsunet.cli.options import Command, options, resolve_model_setting
from amsunet.console import echo
from amsunet.text_files import parse_json
from amsunet.training.plan_schema import SETTINGS, Manner, check_setting, default_of
from amsunet.training.settings_file import read_settings, settings_over

NETWORK = ("model", "base_channels", "model_options", "pretrained")
"""What a study has for each of its networks."""
TRAINING = [name for name in ("minutes", "epochs", *SETTINGS) if name != "in_channels"]
"""What the command line sets of a training: the data have the channels."""
STUDY = [name for name in TRAINING if name not in {*NETWORK, *Manner.model_fields, "seed"}]
"""What all trainings of a study share."""
_METAVARS = {
    "model": "NAME|FILE.py:FUNCTION",
    "pretrained": "RUN|none",
    "teacher": "RUN",
    "window": "LOW,HIGH",
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
    if others := [name for name, value in settings.items() if name not in names and value != NO_PRETRAINED]:
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
    details: dict[str, Any] = {"metavar": _METAVARS.get(name), "callback": _check}
    if name == "model":
        details["flags"] = ["--model-file"]
    elif name == "model_options":
        details |= {"multiple": True, "callback": settings_of}
    elif name in ("pretrained", "teacher"):
        details["callback"] = resolve_model_setting
    return field_option(name, field, default_of(name), **details)


def _check(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Any:
    return None if value is None else check_setting(parameter.name or "", value)
