"""Options that commands share, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from amsunet.choices import NO_PRETRAINED, EngineName, Polarity
from amsunet.inference.runtime_options import TTA, RuntimeOptions

if TYPE_CHECKING:
    from amsunet.device import Device
    from amsunet.inference.model_ref import ModelRef

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*chosen: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several options, in their order."""

    def add(command: Command) -> Command:
        for option in reversed(chosen):
            command = option(command)
        return command

    return add


def engine_options(work: str) -> Callable[[Command], Command]:
    """Give a command ``engine`` and ``address``: what does its work.

    Args:
        work: What is handed out.
    """
    return options(
        click.option(
            "--engine",
            type=click.Choice(get_args(EngineName)),
            default="process",
            show_default=True,
            help=f"ray: hand the {work} out to workers of Ray, on this machine or a cluster.",
        ),
        click.option("--address", metavar="HOST:PORT", help="Of a Ray cluster, or auto for the one of this machine."),
    )


def _resolve_model(ctx: click.Context, parameter: click.Parameter, value: str) -> ModelRef:
    """Find what a name stands for at once: what the command needs takes seconds to load."""
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415

    return ModelRef.resolve(value)


def resolve_model_setting(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Find a model that a setting names at once, and name it so that it is found from any folder."""
    if value is None or (parameter.name == "pretrained" and value == NO_PRETRAINED):
        return value
    return _resolve_model(ctx, parameter, value).absolute


def _require_data(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Answer a wrong path at once: what the command needs takes seconds to load."""
    from amsunet.data.builtin_samples import check_exists  # noqa: PLC0415

    if value is not None and not ctx.resilient_parsing:
        check_exists(value)
    return value


data_argument = click.argument("data", callback=_require_data)
optional_data_argument = click.argument("data", required=False, callback=_require_data)
run_argument = click.argument("model", metavar="RUN", callback=_resolve_model)
model_file_option = click.option(
    "--model-file", metavar="FILE.py:FUNCTION", help="The file of a custom network; its code is run."
)
device_options = options(
    click.option("--device", default="auto", help="auto, cpu, cuda or mps.", show_default=True),
    click.option("--precision", default="auto", help="auto, float32 or bfloat16.", show_default=True),
)
separation_option = click.option(
    "--separation",
    type=float,
    metavar="PIXELS",
    help="How deep a waist must be where objects that touch are parted, in pixels of an image of the size trained on; "
    "0 for connected components (default: what was chosen in training).",
)
view_options = options(
    click.option(
        "--tta",
        type=click.Choice(get_args(TTA)),
        default="none",
        show_default=True,
        help="Test-time augmentation, the mean over views of an image: flips and rotations are four times slower "
        "(flips twice, where one exchanges classes and is left out), d4 is both, eight times slower.",
    ),
    click.option(
        "--image-scale",
        type=float,
        metavar="FACTOR",
        help="A number: working pixels per image pixel, in place of what the network does with the size of an image "
        "(factor or size, as --image-scale of train has it).",
    ),
    click.option(
        "--polarity",
        type=click.Choice(get_args(Polarity)),
        default="auto",
        show_default=True,
        help="What the images show, for networks that turn dark objects bright; auto finds it out of each image.",
    ),
    click.option(
        "--spacing",
        metavar="SIZE",
        help="Size of a pixel, as 0.5um, or 0.8x0.7mm for rows and columns, where files do not say it or are wrong.",
    ),
)


def model_options(*ways: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Give a command RUN as ``model``, ``model_file``, and ``options`` with how the network is run.

    Args:
        ways: Options of the command for fields of ``RuntimeOptions``, beside the device and its precision.
    """

    def add(function: Command) -> Command:
        @wraps(function)
        def collected(*arguments: Any, **values: Any) -> Any:
            given = {field.name: values.pop(field.name) for field in fields(RuntimeOptions) if field.name in values}
            return function(*arguments, options=RuntimeOptions(**given), **values)

        return cast(Command, options(run_argument, model_file_option, *ways, device_options)(collected))

    return add


def take_device(values: dict[str, Any]) -> Device:
    """Take the device out of a command's values; loads torch."""
    from amsunet.device import choose_device  # noqa: PLC0415

    return choose_device(values.pop("device"), values.pop("precision"))


def refuse_settings(context: click.Context, allowed: set[str], why: str) -> None:
    """Raise for a setting on the command line that would be of no use."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if given and parameter.name not in allowed:
            raise click.UsageError(f"{why}: leave {parameter.opts[0]} out.")


def refuse_settings_of(context: click.Context, names: Sequence[str], other: str) -> None:
    """Raise for settings on the command line that go only with another one."""
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} goes with {other}: add that, or leave {flag} out.")
