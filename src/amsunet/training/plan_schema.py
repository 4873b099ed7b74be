"""The settings of a training, each written once: name, values, default and meaning.

The options of the command line and the page of settings are made from it, so it needs neither torch nor numpy. The
rules that derive a plan from the data are in ``plan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from amsunet.choices import NO_PRETRAINED, Extra, Flips, ImageScale, LossName, Strength, TorchPrecision
from amsunet.errors import InputError, brief
from amsunet.records import Record, refuse_removed, removed_in, without_removed
from amsunet.safe_text import one_line
from amsunet.training.setting_values import (
    BatchSize,
    Channels,
    Crop,
    NormalizationSetting,
    Scale,
    Share,
    Window,
    as_text,
    split_words,
)
from amsunet.wording import command, setting

USER_SET = "set by you"
"""The reason of a setting that the user set."""
USER_SET_BEFORE = "as you said"
"""The same, in files of earlier versions."""
LIGHT = "amsunet_lite"
"""The network of a CPU, where none is named."""
START = "zoo:start"
"""What it may start from there."""
Recipe = Literal["default", "paper"]
_MOST = 1_000_000
"""Steps, epochs, minutes: nobody trains so long, and a damaged file may say more."""


class _PlanSettings(Record):
    """What can be set of a plan; what is None is derived from the data, or left open."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str | None = None
    """The network: a name that ``amsunet models`` lists, or ``FILE.py:FUNCTION``. When left out, that of the pretrained
    weights, else amsunet_lite on a CPU and amsunet on a GPU."""
    base_channels: int | None = Field(default=None, ge=1, le=4096)
    """Width of the network. When left out, that of the pretrained weights, else the network's default."""
    model_options: dict[str, Any] = Field(default_factory=dict)
    """Another argument of the network, as skip_attention=cbam of amsunet or depths=[1,1,1,2,2] of amsunet_lite."""
    pretrained: str | None = None
    """Start from the weights of a trained run, or of a network that ``amsunet zoo`` lists; from random ones with the
    word none. When left out, random ones, but for amsunet_lite in fewer than 300 steps on a CPU: it starts from
    zoo:start, unless that has seen images that the training is evaluated on."""
    in_channels: Channels | None = None
    """Channels of the images: 1 for grey ones, 3 for colour, another number for other channels."""
    scale: Scale | None = None
    """Working pixels per image pixel."""
    image_scale: ImageScale = "factor"
    """What an image of another size is: more of the view (factor), or the same view in other pixels (size)."""
    normalization: NormalizationSetting | None = None
    """What becomes black and white: the range of the training images, the image's own, that of each channel, dark
    images lifted, or dark objects inverted."""
    window: Window | None = None
    """Values that become black and white in all images, in place of a normalization, as -160,240 of CT."""
    crop: Crop | None = None
    """Size of training crops: a side, or height x width, of 32 and more."""
    batch_size: BatchSize | None = None
    """Crops of a step."""
    foreground_fraction: Share | None = None
    """Share of crops centred on foreground."""
    augmentation: Strength | None = None
    """Flips, turns, affine maps, colour, gamma, blur and noise, at a strength; paper: flips and sizes alone."""
    extra_augmentation: Annotated[tuple[Extra, ...], BeforeValidator(refuse_removed), BeforeValidator(split_words)] = ()
    """Added to an augmentation of light, medium or strong: stain weighs the stains of tissue anew."""
    augmentation_flips: Flips = "both"
    """Mirror images shown in training: both, but for those that would exchange classes."""
    quarter_turns: bool | None = None
    """Turn crops by 90 degrees."""
    inversion: bool = False
    """Also show crops with dark and bright exchanged."""
    loss: Annotated[LossName, BeforeValidator(refuse_removed)] = "ce_dice"
    """Cross-entropy or focal loss plus Dice, or clDice for lines."""
    teacher: str | None = None
    """Also learn the probabilities that a trained run, or a network that ``amsunet zoo`` lists, gives for the training
    images: knowledge distillation."""
    learning_rate: float = Field(default=2e-3, gt=0, allow_inf_nan=False)
    """Largest step size: it rises at first, then falls to nothing."""
    weight_decay: float = Field(default=5e-5, ge=0, allow_inf_nan=False)
    """How much AdamW draws weights to zero."""
    gradient_clip: float | None = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    ema: bool = True
    """Evaluate and keep an exponential moving average of the weights."""
    epochs: int | None = Field(default=None, ge=1, le=_MOST)
    """Passes over the training images, instead of minutes."""
    minutes: float | None = Field(default=None, gt=0, le=_MOST, allow_inf_nan=False)
    """Minutes for the whole command, with reading and evaluating; 20 where epochs are left out too. With folds, those
    of each fold."""
    steps_per_epoch: int | None = Field(default=None, ge=1, le=_MOST)
    """Steps between two looks at validation images. Left open with minutes: then taken from the measured time of a
    step."""
    validation_images: int | None = Field(default=None, ge=1)
    """So many of the validation images, evenly spread, are evaluated at the end and choose threshold and temperature;
    all of them when left out."""
    validated_each_epoch: int = Field(default=24, ge=1)
    """Validation images that choose the weights after each epoch, at most."""
    patience: int = Field(default=30, ge=1)
    """Early stopping: epochs without a better validation score before training ends."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Of the splits, the first weights and all crops."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_gone(cls, settings: Any) -> Any:
        return without_removed(settings)

    @field_validator("model_options")
    @classmethod
    def _leave_the_rest(cls, options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if derived := {"in_channels", "num_classes"} & options.keys():
            raise ValueError(f"{min(derived)} is not set here, it follows from the data")
        if "base_channels" in options and info.data.get("base_channels") is not None:
            raise ValueError("base_channels is set twice, leave one out")
        return options

    @field_validator("extra_augmentation")
    @classmethod
    def _add_to_something(cls, extra: tuple[Extra, ...], info: ValidationInfo) -> tuple[Extra, ...]:
        if extra and info.data.get("augmentation") in ("none", "paper"):
            raise ValueError("there is something to add to with augmentation light, medium or strong alone")
        if "stain" in extra and info.data.get("in_channels") not in (None, 3):
            raise ValueError("only colour images have a stain")
        return extra


class Plan(_PlanSettings):
    """Every setting of a training. ``reasons`` holds why, by setting."""

    @field_validator("pretrained")
    @classmethod
    def _none_is_no_model(cls, pretrained: str | None) -> str | None:
        return None if pretrained == NO_PRETRAINED else pretrained

    former_names: ClassVar[Mapping[str, str]] = {
        "windowing": "normalization",
        "start": "pretrained",
        "average_weights": "ema",
    }

    model: str = "amsunet"
    in_channels: Channels
    scale: Scale
    normalization: NormalizationSetting
    crop: Crop
    batch_size: BatchSize
    foreground_fraction: Share
    augmentation: Strength
    quarter_turns: bool
    precision: TorchPrecision | None = None
    """Of the computation, which the device has and no setting; None in plans of earlier versions."""
    reasons: dict[str, str] = Field(default_factory=dict)
    """Why each setting is what it is."""

    def model_arguments(self, num_classes: int) -> dict[str, Any]:
        """What the network is built with."""
        width = {} if self.base_channels is None else {"base_channels": self.base_channels}
        return {"in_channels": self.in_channels, "num_classes": num_classes, **width, **self.model_options}

    def describe(self, without: Iterable[str] = ()) -> str:
        """A line for each setting, with its reason.

        Args:
            without: Settings to leave out.
        """
        lines = []
        settings = self.model_dump(exclude={"reasons", *without})
        if "pretrained" in self.reasons.keys() & settings.keys():
            settings["pretrained"] = self.pretrained or NO_PRETRAINED
        for name, value in settings.items():
            if value not in (None, {}, ()):
                lines.append(f"  {name:<20}  {as_text(value):<12}  {self.reasons.get(name, 'the default')}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.describe()


class Manner(Record):
    """Settings of a training that are no part of its plan: how it is made and followed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    recipe: Recipe = "default"
    """How settings are derived: from the data, or, with paper, as AMSUnet was released."""
    deterministic: bool = False
    """The same weights, bit for bit, from the same command."""


