"""What is known of a trained network, whichever file holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, ValidationError

from amsunet.choices import Flips, Polarity
from amsunet.data.masks import MaskConvention
from amsunet.data.out_of_distribution import ImageStatistics
from amsunet.data.preprocessing import Preprocessing, Spacing
from amsunet.data.value_range import whole_type
from amsunet.errors import InputError
from amsunet.records import Record
from amsunet.removed import removed_in
from amsunet.wording import setting

METADATA = "amsunet"
"""Under this name a file of weights, or an exported file, holds its description as JSON."""


class ModelDescription(Record):
    """What the weights belong to and how images must be prepared for them."""

    former_names: ClassVar[Mapping[str, str]] = {"doubtful": "uncertainty_limit", "appearance": "image_statistics"}

    model: str
    arguments: dict[str, Any]
    code: str | None = None
    """Checksum of the file that builds the network, where it is not one of amsunet's."""
    preprocessing: Preprocessing
    convention: MaskConvention
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What logits are divided by, so that probabilities are as sure as they are right."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Foreground probability above which a pixel is foreground, with two classes."""
    smallest_object: Annotated[int, Field(ge=0)] = 0
    """Pixels of an image of the size trained on, below which objects are dropped and holes are filled, with two
    classes."""
    uncertainty_limit: float | None = None
    """Uncertainty that one in ten validation images exceeds: masks above it are to be checked."""
    image_statistics: ImageStatistics | None = None
    """What the training images look like; None of a network that was trained before they were measured."""
    flips: Flips = "both"
    """Mirror images whose predictions may be averaged: another one shows classes exchanged, as left and right lung."""
    format: Literal[1] = 1

    def smallest_in(self, height: int, width: int, spacing: Spacing | None = None) -> float:
        """``smallest_object`` in pixels of an image of that size: always as many of those that the network sees."""
        down, across = self.preprocessing.factors(height, width, spacing)
        return self.smallest_object * (self.preprocessing.scale / down) * (self.preprocessing.scale / across)

    def at_scale(self, scale: float) -> ModelDescription:
        """The same network, given images of any size at this scale."""
        smallest = round(self.smallest_object * (self.preprocessing.scale / scale) ** 2)
        return self.model_copy(
            update={"preprocessing": self.preprocessing.by_factor(scale), "smallest_object": smallest}
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


def describe_together(descriptions: Sequence[ModelDescription], threshold: float) -> ModelDescription:
    """What holds where the probabilities of networks are averaged: of objects the smallest that all of them leave, and
    of the uncertainty limits the mean.
    """
    limits = [one.uncertainty_limit for one in descriptions if one.uncertainty_limit is not None]
    return descriptions[0].model_copy(
        update={
            "threshold": threshold,
            "smallest_object": min(one.smallest_object for one in descriptions),
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
            return int(json.loads((folder / "data.json").read_text(encoding="utf-8"))["fingerprint"]["bits"])
        except (OSError, ValueError, KeyError, TypeError):
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
        if not first["loc"]:
            raise InputError(f"{path} is damaged: copy it again, or make the file anew") from None
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"
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
        InputError: If it is damaged or of another version.
    """
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        text = str(header["__metadata__"][METADATA])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OverflowError, MemoryError):
        raise InputError(f"{weights} is damaged: copy it again, or train again") from None
    return parse_description(text, weights)
