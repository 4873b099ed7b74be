"""The states that a training goes on from: the last one and the one before, each with its checksum.

    last.ckpt       what ``resume`` takes
    previous.ckpt   what it takes where the last one is damaged, or a kill came while it was put in its place

A checkpoint is a zip file of torch's. Its comment is the SHA-256 of all that stands before it, so that it stays a file
that ``torch.load`` and ``unzip`` read. Files of earlier versions have no comment; each of their parts has a CRC.
"""

from __future__ import annotations

import hashlib
import logging
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from amsunet.atomic_io import as_input_error, atomic_write
from amsunet.errors import InputError
from amsunet.memory import is_out_of_memory
from amsunet.regular_file import read_regular

logger = logging.getLogger(__name__)

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
_END = b"PK\x05\x06"
"""Of a zip file, before 16 bytes and the length of the comment."""
_DIGITS = 64


def save_checkpoint(run: Path, write: Callable[[Path], object]) -> None:
    """Put a new state in the place of the last one, which becomes the one before.

    Args:
        run: The run folder.
        write: Writes the state to the path it is given.
    """
    with atomic_write(run / LAST) as temporary:
        write(temporary)
        _seal(temporary)
        if (run / LAST).exists():
            (run / LAST).replace(run / PREVIOUS)


def has_checkpoint(run: Path) -> bool:
    """Whether a training has reached anything that it could go on from."""
    return any((run / name).exists() for name in (LAST, PREVIOUS))


def remove_checkpoints(run: Path) -> None:
    """Remove the states of a training that has come to its end."""
    for name in (LAST, PREVIOUS):
        (run / name).unlink(missing_ok=True)


def find_checkpoint(run: Path, weights: Mapping[str, torch.Tensor]) -> Path | None:
    """Find the newest state that is whole, and have it stand as the last one; a warning names what is damaged.

    Args:
        run: The run folder, which nobody else is at work in.
        weights: Of the network to be trained.

    Returns:
        The file; None where no epoch had ended.

    Raises:
        InputError: If there are states and none is whole, or they are of another network.
    """
    damaged = []
    for name in (LAST, PREVIOUS):
        path = run / name
        if not path.exists():
            continue
        state = _read(path)
        if state is None:
            damaged.append(name)
            continue
        _check_fits(path, state, weights)
        if name == PREVIOUS:
            why = f"{run / LAST} is damaged" if damaged else f"{run / LAST} is missing"
            logger.warning(f"{why}: going on from the state before it, of {_describe(state)}")
            with as_input_error(run / LAST):
                path.replace(run / LAST)
        return run / LAST
    if damaged:
        raise InputError(
            f"{' and '.join(str(run / name) for name in damaged)} {'is' if len(damaged) == 1 else 'are'} damaged or "
            "not written by amsunet (code in a checkpoint is never executed): copy the run folder again, or remove "
            "them to start from the beginning"
        )
    return None


def _seal(path: Path) -> None:
    """Write the SHA-256 of a zip file into it, as its comment."""
    with path.open("r+b") as file:
        file.seek(-22, 2)
        end = file.read()
        assert end.startswith(_END) and end.endswith(b"\0\0"), "torch writes a zip file without a comment"
        file.seek(-2, 2)
        file.write(struct.pack("<H", _DIGITS))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, 2)
        file.write(digest.encode("ascii"))


def _read(path: Path) -> dict[str, Any] | None:
    """The state in a file; None if it is damaged, or holds more than tensors and plain values."""
    try:
        if not _is_whole(path):
            return None
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        if is_out_of_memory(error):  # or a sound state would be taken for damaged
            raise
        return None
    known = isinstance(state, dict) and {"state_dict", "loops", "callbacks"} <= state.keys()
    return state if known else None


def _is_whole(path: Path) -> bool:
    content = memoryview(read_regular(path))
    sealed, seal = content[:-_DIGITS], bytes(content[-_DIGITS:])
    if bytes(sealed[-22:-18]) == _END:
        return hashlib.sha256(sealed).hexdigest().encode("ascii") == seal
    with zipfile.ZipFile(path) as parts:  # of an earlier version
        return not parts.comment and parts.testzip() is None


def _check_fits(path: Path, state: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
    found = {name: tuple(value.shape) for name, value in state["state_dict"].items()}
    if found != {name: tuple(value.shape) for name, value in weights.items()}:
        raise InputError(
            f"{path} is of another network than {path.parent / 'config.json'} names: copy the run folder again or "
            "train again"
        )


def _describe(state: Mapping[str, Any]) -> str:
    return f"epoch {state.get('epoch', 0) + 1}"