class Settings(_PlanSettings, Manner):
    """Settings of a training, of which any can be left out: it is then derived from the data, or has its default.

    ``check``, ``train`` and ``compare`` take a mapping of names to values as well.

    Raises:
        InputError: For a setting that there is not, with the nearest one, or a value that it never has.

    Example:
        >>> import amsunet
        >>> amsunet.Settings(minutes=5, batch_size=8, crop=(64, 64)).given()
        {'crop': (64, 64), 'batch_size': 8, 'minutes': 5.0}
    """

    if not TYPE_CHECKING:  # or an editor would not know the names of the settings

        def __init__(self, **settings: Any) -> None:
            for name in settings.keys() - SETTINGS.keys():
                raise unknown_setting(name)
            try:
                super().__init__(**{name: value for name, value in settings.items() if value is not None})
            except ValidationError as error:
                raise refused(error) from None

    def given(self) -> dict[str, Any]:
        """What was set, by name."""
        return {name: getattr(self, name) for name in SETTINGS if name in self.model_fields_set}


SETTINGS: dict[str, FieldInfo] = {**_PlanSettings.model_fields, **Manner.model_fields}
"""Everything that can be set, by name."""
_DERIVED = {"image_scale", "window", "augmentation_flips", "inversion"}.union(
    name for name, field in Plan.model_fields.items() if field.is_required()
)
"""Settings that follow from the data when left out; the first four have a default too, that of older runs."""


