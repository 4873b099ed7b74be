"""What the pixel values of a data set's masks mean, found from the masks themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from amsunet.data.components import number_objects
from amsunet.data.images import Array
from amsunet.data.table import look_up
from amsunet.errors import InputError
from amsunet.packages import needed

IGNORED = 255
"""The label of pixels that neither loss nor metrics look at."""

MAXIMUM_CLASSES = 20
_LARGEST_VALUE = 65535


class MaskOptions(BaseModel):
    """What the user says of the masks, where it is not to be guessed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[int, ...] | None = None
    """Pixel values of the classes, background first."""
    instances: bool = False
    """Values number objects; every object is foreground."""
    ignore_value: int | None = None
    threshold: int | None = None
    """Pixels of this value and above are foreground: of the class of their folder, where a class has one."""

    def refuse_two(self) -> None:
        """Raise InputError if masks are said to be two things at once."""
        given = {
            "--classes": self.classes is not None,
            "--instances": self.instances,
            "--mask-threshold": self.threshold is not None,
        }
        said = [name for name in given if given[name]]
        if len(said) > 1:
            raise InputError(f"{said[0]} and {said[1]} say different things of the masks: leave one out")


class MaskConvention(BaseModel):
    """How class labels stand in mask files, in both directions.

    ``values``: ``values[c]`` is the pixel value of class c. ``colours``: ``values[c]`` is 65536 R + 256 G + B.
    ``instances``: 0 is background, other values number objects. ``threshold``: foreground from ``threshold`` on.
    ``folders``: one folder of binary masks for each class but the background, which ``threshold`` may apply to.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["values", "colours", "instances", "threshold", "folders"]
    values: tuple[Annotated[int, Field(ge=0)], ...]
    class_names: tuple[str, ...]
    ignore_value: int | None = None
    threshold: int | None = None

    @model_validator(mode="after")
    def _one_for_each_class(self) -> Self:
        if len(self.values) != len(self.class_names):
            raise ValueError("as many values as class names are needed")
        if max(self.values, default=0) > (0xFFFFFF if self.kind == "colours" else _LARGEST_VALUE):
            raise ValueError("a value is larger than masks can hold")
        return self

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return len(self.class_names)

    def decode(self, raw: Array, path: Path) -> Array:
        """Turn a mask as read into labels: (H, W) of uint8, ``IGNORED`` where ignored.

        Raises: InputError for a value that the convention does not have.
        """
        if self.kind == "colours":
            raw = _colour_numbers(raw)
        elif raw.ndim != 2:
            raise InputError(f"{path} is a colour mask while others are grey: save it like the others")
        labels: Array
        if self.kind in ("instances", "folders", "threshold"):
            labels = (raw >= (1 if self.threshold is None else self.threshold)).astype(np.uint8)
        else:
            labels = np.full(raw.shape, IGNORED, np.uint8)
            known = np.zeros(raw.shape, np.bool_)
            for label, value in enumerate(self.values):
                here = raw == value
                labels[here] = label
                known |= here
            if self.ignore_value is not None:
                known |= raw == self.ignore_value
            if not known.all():
                raise InputError(
                    f"{path} holds the value {raw[~known].flat[0]}, which no class has (they are {list(self.values)}): "
                    "mend the mask, or say --ignore-value"
                )
        if self.ignore_value is not None:
            labels[raw == self.ignore_value] = IGNORED
        return labels

    def unknown_value(self, mask: MaskSummary) -> int | None:
        """A value of a mask that no class has, if there is one."""
        if self.kind != "values":
            return None
        return next((value for value in mask.counts if value not in (*self.values, self.ignore_value)), None)

    def encode(self, labels: Array) -> Array:
        """Turn labels (H, W) into a mask as the data set's own: what ``decode`` takes, but for ``folders``."""
        if self.kind == "instances":
            objects, count = number_objects(labels)
            if count > np.iinfo(np.uint16).max:
                raise InputError(f"{count} objects are more than a 16-bit mask can number: predict the image in parts")
            return objects.astype(np.uint8 if count < 256 else np.uint16)
        values = np.asarray(self.values, np.int64)
        if self.kind == "colours":
            return look_up(np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8), labels)
        return look_up(values.astype(np.uint8 if max(self.values) < 256 else np.uint16), labels)

    def __str__(self) -> str:
        text = {
            "values": f"class values {', '.join(map(str, self.values))}",
            "colours": f"{len(self.values)} colours",
            "instances": "object numbers, taken as foreground",
            "threshold": f"greys, foreground from {self.threshold} on",
            "folders": f"one folder for each class: {', '.join(self.class_names[1:])}",
        }[self.kind]
        return text if self.ignore_value is None else f"{text}; {self.ignore_value} is ignored"


