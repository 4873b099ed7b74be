"""A trained network in one file: weights and everything needed to use them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from amsunet.atomic_io import atomic_write
from amsunet.errors import InputError
from amsunet.inference.model_metadata import METADATA, ModelDescription, parse_description
from amsunet.memory import is_out_of_memory
from amsunet.models import code_checksum, create_model, is_custom
from amsunet.models.fuse import fuse
from amsunet.process_state import random_state_kept
from amsunet.text_files import parse_json
from amsunet.wording import command, setting


class DamagedError(InputError):
    """A model file that is missing or is not what was written."""


def save_model(path: Path, network: nn.Module, description: ModelDescription, *, half: bool = False) -> None:
    """Write weights and description to one safetensors file, wholly or not at all.

    Args:
        path: Of the file.
        network: With the weights.
        description: What the weights belong to.
        half: Parameters as float16, at half the size; statistics of BatchNorm, which may be too large for it, stay.
    """
    parameters = {name for name, _ in network.named_parameters()} if half else set()
    # Copies, for safetensors refuses one tensor under two names, as some networks hold them.
    weights = {
        name: value.detach()
        .to("cpu", torch.float16 if name in parameters else value.dtype)
        .clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    text = description.model_dump_json()
    with atomic_write(path) as temporary:
        temporary.write_bytes(_in_order(save(weights, {METADATA: text, "sha256": _checksum(weights, text)})))


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata in one order, so that the same weights are the same bytes: the library keeps
    them in a hash map, whose order is another one in every process.
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = parse_json(content[8:start])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[start:]


def load_model(path: Path, model_file: str | None = None) -> tuple[nn.Module, ModelDescription]:
    """Read what ``save_model`` wrote; nothing in the file is executed.

    Args:
        path: Of the file.
        model_file: ``FILE.py:FUNCTION`` of a network that is not amsunet's. It must be named, or a file from
            elsewhere could choose which code is run; and it must be the very file that the weights were trained
            with.

    Returns:
        The network in evaluation mode, and its description.

    Raises:
        InputError: For a missing, damaged or foreign file.
        DamagedError: For the first two.
    """
    if not path.is_file():
        raise DamagedError(
            f"{path} is missing: name a run folder of {command('train')}, train again, "
            "or install amsunet again if it came with it"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
        text = metadata[METADATA]
    except (SafetensorError, KeyError, OSError) as error:
        if is_out_of_memory(error):
            raise
        raise DamagedError(
            f"{path} is not a model of amsunet or is damaged: copy it again, or train again; "
            "pickled checkpoints are never opened"
        ) from None
    if metadata.get("sha256") != _checksum(weights, text):
        raise DamagedError(
            f"{path} is damaged (its checksum differs): copy it again, train again, "
            "or install amsunet again if it came with it"
        )
    description = parse_description(text, path)  # no damage any more: what is wrong in it was written so
    model = authorized_model(description.model, description.code, model_file, where=path)
    try:
        network = _build_for(weights, model, description.arguments)
    except (ValueError, TypeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise DamagedError(
            f"{path} holds weights that do not fit its description: copy it again, or train again"
        ) from None
    return network.eval(), description


@random_state_kept()  # first weights may be drawn, which are of no use
def _build_for(weights: dict[str, Tensor], model: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a network and load weights into it; one of this package takes memory only once their shapes are its own.

    Raises:
        ValueError: If they are not, or the network does not exist.
        TypeError: If the network has not these arguments.
        RuntimeError: If the weights do not fit a custom network.
    """
    if is_custom(model):
        network = create_model(model, **arguments)
    else:
        with torch.device("meta"):  # shapes alone
            network = create_model(model, **arguments)
        if {name: one.shape for name, one in network.state_dict().items()} != {
            name: one.shape for name, one in weights.items()
        }:
            raise ValueError("the weights have other shapes")
        network = network.to_empty(device="cpu")
    network.load_state_dict(weights)
    return network


class TemperatureScaled(nn.Module):
    """A network whose logits are divided by a temperature. Shape: as the network's."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits / self.temperature


@random_state_kept()  # parts of it are built anew
def for_inference(network: nn.Module, temperature: float = 1.0) -> nn.Module:
    """A network of this package with everything fused that can be; another one as it is, for what it does with its
    parts is not known. Its logits are divided by the temperature.
    """
    return TemperatureScaled(fuse(network) if is_ours(network) else network, temperature)


def is_ours(network: nn.Module) -> bool:
    """Whether a network is of this package, so that it is known what it does with its parts."""
    inner = network.network if isinstance(network, TemperatureScaled) else network
    return type(inner).__module__.startswith("amsunet.models.")


def build_network(model: str, arguments: dict[str, Any]) -> nn.Module:
    """Build a network as a user named it.

    Raises:
        InputError: For a name or for arguments that do not exist or exclude each other.
    """
    try:
        return create_model(model, **arguments)
    except TypeError as error:
        first, _, _ = str(error).partition("\n")  # torch's traces follow
        raise InputError(f"{model} cannot be built: {first}") from None
    except ValueError as error:
        first, _, _ = str(error).partition("\n")
        raise InputError(first) from None


def authorized_model(recorded: str, code: str | None, model_file: str | None, *, where: Path) -> str:
    """The model that may be built: a network of amsunet as recorded, one of a user's file as named now.

    Raises:
        InputError: If a file is needed and not named, or is not the one of checksum ``code``.
    """
    if not is_custom(recorded):
        return recorded
    if model_file is None:
        raise InputError(
            f"{where} needs the network of {recorded}: name the file with {setting('model_file')}, its code is run"
        )
    try:
        same = code is not None and code_checksum(model_file) == code
    except ValueError as error:
        raise InputError(str(error)) from None
    if not same or model_file.rpartition(":")[2] != recorded.rpartition(":")[2]:
        raise InputError(
            f"{model_file} is not the network that {where} was trained with, or a file that it imports has changed: a "
            "copy of them is network.py of the run, with what lies beside it"
        )
    return model_file


def weights_checksum(network: nn.Module) -> str:
    """SHA-256 of the weights of a network on the CPU, by their names."""
    return _checksum(network.state_dict(), "")


def _checksum(weights: dict[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
