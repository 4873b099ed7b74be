"""Custom networks: ``FILE.py:FUNCTION``, a function in a Python file, and the files beside it that it imports."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from amsunet.models.helper_files import find_helpers, load_with_helpers


def is_custom(name: str) -> bool:
    """Whether a model's name is ``FILE.py:FUNCTION``."""
    return name.rpartition(":")[0].endswith(".py")


def absolute_model(name: str) -> str:
    """A model's name that works from any folder: with an absolute path if it is ``FILE.py:FUNCTION``."""
    if not is_custom(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).expanduser().absolute()}:{function}"


def code_checksum(name: str) -> str | None:
    """SHA-256 of the file that builds a network, with the files beside it that it imports. Nothing is run.

    Args:
        name: of a model.

    Returns:
        The checksum; None for a network of this package.

    Raises:
        ValueError: If the file cannot be read.
    """
    if not is_custom(name):
        return None
    digest = hashlib.sha256(_read(name))
    path = Path(absolute_model(name).rpartition(":")[0])
    for helper, file in sorted(find_helpers(path).items()):
        digest.update(f"\0{helper}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def code_files(name: str) -> dict[Path, Path]:
    """The file that builds a network and those beside it that it imports.

    Args:
        name: ``FILE.py:FUNCTION``.

    Returns:
        Each file by its path in a folder of copies; the first is ``network.py``, unless another file has that name.
    """
    path = Path(absolute_model(name).rpartition(":")[0])
    helpers = {file.relative_to(path.parent): file for file in find_helpers(path).values()}
    taken = any(helper.parts[0] in ("network.py", "network") for helper in helpers)
    return {Path(path.name if taken else "network.py"): path} | helpers


def build_from_file(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Run a file and call its function.

    Args:
        name: ``FILE.py:FUNCTION``.
        arguments: of the function.

    Raises:
        ValueError: If the file or the function is not found, fails, or does not return a module.
    """
    path, _, function = absolute_model(name).rpartition(":")
    _read(name)
    try:
        module = load_with_helpers(Path(path))
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"{path} cannot be run ({type(error).__name__}: {error}): fix it") from error
    builder = getattr(module, function, None)
    if not callable(builder):
        raise ValueError(f"{path} has no function {function!r}: name it as {path}:FUNCTION")
    try:
        network = builder(**arguments)
    except Exception as error:
        raise ValueError(f"{function} of {path} failed ({type(error).__name__}: {error}): fix it") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{function} of {path} returned {type(network).__name__}: return a torch.nn.Module")
    return network


def _read(name: str) -> bytes:
    path = Path(name.rpartition(":")[0]).expanduser()
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path} is no regular file: name the file as PATH.py:FUNCTION")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name the file as PATH.py:FUNCTION") from None
