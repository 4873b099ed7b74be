"""Networks from a file of the user's: ``FILE.py:FUNCTION``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from torch import nn


def is_file(name: str) -> bool:
    """Whether a model's name means a function in a file, as ``FILE.py:FUNCTION``."""
    return name.rpartition(":")[0].endswith(".py")


def absolute_model(name: str) -> str:
    """The name as it can be used from another folder."""
    if not is_file(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).expanduser().absolute()}:{function}"


def code_checksum(name: str) -> str | None:
    """SHA-256 of the file that builds a network, None for the package's own networks.

    Raises: ValueError if the file cannot be read.
    """
    return hashlib.sha256(_read(name)).hexdigest() if is_file(name) else None


def build_from_file(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Run a file and call its function.

    Raises: ValueError if the file or the function is not there, fails, or does not return a module.
    """
    path, _, function = absolute_model(name).rpartition(":")
    _read(name)
    spec = importlib.util.spec_from_file_location(f"amsunet_own_{Path(path).stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickling look their classes up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"{path} cannot be run ({type(error).__name__}: {error}): mend it") from error
    builder = getattr(module, function, None)
    if not callable(builder):
        raise ValueError(f"{path} has no function {function!r}: name it as {path}:FUNCTION")
    try:
        network = builder(**arguments)
    except Exception as error:
        raise ValueError(f"{function} of {path} failed ({type(error).__name__}: {error}): mend it") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{function} of {path} returned {type(network).__name__}: return a torch.nn.Module")
    return network


def _read(name: str) -> bytes:
    path = Path(name.rpartition(":")[0]).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name the file as PATH.py:FUNCTION") from None
