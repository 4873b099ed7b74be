"""Damage to JSON files: every key in turn holds what it should not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRONG: tuple[Any, ...] = (None, -1, float("inf"), 10**40, "x", [], {})
_ALIKE = 2
"""Keys of one mapping by name of a sample are all of one kind: so many of them are tried."""


def places(content: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths to all values in a JSON document, but for most of those that are alike."""
    if isinstance(content, dict):
        names = list(content)
        alike = len(at) > 0 and at[-1] in ("splits", "checksums", "mask_checksums", "thumbnails", "reasons", "fold_of")
        for name in names[:_ALIKE] if alike else names:
            yield (*at, name)
            yield from places(content[name], (*at, name))
    elif isinstance(content, list):
        for index in range(min(len(content), _ALIKE)):
            yield (*at, index)
            yield from places(content[index], (*at, index))


def damaged(path: Path) -> Iterator[tuple[str, str]]:
    """Every damaged form of a JSON file without its checksum, by which all are noticed: what was done, and the text."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.pop("sha256", None)
    for place in places(content):
        for wrong in WRONG:
            changed = copy.deepcopy(content)
            inner = changed
            for step in place[:-1]:
                inner = inner[step]
            if inner[place[-1]] == wrong:
                continue
            inner[place[-1]] = wrong
            text = json.dumps(changed).replace("Infinity", "1e400")
            yield f"{path.name} {'.'.join(map(str, place))} = {json.dumps(wrong)}", text