def default_of(name: str) -> str:
    """What a setting is when left out, in words; empty where its description is all there is."""
    field = SETTINGS[name]
    if name in _DERIVED:
        return "derived from the data"
    value = field.get_default(call_default_factory=True)
    return "" if value in (None, {}, ()) else f"default {as_text(value)}"


def checked_settings(given: Mapping[str, Any] | Settings | None) -> dict[str, Any]:
    """Settings that each by itself is possible, without those that are None.

    Raises:
        InputError: For a name that there is not, with the nearest one, or a value that a setting never has.
    """
    if isinstance(given, Settings):
        return given.given()
    return {name: check_setting(name, value) for name, value in (given or {}).items() if value is not None}


def check_setting(name: str, value: Any) -> Any:
    """Check one setting by itself, and return its value as the plan will have it.

    Raises:
        InputError: For a setting that there is not, or a value that it takes for no data.
    """
    field = SETTINGS.get(name)
    if field is None:
        raise unknown_setting(name)
    try:
        return TypeAdapter(Annotated[field.annotation, field]).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise refused(error, name) from None


def unknown_setting(name: str) -> InputError:
    """The sentence about a name that no setting has."""
    near = get_close_matches(name.replace("-", "_"), SETTINGS, n=1)
    hint = f"did you mean {setting(near[0])}?" if near else f"{command('train', help=True)} lists them"
    return InputError(f"there is no setting {brief(repr(name))}: {hint}")


def with_settings(plan: Plan, settings: Mapping[str, Any]) -> Plan:
    """A plan with some settings set otherwise.

    Raises:
        InputError: If it does not take them.
    """
    try:
        return Plan(**{**plan.model_dump(), **settings})
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError, name: str | None = None) -> InputError:
    """The sentence about the first setting that cannot be."""
    if gone := removed_in(error):
        return InputError(gone)
    first = error.errors()[0]
    wrong, why = setting(str(name or first["loc"][0])), first["msg"].removeprefix("Value error, ").lower()
    return InputError(f"{wrong}: {why}, not {brief(one_line(as_text(first['input'])))}")
