"""Options that commands share, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from amsunet.inference.runtime_options import TTA, RuntimeOptions

if TYPE_CHECKING:
    from amsunet.data.masks import MaskOptions
    from amsunet.inference.model_ref import ModelRef

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*chosen: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(chosen):
            command = option(command)
        return command

    return add


def whole_numbers(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
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
    if all(part.lstrip("-").isdigit() for part in parts):
        return False, tuple(map(int, parts))
    from PIL import ImageColor  # noqa: PLC0415

    try:
        return True, tuple(r << 16 | g << 8 | b for r, g, b in (ImageColor.getrgb(part)[:3] for part in parts))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers, or of colours as '#ff0000'") from None


def _words(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(","))


def _crop(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    numbers = whole_numbers(ctx, parameter, value.replace("x", ",") if value else None)
    if numbers is None:
        return None
    if len(numbers) > 2 or min(numbers) < 32:
        raise click.BadParameter("give a side, or height x width, of 32 and more")
    return numbers[0], numbers[-1]


def settings_of(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, Any] | None:
    settings = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE")
        try:
            settings[name.replace("-", "_")] = json.loads(text)
        except ValueError:
            settings[name.replace("-", "_")] = text
    return settings or None


def _resolve_model(ctx: click.Context, parameter: click.Parameter, value: str) -> ModelRef:
    """Find what a name stands for at once: what the command needs takes seconds to load."""
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415

    return ModelRef.resolve(value)


def _pretrained(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
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
)
plan_options = options(
    click.option("--minutes", type=click.FloatRange(min=0, min_open=True),
                 help="Minutes for the whole command, with reading and judging (default 20)."),
    click.option("--epochs", type=click.IntRange(1), help="Passes over the training images, instead of minutes."),
    click.option("--batch-size", type=int, help="Crops of a step."),
    click.option("--crop", callback=_crop, metavar="SIDE|HxW", help="Size of training crops."),
    click.option("--scale", type=float, help="Working pixels per image pixel."),
    click.option("--image-scale", type=click.Choice(["factor", "size"]),
                  help="What an image of another size is: more of the view (factor), or the same view in other pixels "
                  "(size); evaluate and predict take a number here."),
    click.option("--normalization",
                 type=click.Choice(["depth", "percentiles", "channels", "gamma", "bright_on_dark"]),
                 help="What becomes black and white: the range of the training images, the image's own, that of each "
                 "channel, dark images lifted, or dark objects inverted."),
    click.option("--augmentation", type=click.Choice(["none", "light", "medium", "strong"]),
                 help="Flips, turns, affine maps, colour, gamma, blur and noise, at a strength."),
    click.option("--extra-augmentation", metavar="stain", help="Weigh the stains of tissue anew too."),
    click.option("--loss", type=click.Choice(["ce_dice", "focal_dice", "ce_dice_cldice"]),
                 help="Cross-entropy or focal loss plus Dice, or clDice for lines."),
    click.option("--learning-rate", type=float, help="Largest step size: it rises at first, then falls to nothing."),
    click.option("--weight-decay", type=float, help="How much AdamW draws weights to zero."),
    click.option("--foreground-fraction", type=click.FloatRange(0, 1), help="Share of crops centred on foreground."),
    click.option("--augmentation-flips", type=click.Choice(["both", "horizontal", "vertical", "none"]),
                 help="Mirror images shown in training (default both, but for those that would exchange classes)."),
    click.option("--quarter-turns/--no-quarter-turns", default=None, help="Turn crops by 90 degrees."),
    click.option("--inversion/--no-inversion", default=None, help="Also show crops with dark and bright exchanged."),
    click.option("--gradient-clip", type=float, help="Largest norm of the gradient."),
    click.option("--ema/--no-ema", default=None, help="Keep a moving average of the weights."),
    click.option("--steps-per-epoch", type=int, help="Steps between two looks at validation images."),
    click.option("--validation-images", type=int, help="Validation images judged at the end (default: all)."),
    click.option("--validated-each-epoch", type=int,
                 help="Validation images judged after each epoch, at most (default 24)."),
    click.option("--patience", type=int, help="Epochs without a better score before training ends."),
    click.option("--seed", type=click.IntRange(0), help="Of the splits, the first weights and all crops (default 0)."),
    click.option("--test-fraction", type=click.FloatRange(0, 0.9), default=0.2, show_default=True,
                 help="Held out where the data name no test images."),
)  # fmt: skip


network_options = options(
    click.option("--model", "--model-file", "model", metavar="NAME|FILE.py:FUNCTION",
                 help="The network (default amsunet): see amsunet models."),
    click.option("--pretrained", callback=_pretrained, metavar="RUN",
                 help="Start from the weights of a trained run, or of a network of the zoo (zoo:NAME)."),
    click.option("--base-channels", type=int,
                 help="Width of the network (default 32 for amsunet, or 16 on a CPU where minutes are few)."),
    click.option("--model-option", "model_options", multiple=True, metavar="NAME=VALUE", callback=settings_of,
                 help="Another argument of the network, as skip_attention=cbam or dilations=[1,1,1,1,1]."),
    click.option("--recipe", type=click.Choice(["default", "paper"]), default="default",
                 help="paper: AMSUnet's released recipe."),
)  # fmt: skip


model_file_option = click.option(
    "--model-file", metavar="FILE.py:FUNCTION", help="The file of a custom network; its code is run."
)


def mask_options(values: dict[str, Any]) -> MaskOptions | None:
    """Take the mask options out of a command's values; None if none was said."""
    from amsunet.data.masks import MaskOptions  # noqa: PLC0415

    colours, classes = values.pop("classes") or (False, None)
    said = {
        "classes": classes,
        "colours": colours,
        "class_names": values.pop("class_names"),
        "instances": values.pop("instances"),
        "ignore_value": values.pop("ignore_value"),
        "threshold": values.pop("mask_threshold"),
    }
    return MaskOptions(**said) if any(value not in (None, False) for value in said.values()) else None


def runtime_options(values: dict[str, Any]) -> RuntimeOptions:
    """Take how a network is run out of a command's values."""
    names = [field.name for field in fields(RuntimeOptions) if field.name in values]
    return RuntimeOptions(**{name: values.pop(name) for name in names})


def refuse_settings(context: click.Context, allowed: set[str], why: str) -> None:
    """Raise for a setting on the command line that would be of no use."""
    for parameter in context.command.params:
        said = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if said and parameter.name not in allowed:
            raise click.UsageError(f"{why}: leave {parameter.opts[0]} out.")
