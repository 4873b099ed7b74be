"""Options that commands share, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from amsunet.inference.runtime_options import TTA, RuntimeOptions

if TYPE_CHECKING:
    from amsunet.data.options import DataOptions
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


def whole_numbers(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Whole numbers with commas between them."""
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers") from None


def mask_values(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[bool, tuple[int, ...]] | None:
    """Pixel values, or colours as 65536 R + 256 G + B, and whether they are colours."""
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    with suppress(ValueError):  # or they are colours
        return False, tuple(map(int, parts))
    from PIL import ImageColor  # noqa: PLC0415

    try:
        return True, tuple(r << 16 | g << 8 | b for r, g, b in (ImageColor.getrgb(part)[:3] for part in parts))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, or of colours as '#ff0000'") from None


def _words(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(","))


def _resolve_model(ctx: click.Context, parameter: click.Parameter, value: str) -> ModelRef:
    """Find what a name stands for at once: what the command needs takes seconds to load."""
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415

    return ModelRef.resolve(value)


def resolve_pretrained(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Find the model to start from at once, and name it so that it is found from any folder."""
    return None if value is None else _resolve_model(ctx, parameter, value).absolute


def _require_data(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Answer a wrong path at once: what the command needs takes seconds to load."""
    from amsunet.data.builtin_samples import check_exists  # noqa: PLC0415

    if value is not None and not ctx.resilient_parsing:
        check_exists(value)
    return value


data_argument = click.argument("data", callback=_require_data)
optional_data_argument = click.argument("data", required=False, callback=_require_data)
run_argument = click.argument("model", metavar="RUN", callback=_resolve_model)
data_options = options(
    click.option(
        "--classes", callback=mask_values, metavar="V,V,...",
        help="Mask values of the classes, or colours as '#000000,#ff0000'; background first."),
    click.option("--class-names", callback=_words, metavar="A,B,...", help="Names of the classes, in their order."),
    click.option("--instances", is_flag=True, help="Mask values number objects; all are foreground."),
    click.option("--ignore-value", type=int, help="Mask value of pixels that do not count."),
    click.option("--mask-threshold", type=float, help="Mask values from this on are foreground."),
    click.option("--group", metavar="REGEX", help="Its first group, found in an image's path, names the patient."),
)  # fmt: skip
device_options = options(
    click.option("--device", default="auto", help="auto, cpu, cuda or mps.", show_default=True),
    click.option("--precision", default="auto", help="auto, float32 or bfloat16.", show_default=True),
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
        type=click.Choice(["auto", "bright-on-dark", "dark-on-bright"]),
        default="auto",
        show_default=True,
        help="What the images show, for networks that turn dark objects bright; auto finds it out of each image.",
    ),
)
test_fraction_option = click.option(
    "--test-fraction",
    type=click.FloatRange(0, 0.9),
    default=0.2,
    show_default=True,
    help="Held out where the data name no test images.",
)
model_file_option = click.option(
    "--model-file", metavar="FILE.py:FUNCTION", help="The file of a custom network; its code is run."
)


def take_data_options(values: dict[str, Any]) -> DataOptions:
    """Take the options of the data out of a command's values."""
    from amsunet.data.masks import MaskOptions  # noqa: PLC0415
    from amsunet.data.options import DataOptions  # noqa: PLC0415

    colours, classes = values.pop("classes") or (False, None)
    masks = MaskOptions(
        classes=classes,
        colours=colours,
        class_names=values.pop("class_names"),
        instances=values.pop("instances"),
        ignore_value=values.pop("ignore_value"),
        threshold=values.pop("mask_threshold"),
    )
    others = {name: values.pop(name) for name in ("group", "skip_broken", "test_fraction") if name in values}
    return DataOptions(masks=masks, **others)


def take_device(values: dict[str, Any]) -> Device:
    """Take the device out of a command's values."""
    from amsunet.device import choose_device  # noqa: PLC0415

    return choose_device(values.pop("device"), values.pop("precision"))


def runtime_options(values: dict[str, Any]) -> RuntimeOptions:
    """Take how a network is run out of a command's values."""
    names = [field.name for field in fields(RuntimeOptions) if field.name in values]
    return RuntimeOptions(**{name: values.pop(name) for name in names})


def refuse_settings(context: click.Context, allowed: set[str], why: str) -> None:
    """Raise for a setting on the command line that would be of no use."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if given and parameter.name not in allowed:
            raise click.UsageError(f"{why}: leave {parameter.opts[0]} out.")