@dataclass(frozen=True)
class MaskSummary:
    """What one mask holds, small enough to keep for every mask of a data set."""

    path: Path
    colour: bool
    counts: dict[int, int]
    """Pixels by value; at most ``LIMIT`` values are kept."""
    antialiased: bool
    one_piece: bool
    """Whether (nearly) every value but 0 forms a single connected region."""

    LIMIT = 4096

    @property
    def foreground(self) -> set[int]:
        return set(self.counts) - {0}


def summarise_mask(raw: Array, path: Path) -> MaskSummary:
    """Look at one mask as read by ``read_mask``."""
    colour = raw.ndim == 3
    flat = _colour_numbers(raw) if colour else raw
    values, counts = np.unique(flat, return_counts=True)
    several = len(values) > 3 and not colour
    return MaskSummary(
        path,
        colour,
        {int(value): int(count) for value, count in zip(values[: MaskSummary.LIMIT], counts, strict=False)},
        several and _is_antialiased(flat, int(values[-1])),
        several and _is_one_piece(flat, values),
    )


def _is_antialiased(raw: Array, top: int) -> bool:
    """Whether in-between values mark the way from dark to bright, not classes or objects of their own."""
    ndimage = needed("scipy.ndimage", "scipy")
    between = (raw != 0) & (raw != top)
    climbing = (ndimage.minimum_filter(raw, 3) < raw) & (raw < ndimage.maximum_filter(raw, 3))
    return bool(between.any() and climbing[between].mean() > 0.5)


def _is_one_piece(raw: Array, values: Array) -> bool:
    ndimage = needed("scipy.ndimage", "scipy")
    regions = ndimage.find_objects(raw.astype(np.int32)) if values[-1] < 2**16 else []
    found = [(value, regions[value - 1]) for value in values.tolist() if 0 < value <= len(regions)]
    whole = sum(ndimage.label(raw[region] == value, np.ones((3, 3)))[1] == 1 for value, region in found if region)
    return bool(found) and whole >= 0.8 * len(found)


