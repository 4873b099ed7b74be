"""A trained network in one file: weights and everything needed to use them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.files import whole_file
from amsunet.models import code_checksum, create_model

FILE_NAME = "model.safetensors"
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
    threshold: float = 0.5
    """Foreground probability above which a pixel is foreground, with two classes."""
    format: int = _FORMAT


def save_model(path: Path, network: nn.Module, description: ModelDescription) -> None:
    """Write weights and description to one safetensors file, wholly or not at all."""
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    text = description.model_dump_json()
    with whole_file(path) as temporary:
        save_file(weights, temporary, {"amsunet": text, "sha256": _checksum(weights, text)})


def load_model(path: Path) -> tuple[nn.Module, ModelDescription]:
    """Read what ``save_model`` wrote; nothing in the file is executed.

    Returns: the network in evaluation mode, and its description.
    Raises: InputError for a missing, damaged or foreign file.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: name a run folder of amsunet train, or train again")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        description = ModelDescription.model_validate_json(metadata["amsunet"])
    except (SafetensorError, KeyError, OSError):
        raise InputError(
            f"{path} is not a model of amsunet or is damaged: copy it again, or train again; "
            "pickled checkpoints are never opened"
        ) from None
    except ValidationError as error:
        raise InputError(
            f"{path} was written by another version of amsunet ({error.error_count()} fields differ)"
        ) from None
    if metadata.get("sha256") != _checksum(weights, metadata["amsunet"]):
        raise InputError(f"{path} is damaged (its checksum differs): copy it again, or train again")
    if description.code != _code_at_hand(description.model):
        raise InputError(
            f"{path} needs the network of {description.model}, which is missing or has changed: put the file back"
        )
    try:
        network = create_model(description.model, **description.arguments)
        network.load_state_dict(weights)
    except (ValueError, TypeError, RuntimeError):
        raise InputError(
            f"{path} holds weights that do not fit its description: copy it again, or train again"
        ) from None
    return network.eval(), description


def build_network(model: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a network as a user named it.

    Raises: InputError for a name or for arguments that do not exist or exclude each other.
    """
    try:
        return create_model(model, **arguments)
    except TypeError as error:
        raise InputError(f"{model} cannot be built: {error}") from None
    except ValueError as error:
        raise InputError(str(error)) from None


def _code_at_hand(model: str) -> str | None:
    try:
        return code_checksum(model)
    except ValueError:
        return None


def _checksum(weights: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
