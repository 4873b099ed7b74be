"""JSON with the checksum of its content: a digit that changed on the disk does not pass as another valid value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amsunet.atomic_io import finite, write_json
from amsunet.errors import InputError
from amsunet.text_files import read_json

_CHECKSUM = "sha256"


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Write content as JSON with its checksum beside its names, wholly or not at all.

    Args:
        path: The file.
        content: By name, of what JSON can hold.
    """
    write_json(path, {**content, _CHECKSUM: _checksum(finite(content))})


def read_checked(path: Path, *, damaged: str = "copy it again", missing: str = "copy it again") -> Any:
    """Read what ``write_checked`` wrote, or JSON without a checksum, as earlier versions and people write it.

    Args:
        path: The file.
        damaged: What to do if it cannot be read: the end of the sentence.
        missing: What to do if it is not found.

    Returns:
        Its content without the checksum.

    Raises:
        InputError: As ``read_json``, and if the content is not that of its checksum.
    """
    content = read_json(path, damaged=damaged, missing=missing)
    if isinstance(content, dict) and _CHECKSUM in content:
        checksum = content.pop(_CHECKSUM)
        if checksum != _checksum(content):
            raise InputError(
                f"{path} is damaged or was edited, as its {_CHECKSUM} shows: {damaged}; to keep an edit, take the "
                f"line {_CHECKSUM} out of it"
            )
    return content


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()
