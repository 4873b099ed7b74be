"""What a user sets of a data set, written once and travelling whole.

The options of the command line and the page of settings are made from it, so it needs neither torch nor numpy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from amsunet.data.discovery.words import Split
from amsunet.data.spacing import Spacing, parse_spacing
from amsunet.errors import InputError
from amsunet.wording import setting

_AXES = re.compile(r"(?!.*(.).*\1)[TZC]*YX[CS]?")


def _holds_text(classes: Any) -> bool:
    return isinstance(classes, str) or (
        isinstance(classes, (list, tuple)) and any(isinstance(part, str) for part in classes)
    )


def _values_or_colours(text: Any) -> tuple[tuple[int, ...], bool]:
    """Pixel values, or colours as 65536 R + 256 G + B, and whether they are colours."""
    parts = [str(part).strip() for part in (text.split(",") if isinstance(text, str) else text)]
    with suppress(ValueError):  # or they are colours
        return tuple(map(int, parts)), False
    from PIL import ImageColor  # noqa: PLC0415 - for colours alone

    try:
        return tuple(r << 16 | g << 8 | b for r, g, b in (ImageColor.getrgb(part)[:3] for part in parts)), True
    except ValueError:
        raise InputError(
            f"{setting('classes')}: {','.join(parts)!r} is not a list of whole numbers, or of colours as '#ff0000'"
        ) from None


class _Options(BaseModel):
    """Options that do not change; a mistake in one is refused, in a sentence, by the call that has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    if not TYPE_CHECKING:  # or an editor would not know the names of the options

        def __init__(self, **options: Any) -> None:
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise _refused(error) from None


class MaskOptions(_Options):
    """Settings for masks whose meaning their values leave open.

    Raises:
        InputError: For an option that there is not, or a value that it cannot have.

    Example:
        >>> import amsunet
        >>> masks = amsunet.MaskOptions(classes=(0, 128, 255), class_names=("rim", "cup"))
        >>> masks = amsunet.MaskOptions(classes="black,#ff0000")
        >>> masks = amsunet.MaskOptions(threshold=128)  # given as DataOptions(masks=masks)
    """

    classes: tuple[int, ...] | None = None
    """Mask values of the classes, background first; or their colours, as ``black,#ff0000``."""
    colours: bool = False
    """Whether ``classes`` are colours, each as 65536 R + 256 G + B; so it is when they are given as text."""
    class_names: tuple[str, ...] | None = None
    """Names of the classes, in their order; with or without the background."""
    instances: bool = False
    """Mask values number objects; all are foreground."""
    ignore_value: int | None = None
    """Mask value of pixels that are ignored."""
    threshold: float | None = None
    """Mask values from this on are foreground (of the class of their folder, where a class has one)."""

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = dict(given)
        if isinstance(names := given.get("class_names"), str):
            given["class_names"] = tuple(part.strip() for part in names.split(","))
        if _holds_text(classes := given.get("classes")):
            given["classes"], colours = _values_or_colours(classes)
            given["colours"] = given.get("colours", False) or colours
        return given

    @property
    def given_values(self) -> bool:
        """Whether anything but the names of the classes is set."""
        return self.model_copy(update={"class_names": None}) != MaskOptions()

    def refuse_two(self) -> None:
        """Refuse settings that exclude each other.

        Raises:
            InputError: If two of ``classes``, ``instances`` and ``threshold`` are set.
        """
        given = {
            "classes": self.classes is not None,
            "instances": self.instances,
            "threshold": self.threshold is not None,
        }
        names = [setting(name) for name in given if given[name]]
        if len(names) > 1:
            raise InputError(f"{names[0]} and {names[1]} are both set, but masks are one or the other: leave one out")


