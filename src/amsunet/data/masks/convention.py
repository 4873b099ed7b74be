"""What the pixel values of a data set's masks mean, as it is saved with a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from amsunet.data.components import number_objects
from amsunet.data.images import Array
from amsunet.data.lookup import look_up
from amsunet.data.masks.files import Reading, read_mask
from amsunet.errors import InputError
from amsunet.safe_text import SafeName, find_namesakes, problem_of_names
from amsunet.wording import setting

IGNORE_INDEX = 255
"""The label of pixels that loss and metrics ignore."""

LARGEST_VALUE = 65535
_LARGEST_COLOUR = 0xFFFFFF
MOST_CLASSES = IGNORE_INDEX
"""Background included: labels are of eight bits, and one of them is ignored."""


class MaskConvention(BaseModel):
    """How mask files encode class labels; it decodes masks and encodes labels.

    Kinds:

    - ``values``: ``values[c]`` is the pixel value of class c.
    - ``colours``: ``values[c]`` is the colour of class c as 65536 R + 256 G + B.
    - ``instances``: 0 is background, other values number objects.
    - ``threshold``: values from ``threshold`` on are foreground; of colours, the brightest channel is compared.
    - ``folders``: one folder of binary masks for each class but the background. ``threshold`` may apply to them;
      foreground of any colour is the class of the folder.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: Literal["values", "colours", "instances", "threshold", "folders"]
    values: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, max_length=MOST_CLASSES)]
    class_names: tuple[SafeName, ...]
    ignore_value: int | None = None
    threshold: float | None = None
    reading: Reading = "stored"
    """Which part of a file is the mask."""
    folders: tuple[str, ...] = ()
    """The folder of each class but the background; empty where folders are named as their classes."""
    order: tuple[int, ...] = ()
    """Classes of ``folders`` from the lowest to the topmost, where they overlap; empty in runs of earlier versions,
    which put the smaller one of each image on top."""

    @model_validator(mode="after")
    def _one_for_each_class(self) -> Self:
        if len(self.values) != len(self.class_names):
            raise ValueError("as many values as class names are needed")
        if same := find_namesakes(self.class_names):
            raise ValueError(f"{same[0]} and {same[1]} are one class name to some file systems")
        if self.folders and len(self.folders) != len(self.values) - 1:
            raise ValueError("as many folders as classes are needed")
        if self.order and sorted(self.order) != list(range(1, len(self.values))):
            raise ValueError("order must name each class once")
        if max(self.values, default=0) > (_LARGEST_COLOUR if self.kind == "colours" else LARGEST_VALUE):
            raise ValueError("a value is larger than masks can hold")
        return self

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return len(self.class_names)

    @property
    def folder_names(self) -> tuple[str, ...]:
        """The folder of each class but the background, of ``folders``."""
        return self.folders or self.class_names[1:]

    def read(self, path: Path) -> Array:
        """Read a mask file as labels.

        Args:
            path: The mask file.

        Returns:
            (H, W) of uint8, ``IGNORE_INDEX`` where ignored.

        Raises:
            InputError: For a file that cannot be read, or a value that the convention does not have.
        """
        return self.decode(read_mask(path, self.reading), path)

    def decode(self, raw: Array, path: Path) -> Array:
        """Turn a mask as read into labels.

        Args:
            raw: (H, W) of numbers, or (H, W, 3) of colours.
            path: Its file, for messages.

        Returns:
            (H, W) of uint8, ``IGNORE_INDEX`` where ignored.

        Raises:
            InputError: For a value that the convention does not have.
        """
        colour = raw.ndim == 3
        if self.kind in ("threshold", "folders") and colour:
            raw = raw.max(axis=2)
        elif self.kind == "colours" or (self.kind == "instances" and raw.ndim == 3):
            raw = colour_numbers(raw)
        elif raw.ndim != 2:
            raise InputError(f"{path} is a colour mask while others are grey: save it like the others")
        labels: Array
        if self.kind in ("instances", "folders", "threshold"):
            labels = (raw >= (1 if self.threshold is None else self.threshold)).astype(np.uint8)
        else:
            labels = np.full(raw.shape, IGNORE_INDEX, np.uint8)
            known = np.zeros(raw.shape, np.bool_)
            for label, value in enumerate(self.values):
                here = raw == value
                labels[here] = label
                known |= here
            if self.ignore_value is not None:
                known |= raw == self.ignore_value
            if not known.all():
                raise InputError(
                    f"{self.describe_unknown_value(path, raw[~known].flat[0])}: fix the mask, or set "
                    f"{setting('ignore_value')}"
                )
        if self.ignore_value is not None and not colour:
            labels[raw == self.ignore_value] = IGNORE_INDEX
        return labels

    def describe_unknown_value(self, path: Path, value: float) -> str:
        """Describe a mask that holds a value which no class has: the beginning of a sentence."""
        known = ", ".join(map(self.name_value, self.values))
        return f"{path} holds the value {self.name_value(value)}, which no class has (they are [{known}])"

    def name_value(self, value: float) -> str:
        """A pixel value as a user would write it."""
        return name_colours([int(value)]) if self.kind == "colours" else name_value(value)

    def is_foreground(self, value: float, *, colour: bool = False) -> bool:
        """Whether pixels of a value belong to any class but the background.

        Args:
            value: The pixel value; of a colour 65536 R + 256 G + B.
            colour: Whether the value is a colour.
        """
        if value == self.ignore_value and not colour:
            return False
        if self.kind in ("values", "colours"):
            return value * (0x010101 if self.kind == "colours" and not colour else 1) != self.values[0]
        if colour and self.kind in ("threshold", "folders"):
            value = max(int(value) >> 16, int(value) >> 8 & 255, int(value) & 255)
        return value >= (1 if self.threshold is None else self.threshold)

    def encode(self, labels: Array, numbers: Array | None = None) -> Array:
        """Turn labels into a mask of the data set's kind: the inverse of ``decode``, except for ``folders``.

        Args:
            labels: (H, W) of class labels.
            numbers: (H, W) of object numbers from 1 on, for ``instances``; connected components when left out.

        Returns:
            (H, W) of uint8 or uint16, or (H, W, 3) of uint8 for ``colours``.

        Raises:
            InputError: If there are more objects than 16 bits can number.
        """
        if self.kind == "instances":
            objects = number_objects(labels)[0] if numbers is None else numbers
            count = int(objects.max(initial=0))
            if count > np.iinfo(np.uint16).max:
                raise InputError(f"{count} objects are more than a 16-bit mask can number: predict the image in parts")
            return objects.astype(np.uint8 if count < 256 else np.uint16)
        values = np.asarray(self.values, np.int64)
        if self.kind == "colours":
            return look_up(np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8), labels)
        return look_up(values.astype(np.uint8 if max(self.values) < 256 else np.uint16), labels)

    def named(self, names: Sequence[str] | None) -> MaskConvention:
        """Rename the classes.

        Args:
            names: A name for each class, with or without the background; None changes nothing.

        Returns:
            The convention with these names.

        Raises:
            InputError: If names are too few or too many, or cannot become names of files.
        """
        if names is None:
            return self
        if len(names) == self.num_classes - 1:
            names = (self.class_names[0], *names)
        if len(names) != self.num_classes:
            raise InputError(
                f"{setting('class_names')} gives {len(names)} names for {self.num_classes - 1} classes and the "
                f"background ({self}): give {self.num_classes - 1} names, or {self.num_classes} with "
                "the background first"
            )
        if problem := problem_of_names(names):
            raise InputError(
                f"{setting('class_names')} gives {', '.join(names):.200}, and {problem}: give each class a different "
                "name, without / or \\"
            )
        folders = self.folder_names if self.kind == "folders" else ()
        return self.model_copy(update={"class_names": tuple(names), "folders": folders})

    def __str__(self) -> str:
        text = {
            "values": f"class values {', '.join(map(str, self.values))}",
            "colours": f"{len(self.values)} colours, background {self.name_value(self.values[0])}",
            "instances": "object numbers, taken as foreground",
            "threshold": f"greys, foreground from {self.threshold or 0:g} on",
            "folders": f"one folder for each class: {', '.join(self.folder_names)}",
        }[self.kind]
        text += {"alpha": ", of the alpha channel", "visible": ", of what is not transparent"}.get(self.reading, "")
        return text if self.ignore_value is None else f"{text}; {self.ignore_value} is ignored"


def colour_numbers(raw: Array) -> Array:
    """Encode colours as single numbers.

    Args:
        raw: Colours (H, W, 3), or greys (H, W).

    Returns:
        (H, W) of 65536 R + 256 G + B.
    """
    if raw.ndim == 2:
        return raw.astype(np.int64) * 0x010101
    numbers = raw[..., 0].astype(np.int32)  # of eight bytes each a large mask would take gigabytes
    for channel in (1, 2):
        numbers <<= 8
        numbers |= raw[..., channel]
    return numbers


def name_colours(colours: Sequence[int]) -> str:
    """Colours as a user would write them."""
    return ",".join(f"#{colour:06x}" for colour in colours)


def name_value(value: float) -> str:
    """A pixel value as a user would write it."""
    return f"{value:g}" if value % 1 else str(int(value))


def name_numbers(values: Sequence[float]) -> str:
    """Pixel values as a user would write them."""
    return ",".join(map(name_value, values))
