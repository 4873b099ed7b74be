"""Networks from a file of the user's, and the files beside it that it imports: ``FILE.py:FUNCTION``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from amsunet.models.helper_files import find_helpers, load_with_helpers


def is_custom(name: str) -> bool:
    """Whether a model's name means a function in a file, as ``FILE.py:FUNCTION``."""
    return name.rpartition(":")[0].endswith(".py")


def absolute_model(name: str) -> str:
    """The name as it can be used from another folder."""
    if not is_custom(name):
        return name
    path, _, function = name.rpartition(":")
    return f"{Path(path).expanduser().absolute()}:{function}"


def code_checksum(name: str) -> str | None:
    """SHA-256 of the file that builds a network, with the files beside it that it imports; None for the package's own
    networks. Nothing is run.

    Raises: ValueError if the file cannot be read.
    """
    if not is_custom(name):
        return None
    digest = hashlib.sha256(_read(name))
    path = Path(absolute_model(name).rpartition(":")[0])
    for helper, file in sorted(find_helpers(path).items()):
        digest.update(f"\0{helper}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def code_files(name: str) -> dict[Path, Path]:
    """The file that builds a network and those beside it that it imports, by their place in a folder of copies: the
    first is ``network.py``, unless another one is called so.
    """
    path = Path(absolute_model(name).rpartition(":")[0])
    helpers = {file.relative_to(path.parent): file for file in find_helpers(path).values()}
    taken = any(helper.parts[0] in ("network.py", "network") for helper in helpers)
    return {Path(path.name if taken else "network.py"): path} | helpers


def build_from_file(name: str, arguments: dict[str, Any]) -> nn.Module:
    """Run a file and call its function.

    Raises: ValueError if the file or the function is not there, fails, or does not return a module.
    """
    path, _, function = absolute_model(name).rpartition(":")
    _read(name)
    try:
        module = load_with_helpers(Path(path))
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
