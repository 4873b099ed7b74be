"""The plan: how a data set will be trained on, decided from its fingerprint before training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from amsunet.data.augmentation import Augmentation, Extra, Strength
from amsunet.data.fingerprint import Fingerprint
from amsunet.data.mirrored import Flips, flips_beside
from amsunet.data.preprocessing import ImageScale, Normalization
from amsunet.errors import InputError
from amsunet.losses import LossName
from amsunet.records import Record
from amsunet.removed import refuse_removed, removed_in, without_removed
from amsunet.wording import command, setting

DEFAULT_MINUTES = 20.0
USER_SET = "as you said"
_WORKING_SIDE = 384
_WORKING_THICKNESS = 12
_SIDE_ON_CPU = 96
_THICKNESS_ON_CPU = 16
"""Small images come up often enough to be learnt in the minutes that a CPU is given (docs/recipe.md)."""
_NEARLY_SQUARE = 4 / 3
_THIN = 6
_DIM = 0.1
"""Range of a channel as a share of the brightest one's, from which down it would have few levels left."""
_LARGEST_CROP = 256
_SMALL_CROP = 160
_SHORT = 10
"""Minutes."""
_Side = Annotated[int, Field(ge=32)]


def _words(value: Any) -> Any:
    """A list as it is said on the command line: words between commas."""
    return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else value


