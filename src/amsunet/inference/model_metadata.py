"""What is known of a trained network, whichever file holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from amsunet.choices import Flips, Polarity
from amsunet.data.masks import MaskConvention
from amsunet.data.out_of_distribution import ImageStatistics
from amsunet.data.preprocessing import Preprocessing
from amsunet.data.spacing import Spacing
from amsunet.data.value_range import whole_type
from amsunet.errors import InputError
from amsunet.records import Record, removed_in
from amsunet.regular_file import open_regular
from amsunet.text_files import parse_json, read_json
from amsunet.wording import setting

METADATA = "amsunet"
"""Under this name a file of weights, or an exported file, holds its description as JSON."""
_LARGEST = 1e6
_LONGEST = 4096
_MOST_ARGUMENTS = 256
_DEEPEST = 4
"""Of what a network is built with: larger numbers, longer texts and lists, and deeper ones are refused unbuilt."""
_LARGEST_HEADER = 100_000_000
"""Bytes; safetensors takes no larger one."""


class ModelDescription(Record):
    """What the weights belong to and how images must be prepared for them."""

    former_names: ClassVar[Mapping[str, str]] = {"doubtful": "uncertainty_limit", "appearance": "image_statistics"}

    model: Annotated[str, Field(max_length=_LONGEST)]
    arguments: dict[str, Any]
    code: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Checksum of the file that builds the network, where it is not one of amsunet's."""
    preprocessing: Preprocessing
    convention: MaskConvention
    temperature: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    """What logits are divided by, so that probabilities are as sure as they are right."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Foreground probability above which a pixel is foreground, with two classes."""
    smallest_object: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Pixels of an image of the size trained on, below which objects are dropped and holes are filled, with two
    classes."""
    separation: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Pixels of an image of the size trained on by which a waist is less deep where objects that touch are parted, see
    ``find_objects``; 0 of masks that do not number objects."""
    uncertainty_limit: Annotated[float, Field(ge=0, le=1)] | None = None
    """Uncertainty that one in ten validation images exceeds: masks above it are to be checked."""
    image_statistics: ImageStatistics | None = None
    """What the training images look like; None of a network that was trained before they were measured."""
    modalities: Annotated[tuple[Annotated[str, Field(pattern="^[A-Z]{2,16}$")], ...], Field(max_length=100)] = ()
    """What the training images were taken with, as DICOM names it; empty where files do not say so."""
    flips: Flips = "both"
    """Mirror images whose predictions may be averaged: another one shows classes exchanged, as left and right lung."""
    format: Literal[1] = 1

    @field_validator("arguments")
    @classmethod
    def _bounded(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        refuse_unbounded(arguments)
        return arguments

    @model_validator(mode="after")
    def _fits_itself(self) -> Self:
        for name, known in (
            ("in_channels", self.preprocessing.in_channels),
            ("num_classes", self.convention.num_classes),
        ):
            if self.arguments.get(name, known) != known:
                raise ValueError(f"arguments have {name} {self.arguments[name]!r:.40}, and all else is for {known}")
        return self

    def smallest_in(self, height: int, width: int, spacing: Spacing | None = None) -> float:
        """``smallest_object`` in pixels of an image of that size: always as many of those that the network sees."""
        return self.smallest_object * self.preprocessing.share(height, width, spacing)

    def separation_in(self, height: int, width: int, spacing: Spacing | None = None) -> float:
        """``separation`` in pixels of an image of that size: always as many of those that the network sees."""
        down, across = self.preprocessing.factors(height, width, spacing)
        return self.separation * self.preprocessing.scale / math.sqrt(down * across)

    def at_scale(self, scale: float) -> ModelDescription:
        """The same network, given images of any size at this scale."""
        smallest = round(self.smallest_object * (self.preprocessing.scale / scale) ** 2)
        return self.model_copy(
            update={
                "preprocessing": self.preprocessing.by_factor(scale),
                "smallest_object": smallest,
                "separation": self.separation * self.preprocessing.scale / scale,
            }
        )

    def with_polarity(self, polarity: Polarity) -> ModelDescription:
        """The same network, given images all of which show bright objects on dark, or dark ones on bright.

        Raises:
            InputError: if the network does not turn images of dark objects round, or the polarity is unknown.
        """
        if polarity not in get_args(Polarity):
            raise InputError(f"polarity {polarity!r} is unknown: choose {', '.join(get_args(Polarity))}")
        if self.preprocessing.normalization != "bright_on_dark":
            raise InputError(
                f"{setting(polarity=polarity)} is for networks trained with {setting(normalization='bright_on_dark')}, "
                f"and this one has {self.preprocessing.normalization}: leave {setting('polarity')} out"
            )
        return self.model_copy(update={"preprocessing": self.preprocessing.model_copy(update={"polarity": polarity})})


def refuse_unbounded(value: Any, depth: int = 0) -> None:
    """Refuse what no network is built with, before one is.

    Args:
        value: The arguments of a network, or a part of them.
        depth: How deep that part lies in them.

    Raises:
        ValueError: For what is too large, too long or too deep.
    """
    if isinstance(value, dict | list | tuple):
        if len(value) > _MOST_ARGUMENTS or depth > _DEEPEST:
            raise ValueError("more than a network is built with")
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            refuse_unbounded(one, depth + 1)
    elif isinstance(value, str):
        if len(value) > _LONGEST:
            raise ValueError(f"a text is longer than {_LONGEST} characters")
    elif isinstance(value, int | float) and not abs(value) <= _LARGEST:
        raise ValueError(f"{value!r:.40} is no number that a network is built with")


def describe_together(descriptions: Sequence[ModelDescription], threshold: float) -> ModelDescription:
    """What holds where the probabilities of networks are averaged: of objects the smallest that all of them leave, of
    the uncertainty limits the mean, and of the separations that of those that part objects, if most do.
    """
    parting = [one.separation for one in descriptions if one.separation]
    limits = [one.uncertainty_limit for one in descriptions if one.uncertainty_limit is not None]
    return descriptions[0].model_copy(
        update={
            "threshold": threshold,
            "smallest_object": min(one.smallest_object for one in descriptions),
            "separation": sum(parting) / len(parting) if 2 * len(parting) > len(descriptions) else 0.0,
            "uncertainty_limit": sum(limits) / len(limits) if limits else None,
        }
    )


def seen_as_then(preprocessing: Preprocessing, bits: int) -> Preprocessing:
    """How a network sees images that was trained on so many bits, if its file does not hold their values."""
    if preprocessing.normalization != "depth" or preprocessing.values or bits <= 8:
        return preprocessing
    return preprocessing.model_copy(update={"values": (whole_type(bits),)})


def _bits_trained_on(path: Path) -> int:
    """Of the training images of the run that a file of weights, or an exported file, lies in; 8 where it is unknown."""
    for folder in (path.parent, path.parent.parent):
        try:
            return int(read_json(folder / "data.json")["fingerprint"]["bits"])
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
    return 8


def parse_description(text: str, path: Path) -> ModelDescription:
    """The description that stands in a file as JSON; of a run of an earlier version with what the run knows of it.

    Raises:
        InputError: If it is no JSON, has not the fields that are known here, or has them with impossible values.
    """
    try:
        found = ModelDescription.model_validate_json(text)
    except ValidationError as error:
        if gone := removed_in(error):
            raise InputError(f"{path}: {gone}; use that one, or train again") from None
        problems = error.errors()
        known = [problem for problem in problems if problem["type"] in ("missing", "extra_forbidden", "literal_error")]
        first = (known or problems)[0]
        if not first["loc"] and first["type"] != "value_error":  # no JSON, or not of fields
            raise InputError(f"{path} is damaged: copy it again, or make the file anew") from None
        field = ".".join(map(str, first["loc"]))
        problem = f"{field}{field and ': '}{first['msg'].removeprefix('Value error, ')}"
        if known:
            raise InputError(
                f"{path} was written by another version of amsunet ({problem}): use that version, or make the file anew"
            ) from None
        raise InputError(f"{path} describes its network wrongly ({problem}): make the file anew") from None
    if found.preprocessing.normalization != "depth" or found.preprocessing.values:
        return found
    seen = seen_as_then(found.preprocessing, _bits_trained_on(path))
    return found.model_copy(update={"preprocessing": seen})


def read_description(weights: Path) -> ModelDescription | None:
    """The description in a file of weights, None where there is no such file; the weights are not looked at.

    Raises:
        InputError: If it is damaged, of another version, or no regular file.
    """
    try:
        with open_regular(weights) as file:
            length = int.from_bytes(file.read(8), "little")
            header = parse_json(file.read(min(length, _LARGEST_HEADER)))
        text = str(header["__metadata__"][METADATA])
    except FileNotFoundError:
        return None
    except InputError:
        raise
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{weights} is damaged: copy it again, or train again") from None
    return parse_description(text, weights)