class ReadingOptions(BaseModel):
    """How the files of a data set are read: what whoever opens it again has to know, too."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    group: str | None = None
    """A regular expression whose first group, found in an image's path, names the patient."""
    skip_broken: bool = False
    """Leave out images that cannot be used; otherwise they are an error."""
    spacing: Annotated[Spacing, BeforeValidator(parse_spacing)] | None = None
    """Size of a pixel, as ``0.5um``, or ``0.8x0.7mm`` for rows and columns, where files do not say it or are wrong."""
    axis: Literal["x", "y", "z"] | None = None
    """Of volumes, what slices are cut across: x (sagittal), y (coronal) or z (axial); by default that of the finest
    pixels."""
    fourth_axis: Literal["channels", "time"] | None = None
    """Of volumes of four dimensions, what the last one is, where the data do not say."""
    channels: tuple[str, ...] | None = None
    """What the names of an image's files end with where each channel has a file, in order, as DAPI,GFP."""
    axes: str | None = None
    """Axes of TIFF files that hold several pages, as ZYX (slices), TYX (moments), CYX (channels) or ZCYX; YXC where
    all values of a pixel are channels. Every slice and moment is an image."""

    def reading(self) -> dict[str, Any]:
        """These options by name."""
        return {name: getattr(self, name) for name in ReadingOptions.model_fields}


class DataOptions(_Options, ReadingOptions):
    """How a data set is read and split, where that is not to be found out.

    Raises:
        InputError: For an option that there is not, or a value that it cannot have.

    Example:
        >>> import amsunet
        >>> masks = amsunet.MaskOptions(classes=(0, 128, 255))
        >>> amsunet.DataOptions(masks=masks, group=r"(P\\d+)_").test_fraction
        0.2
    """

    masks: MaskOptions = MaskOptions()
    """What the values of masks mean."""
    test_fraction: float = Field(default=0.2, ge=0, le=0.9)
    """The share held out where the data name no test images."""
    splits: Mapping[str, Split] | None = None
    """The split of every image by its name, in place of the data set's own and of what is cut."""

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        given = dict(given)
        if isinstance(channels := given.get("channels"), str):
            given["channels"] = tuple(part.strip() for part in channels.split(",") if part.strip())
        if isinstance(axes := given.get("axes"), str):
            given["axes"] = checked_axes(axes)
        return given


def checked_axes(axes: str) -> str:
    """Axes as a user writes them, in capitals.

    Args:
        axes: As ``zcyx``.

    Raises:
        InputError: If no TIFF has such axes.
    """
    if _AXES.fullmatch(axes.upper()):
        return axes.upper()
    raise InputError(
        f"{setting(axes=axes)}: write some of T, Z and C in the order of the file, then YX, then C or S where a pixel "
        "holds several values"
    )


OPTIONS: dict[str, FieldInfo] = {
    name: field
    for name, field in (MaskOptions.model_fields | DataOptions.model_fields).items()
    if name not in ("masks", "colours", "splits")
}
"""Every option that is given as text, by name; colours are a way to write classes."""


def read_options(given: Mapping[str, Any]) -> DataOptions:
    """Options from values by name, of masks and of the data side by side.

    Args:
        given: Values by the names of ``OPTIONS``; those that are None are left out.

    Raises:
        InputError: For an option that there is not, or a value that it cannot have.
    """
    given = {name: value for name, value in given.items() if value is not None}
    masks = MaskOptions(**{name: given.pop(name) for name in MaskOptions.model_fields if name in given})
    return DataOptions(masks=masks, **given)


def _refused(error: ValidationError) -> InputError:
    first = error.errors()[0]
    if isinstance(refusal := first.get("ctx", {}).get("error"), InputError):
        return refusal
    name = str(first["loc"][-1])
    if first["type"] != "extra_forbidden":
        return InputError(f"{setting(str(first['loc'][0]))}: {first['msg'].lower()}, not {first['input']}")
    known = [*DataOptions.model_fields, *MaskOptions.model_fields]
    near = get_close_matches(name, known, n=1)
    return InputError(
        f"there is no option {name!r} of data: {f'did you mean {near[0]}?' if near else ', '.join(known)}"
    )