class Plan(Record):
    """Every setting of a training. ``reasons`` says why, by setting."""

    former_names: ClassVar[Mapping[str, str]] = {
        "windowing": "normalization",
        "start": "pretrained",
        "average_weights": "ema",
    }

    model: str = "amsunet"
    """A name of ``list_models()``, or ``FILE.py:FUNCTION``."""
    base_channels: int | None = Field(None, ge=1)
    """Width of the network; its own default when left out."""
    model_options: dict[str, Any] = Field(default_factory=dict)
    """Other arguments of the network."""
    pretrained: str | None = None
    """Run folder or model file whose weights training starts from."""
    in_channels: Literal[1, 3]
    scale: float = Field(gt=0, le=4)
    image_scale: ImageScale = "factor"
    """What an image of another size is: more of the view or less, or the same view in other pixels."""
    normalization: Annotated[Normalization, BeforeValidator(refuse_removed)]
    crop: tuple[_Side, _Side]
    batch_size: int = Field(ge=1)
    foreground_fraction: float = Field(ge=0, le=1)
    augmentation: Strength
    extra_augmentation: Annotated[tuple[Extra, ...], BeforeValidator(refuse_removed), BeforeValidator(_words)] = ()
    """What is added to a strength of light, medium or strong."""
    augmentation_flips: Flips = "both"
    """Mirror images that training shows; those of which ``flips`` may average later."""
    quarter_turns: bool
    inversion: bool = False
    """Also show crops with dark and bright exchanged."""
    loss: Annotated[LossName, BeforeValidator(refuse_removed)] = "ce_dice"
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(5e-5, ge=0)
    gradient_clip: float | None = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    ema: bool = True
    """Judge and keep an exponential moving average of the weights."""
    epochs: int | None = Field(None, ge=1)
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False)
    steps_per_epoch: int | None = Field(None, ge=1)
    """Left open with ``minutes``: then taken from the measured time of a step."""
    validation_images: int | None = Field(None, ge=1)
    """So many of the validation images, evenly spread, are judged at the end and choose threshold and temperature; all
    of them when left out."""
    validated_each_epoch: int = Field(24, ge=1)
    """So many of them at most choose the weights."""
    patience: int = Field(30, ge=1)
    """Epochs without a better validation score before training ends."""
    seed: int = Field(0, ge=0)
    reasons: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_gone(cls, settings: Any) -> Any:
        return without_removed(settings)

    @field_validator("model_options")
    @classmethod
    def _leave_the_rest(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if said := {"in_channels", "num_classes"} & options.keys():
            raise ValueError(f"{min(said)} is not set here, the data say it")
        if "base_channels" in options and info.data.get("base_channels") is not None:
            raise ValueError("base_channels is said twice, leave one out")
        return options

    @field_validator("extra_augmentation")
    @classmethod
    def _add_to_something(cls, extra: tuple[Extra, ...], info: ValidationInfo) -> tuple[Extra, ...]:
        if extra and info.data.get("augmentation") in ("none", "paper"):
            raise ValueError("there is something to add to with augmentation light, medium or strong alone")
        if "stain" in extra and info.data.get("in_channels") == 1:
            raise ValueError("only colour images have a stain")
        return extra

    def model_arguments(self, num_classes: int) -> dict[str, Any]:
        """What the network is built with."""
        width = {} if self.base_channels is None else {"base_channels": self.base_channels}
        return {"in_channels": self.in_channels, "num_classes": num_classes, **width, **self.model_options}

    def make_augmentation(self) -> Augmentation:
        """What training batches go through."""
        return Augmentation(
            self.augmentation,
            coloured=self.in_channels == 3,
            flips=self.augmentation_flips,
            quarter_turns=self.quarter_turns,
            inversion=self.inversion,
            extra=self.extra_augmentation,
        )

    def __str__(self) -> str:
        lines = []
        for name, value in self.model_dump(exclude={"reasons"}).items():
            if value not in (None, {}, ()):
                lines.append(f"  {name:<20} {as_text(value):<12} {self.reasons.get(name, '')}".rstrip())
        return "\n".join(lines)


def as_text(value: Any) -> str:
    """A setting as it is shown: sides with an x between them, words with commas."""
    if isinstance(value, (tuple, list)):
        return (", " if any(isinstance(part, str) for part in value) else " x ").join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_setting(name: str, value: Any) -> None:
    """Raise InputError for a setting that no plan has, or a value that it takes for no data."""
    field = Plan.model_fields.get(name)
    if field is None or name == "reasons":
        raise InputError(f"a plan has no setting {name!r}: {command('train', help=True)} lists them")
    try:
        TypeAdapter(Annotated[field.annotation, field]).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _refused(error, name) from None


def with_settings(plan: Plan, settings: dict[str, Any]) -> Plan:
    """A plan with some settings set otherwise.

    Raises: InputError if it does not take them.
    """
    try:
        return Plan(**(plan.model_dump() | settings))
    except ValidationError as error:
        raise _refused(error) from None


def _refused(error: ValidationError, name: str | None = None) -> InputError:
    if gone := removed_in(error):
        return InputError(gone)
    first = error.errors()[0]
    said = setting(str(name or first["loc"][0]))
    return InputError(f"{said}: {first['msg'].removeprefix('Value error, ').lower()}, not {first['input']}")


def make_plan(
    fingerprint: Fingerprint,
    training_images: int,
    *,
    device: str,
    recipe: Literal["default", "paper"] = "default",
    overrides: dict[str, Any] | None = None,
) -> Plan:
    """Derive a plan; what the user set stays as set.

    Args:
        training_images: images that remain for training after the cut of validation images.
        recipe: ``paper`` for the released recipe of AMSUnet, but for choosing the epoch on the test set.
        overrides: fields of ``Plan`` by name.

    Raises: InputError for an override that is impossible.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    short = given.get("epochs") is None and given.get("minutes", DEFAULT_MINUTES) < _SHORT
    if "scale" in given:
        check_setting("scale", given["scale"])
    settings, reasons = _derive(fingerprint, training_images, device, short=short, scale=given.get("scale"))
    if recipe == "paper":
        _follow_paper(settings, reasons, fingerprint)
    settings |= given
    reasons |= dict.fromkeys(given, USER_SET)
    if settings["crop"][0] != settings["crop"][1] and settings["quarter_turns"]:
        settings["quarter_turns"], reasons["quarter_turns"] = False, "crops are not square"
    elif settings["augmentation_flips"] != "both" and "quarter_turns" not in given:
        settings["quarter_turns"], reasons["quarter_turns"] = False, "half a turn is both flips"
    if settings.get("epochs") is not None and settings.get("minutes") is not None:
        if given.get("epochs") is not None and given.get("minutes") is not None:
            both = f"{setting('epochs')} and {setting('minutes')}"
            raise InputError(f"{both} exclude each other: give one of them")
        settings["epochs" if given.get("minutes") else "minutes"] = None
    if settings.get("epochs") is None and settings.get("minutes") is None:
        settings["minutes"] = DEFAULT_MINUTES
        reasons["minutes"] = "the default"
    try:
        plan = Plan(**settings, reasons={name: why for name, why in reasons.items() if why})
    except ValidationError as error:
        raise _refused(error) from None
    if plan.epochs is None or plan.steps_per_epoch is not None:
        return plan
    area = fingerprint.median_height * fingerprint.median_width * plan.scale**2
    crops = 1 if recipe == "paper" else max(1, round(area / math.prod(plan.crop)))
    reason = f"{training_images} images, {crops} crop{'s' * (crops > 1)} of each"
    steps = math.ceil(training_images * crops / plan.batch_size)
    return plan.model_copy(update={"steps_per_epoch": steps, "reasons": plan.reasons | {"steps_per_epoch": reason}})


def _derive(
    fingerprint: Fingerprint, training_images: int, device: str, *, short: bool, scale: float | None
) -> tuple[dict[str, Any], dict[str, str]]:
    settings: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def decide(name: str, value: Any, why: str) -> None:
        settings[name], reasons[name] = value, why

    longest = max(fingerprint.median_height, fingerprint.median_width)
    thickness = fingerprint.thickness or _WORKING_THICKNESS
    if scale is None:
        on_cpu = device == "cpu"
        side, width = (_SIDE_ON_CPU, _THICKNESS_ON_CPU) if on_cpu else (_WORKING_SIDE, _WORKING_THICKNESS)
        # Steps of 32 pixels, as crops have them: little of a crop that is the whole image is then filled up.
        scale = 32 * round(max(side, longest * width / thickness) / 32) / longest
        scale = round(scale, 4) if scale < 0.8 else 1.0
    decide("in_channels", 3 if fingerprint.coloured else 1, "colour images" if fingerprint.coloured else "grey images")
    decide("scale", scale, f"{fingerprint.structures}, images {longest} long")
    if fingerprint.frame is not None:
        decide("image_scale", *fingerprint.frame.decide()[:2])
    uneven = fingerprint.brightness_variation > 1.5
    both = uneven and fingerprint.bright_on_dark
    if fingerprint.coloured and fingerprint.channel_balance < _DIM:
        dim = f"the dimmest channel has {fingerprint.channel_balance:.2g} of the brightest one's range"
        decide("normalization", "channels", f"{dim}: each channel by its own")
    elif both:
        decide("normalization", "bright_on_dark", "foreground is dark in bright images, bright in dark ones")
    elif uneven:
        decide("normalization", "gamma", "brightness differs much between images")
    else:
        mixed = "each image by its own range" if len(fingerprint.values) > 1 else "alike in brightness"
        decide("normalization", "percentiles" if fingerprint.bits > 8 else "depth", f"{fingerprint.depth}, {mixed}")
    thin = thickness * scale < _THIN
    small = thickness * scale < _WORKING_THICKNESS
    most = _SMALL_CROP if small else _LARGEST_CROP
    sides = [max(1, round(side * scale)) for side in (fingerprint.median_height, fingerprint.median_width)]
    steps = tuple(32 * math.ceil(side / 32) for side in sides)
    # What is far from square is cut into squares, which can be turned.
    whole = fingerprint.largest_side * scale <= 1.25 * most and max(sides) <= _NEARLY_SQUARE * min(sides)
    crop = steps if whole else (min(most, *steps),) * 2
    decide("crop", crop, "the whole image" if whole else f"crops of {'small' if small else 'larger'} structures")
    pixels = (16 if device == "cuda" else 2) * 256 * 256
    # Batches of half the images and fewer: each step of an epoch sees others.
    batch = min(max(4, round(pixels / math.prod(crop))), 16 if device == "cuda" else 8, max(2, training_images // 2))
    decide("batch_size", batch, "many small steps on a CPU" if device == "cpu" else "what fills a GPU")
    rare = 1 - fingerprint.class_shares[0] < 0.2
    decide(
        "foreground_fraction", 0.5 if rare and not whole else 0.0, "foreground is rare" if rare and not whole else ""
    )
    # Strong affine maps tear structures a few pixels wide, and need long trainings to pay.
    if thin or training_images >= 40:
        decide(
            "augmentation",
            "medium",
            "thin lines"
            if thin and fingerprint.thin
            else "narrow structures"
            if thin
            else f"{training_images} training images",
        )
    else:
        decide("augmentation", "medium" if short else "strong", "a short training" if short else "few training images")
    decide("augmentation_flips", *flips_beside(fingerprint.mirrored))
    decide("quarter_turns", True, "square crops")
    either = uneven and not both
    decide("inversion", either, "dark on bright and bright on dark may both occur" if either else "")
    return settings, reasons


def _follow_paper(settings: dict[str, Any], reasons: dict[str, str], fingerprint: Fingerprint) -> None:
    side = min(480, 32 * (min(fingerprint.median_height, fingerprint.median_width) // 32))
    paper: dict[str, Any] = {
        "model": "amsunet",
        "scale": 1.0,
        "normalization": "depth",
        "crop": (max(32, side), max(32, side)),
        "batch_size": 2,
        "foreground_fraction": 0.0,
        "augmentation": "paper",
        "quarter_turns": False,
        "inversion": False,
        "gradient_clip": None,
        "ema": False,
        "epochs": 300,
        "patience": 300,
    }
    settings |= paper
    reasons |= dict.fromkeys(paper, "the released recipe")
