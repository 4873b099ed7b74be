"""What is known of a trained network, whichever file holds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError

FILE_NAME = "model.safetensors"
METADATA = "amsunet"
"""Under this name a file of weights, or an exported file, holds its description as JSON."""
_FORMAT = 1


class ModelDescription(BaseModel):
    """What the weights belong to and how images must be prepared for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    arguments: dict[str, Any]
    code: str | None = None
    """Checksum of the file that builds the network, where it is not one of amsunet's."""
    preprocessing: Preprocessing
    convention: MaskConvention
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """What logits are divided by, so that probabilities are as sure as they are right."""
    threshold: float = 0.5
    """Foreground probability above which a pixel is foreground, with two classes."""
    format: int = _FORMAT


def parse_description(text: str, path: Path) -> ModelDescription:
    """The description that stands in a file as JSON.

    Raises: InputError if it has not the fields that are known here.
    """
    try:
        return ModelDescription.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            f"{path} was written by another version of amsunet ({error.error_count()} fields differ): "
            "use that version, or make the file anew"
        ) from None


def description_of(weights: Path) -> ModelDescription | None:
    """The description in a file of weights, None where there is no such file; the weights are not looked at.

    Raises: InputError if it is damaged or of another version.
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
