"""``dataset.json``, in which nnU-Net and the Medical Segmentation Decathlon name classes and channels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from amsunet.data.discovery.sample import Layout, NamedClasses
from amsunet.errors import InputError
from amsunet.text_files import read_json

NAME = "dataset.json"
_IGNORED = "ignore"
"""What nnU-Net calls pixels that are ignored."""


def apply_dataset_json(source: Path, layout: Layout) -> None:
    """Take from a ``dataset.json`` what the numbers of masks mean, and how many channels images have.

    Args:
        source: The data set's folder.
        layout: Gets the classes, the channels and notes.
    """
    path = source / NAME
    if not path.is_file():
        return
    try:
        content = read_json(path)
    except InputError as error:
        layout.warnings.append(f"{error}: it is not used")
        return
    if not isinstance(content, dict):
        return
    channels = content.get("channel_names") or content.get("modality")
    layout.channels = tuple(map(str, channels.values())) if isinstance(channels, dict) else ()
    if layout.channels:
        layout.notes.append(f"{path.name} names the channels: {', '.join(layout.channels)}")
    labels = content.get("labels")
    if not isinstance(labels, dict) or not labels:
        return
    found = _classes(labels)
    if found is None:
        layout.warnings.append(
            f"{path} names classes that are not one number each (regions): they are not used, and each number of the "
            "masks is a class"
        )
        return
    layout.named_classes = found
    layout.notes.append(f"{path.name} names the classes: {', '.join(found.names)}")


def _classes(labels: dict[str, Any]) -> NamedClasses | None:
    """The classes by number, the background first: ``{"liver": 1}`` as nnU-Net, ``{"1": "liver"}`` as the Decathlon."""
    numbers: dict[int, str] = {}
    for key, value in labels.items():
        number, name = (key, value) if isinstance(value, str) else (value, key)
        if isinstance(number, list) and len(number) == 1:
            number = number[0]
        try:
            numbers[int(number)] = re.sub(r"[/\\]", "-", str(name))  # names of files are made of it
        except (TypeError, ValueError):
            return None
    ignored = next((number for number, name in numbers.items() if name.lower() == _IGNORED), None)
    values = tuple(sorted(number for number in numbers if number != ignored))
    if len(values) < 2 or values[0] != 0:
        return None
    return NamedClasses(values, tuple(numbers[value] for value in values), ignored)