def find_convention(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    """Find what the values mean; where it would be a guess, refuse and name the option that says it.

    Returns: the convention, and what should be said aloud about how it was found.
    Raises: InputError for masks that cannot be understood without being told.
    """
    colour = next((mask for mask in masks if mask.colour), None)
    if colour is not None:
        if options != MaskOptions():
            raise InputError(
                f"{colour.path} is a colour mask, for which no mask option is known: leave the options out"
            )
        return _colour_convention(masks), []
    options.refuse_two()
    totals: Counter[int] = Counter()
    for mask in masks:
        totals.update(mask.counts)
    values = sorted(set(totals) - {options.ignore_value})
    if not values or values == [0]:
        raise InputError(f"{masks[0].path} and all other masks are empty: nothing can be learned from them")
    ignore = options.ignore_value
    if options.threshold is not None:
        return _threshold(options.threshold, ignore), []
    if options.instances:
        return _instances(ignore), []
    if options.classes is not None:
        return _values(options.classes, ignore), []
    if len(values) == 1 or (len(values) == 2 and values[0] == 0):
        return _values((0, values[-1]), ignore), []
    if ignore is None and values[-1] == 255 and values[:-1] == list(range(len(values) - 1)):
        if not any(mask.foreground > {255} for mask in masks):
            other = next(mask for mask in masks if mask.foreground == {255})
            raise InputError(
                f"{other.path} marks foreground with 255 while other masks use {values[1]}: save all masks alike, "
                "or say --mask-threshold 1"
            )
        note = "mask value 255 beside small class numbers is taken as 'ignore' (say --classes to make it a class)"
        return _values(values[:-1], 255), [note]
    refuse_soft_edges(masks)
    if _are_instances(masks):
        note = f"mask values look like object numbers (up to {max(totals)}): every object is taken as foreground"
        return _instances(ignore), [note]
    if len(values) <= MAXIMUM_CLASSES and values == list(range(len(values))):
        return _values(values, ignore), []
    shown = ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")
    odd = max(masks, key=lambda mask: len(mask.foreground))
    classes = [value for value in values if value >= 0]
    negative = f", and --ignore-value={values[0]}" if values[0] < 0 else ""
    raise InputError(
        f"{odd.path}: the masks hold the values {shown}, which may be classes or objects: say --classes "
        f"{','.join(map(str, classes[:3]))}{',...' if len(classes) > 3 else ''} or --instances{negative}"
    )


def refuse_soft_edges(masks: Sequence[MaskSummary]) -> None:
    """Raise InputError if any mask has greys between its objects and their surroundings."""
    grey = next((mask for mask in masks if mask.antialiased), None)
    if grey is not None:
        raise InputError(
            f"{grey.path} has soft edges ({len(grey.counts)} grey values; {sum(mask.antialiased for mask in masks)} of "
            f"{len(masks)} masks do): save masks without smoothing or JPEG, or say --mask-threshold 128"
        )


def _are_instances(masks: Sequence[MaskSummary]) -> bool:
    several = [mask for mask in masks if len(mask.foreground) >= 3]
    counts = {len(mask.foreground) for mask in masks if mask.foreground}
    return bool(several) and len(counts) > 1 and sum(mask.one_piece for mask in several) > 0.5 * len(several)


def _values(values: Sequence[int], ignore: int | None) -> MaskConvention:
    impossible = [value for value in values if not 0 <= value <= _LARGEST_VALUE]
    if impossible or len(set(values)) < len(values):
        wrong = impossible[0] if impossible else Counter(values).most_common(1)[0][0]
        raise InputError(
            f"no class can have the value {wrong}: say --classes with values of 0 to {_LARGEST_VALUE}, each once"
        )
    names = ("background", "foreground") if len(values) == 2 else tuple(_name(label) for label in range(len(values)))
    return MaskConvention(kind="values", values=tuple(values), class_names=names, ignore_value=ignore)


def _name(label: int) -> str:
    return f"class {label}" if label else "background"


def _threshold(threshold: int, ignore: int | None) -> MaskConvention:
    # What predictions write as foreground must not be read as ignored.
    foreground = [value for value in (max(255, threshold), threshold) if value != ignore]
    if not foreground:
        raise InputError(f"--mask-threshold and --ignore-value are both {ignore}, and nothing would be foreground")
    return MaskConvention(
        kind="threshold",
        values=(0, foreground[0]),
        class_names=("background", "foreground"),
        threshold=threshold,
        ignore_value=ignore,
    )


def _instances(ignore: int | None) -> MaskConvention:
    return MaskConvention(
        kind="instances", values=(0, 1), class_names=("background", "foreground"), ignore_value=ignore
    )


def _colour_convention(masks: Sequence[MaskSummary]) -> MaskConvention:
    colours: Counter[int] = Counter()
    for mask in masks:
        # A grey mask among colour masks is one that happens to hold black, white or grey only.
        colours.update({v if mask.colour else v * 0x010101: n for v, n in mask.counts.items()})
    if len(colours) > MAXIMUM_CLASSES:
        worst = max(masks, key=lambda mask: len(mask.counts))
        raise InputError(
            f"{worst.path} has {len(worst.counts)} colours, too many for classes: "
            "save the mask with one flat colour a class, without smoothing or JPEG"
        )
    background = 0 if 0 in colours else colours.most_common(1)[0][0]
    values = (background, *sorted(set(colours) - {background}))
    names = ("background", *(f"#{value:06x}" for value in values[1:]))
    return MaskConvention(kind="colours", values=values, class_names=names)


def _colour_numbers(raw: Array) -> Array:
    if raw.ndim == 2:
        return raw.astype(np.int64) * 0x010101
    wide = raw.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
