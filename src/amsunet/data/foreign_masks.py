"""Masks of other data than a network was trained on: read as its own where alike, else by the order of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amsunet.data.class_folders import find_folder_convention
from amsunet.data.mask_kinds import of_values
from amsunet.data.mask_readings import choose_reading
from amsunet.data.mask_rules import find_convention
from amsunet.data.mask_summary import MaskSummary
from amsunet.data.masks import MaskConvention, MaskOptions
from amsunet.errors import InputError


def fit_convention(
    trained: MaskConvention, masks: Sequence[MaskSummary], by_class: Mapping[str, Sequence[MaskSummary]]
) -> tuple[MaskConvention, list[str]]:
    """Find how these masks hold the classes of a trained network.

    Args:
        masks: all masks of the data set.
        by_class: the same by the folder of their class, where classes have folders.

    Returns: the convention to read them by, and what should be said aloud.
    Raises: InputError if they hold other classes.
    """
    if by_class:
        return _fit_folders(trained, by_class)
    if trained.kind == "folders":
        found, notes = _find(masks, trained)
        if found is None or found.num_classes != trained.num_classes or found.kind == "instances":
            raise InputError(
                f"{masks[0].path} and the other masks lack the class folders of the training data "
                f"({', '.join(trained.folder_names)}): give them the same folders"
            )
        return _in_order(trained, found, notes)
    fits = _reads(trained, masks)
    uniform = all(not mask.readings for mask in masks) or choose_reading(masks, MaskOptions())[0] == trained.reading
    if fits and uniform and trained.kind != "instances":
        return trained, []
    found, notes = _find(masks, trained)
    if fits and uniform and (found is None or found.kind != "threshold"):  # but for soft edges, which are no objects
        return trained, []
    if found is None or found.num_classes != trained.num_classes:
        found, notes = _of_as_many_values(trained, masks), []
    if found is None and not fits and trained.kind == "threshold":
        raise InputError(
            f"{masks[0].path} and the other masks hold nothing from {trained.threshold:g} on, which is the network's "
            "foreground: say --instances if their values number objects, or --mask-threshold 1 if all are foreground"
        )
    if found is None or (fits and _same_foreground(trained, found, masks)):
        return trained, []
    return _in_order(trained, found, notes)


def unknown_value(mask: MaskSummary, convention: MaskConvention) -> float | None:
    """A value of a mask that no class has, if there is one; of colour among greys, any."""
    if mask.colour and convention.kind in ("values", "folders"):
        return max(mask.counts)
    if convention.kind not in ("values", "colours"):
        return None
    grey = 0x010101 if convention.kind == "colours" and not mask.colour else 1
    known = (*convention.values, convention.ignore_value)
    return next((value * grey for value in mask.counts if value * grey not in known), None)


def _find(masks: Sequence[MaskSummary], trained: MaskConvention) -> tuple[MaskConvention | None, list[str]]:
    """What the masks themselves say, if they do."""
    try:
        return find_convention(masks, MaskOptions(ignore_value=_ignored(trained, masks)))
    except InputError:
        return None, []


def _ignored(trained: MaskConvention, masks: Sequence[MaskSummary]) -> int | None:
    """What the network's masks ignore, unless it is all that these have beside 0."""
    held = {value for mask in masks for value in mask.counts}
    colour = any(mask.read_as(reading).colour for mask in masks for reading in ("stored", *mask.readings))
    return None if colour or held <= {0, trained.ignore_value} else trained.ignore_value


def _reads(trained: MaskConvention, masks: Sequence[MaskSummary]) -> bool:
    """Whether the network's convention can read all these masks and finds something in them, where something is."""
    read = [mask.read_as(trained.reading) for mask in masks]
    if any(unknown_value(mask, trained) is not None for mask in read):
        return False
    if trained.kind != "threshold" or all(not mask.foreground for mask in read):
        return True
    return any(trained.is_foreground(value, colour=mask.colour) for mask in read for value in mask.counts)


def _same_foreground(trained: MaskConvention, found: MaskConvention, masks: Sequence[MaskSummary]) -> bool:
    def shares(convention: MaskConvention) -> list[int]:
        read = [mask.read_as(convention.reading) for mask in masks]
        return [
            sum(n for v, n in mask.counts.items() if convention.is_foreground(v, colour=mask.colour)) for mask in read
        ]

    return shares(trained) == shares(found)


def _of_as_many_values(trained: MaskConvention, masks: Sequence[MaskSummary]) -> MaskConvention | None:
    """Class values in order where the masks hold as many as the network has classes."""
    read = [mask.read_as(choose_reading(masks, MaskOptions())[0]) for mask in masks]
    values = sorted({value for mask in read for value in mask.counts} - {trained.ignore_value})
    usable = not any(mask.colour for mask in read) and all(value % 1 == 0 and value >= 0 for value in values)
    if trained.kind != "values" or not usable or len(values) != trained.num_classes or values[0] != 0:
        return None
    return of_values([int(value) for value in values], trained.ignore_value)


def _in_order(trained: MaskConvention, found: MaskConvention, notes: list[str]) -> tuple[MaskConvention, list[str]]:
    said = f"masks hold {found}, those that the network was trained on {trained}: classes are taken in this order"
    return found.named(trained.class_names), [said, *notes]


def _fit_folders(
    trained: MaskConvention, by_class: Mapping[str, Sequence[MaskSummary]]
) -> tuple[MaskConvention, list[str]]:
    known = trained.folder_names if trained.kind == "folders" else trained.class_names[1:]
    same, renamed = set(by_class) == set(known), trained.num_classes == 2 and len(by_class) == 1
    fewer = trained.kind == "folders" and set(by_class) < set(known)  # a test set may hold nothing of a class
    if not (same or fewer or renamed):
        every = [mask for masks in by_class.values() for mask in masks]
        raise InputError(
            f"{every[0].path} lies in the folder of its class, and the folders ({', '.join(by_class)}) are not the "
            f"classes of the training data ({', '.join(known)}): give it the same folders"
        )
    ordered = {name: by_class[name] for name in known if name in by_class} if same or fewer else by_class
    if trained.kind == "folders":
        return _fit_known_folders(trained, ordered, same=same, fewer=fewer)
    found, notes = find_folder_convention(ordered, MaskOptions(ignore_value=trained.ignore_value))
    return _in_order(trained, found, notes)


def _fit_known_folders(
    trained: MaskConvention, by_class: Mapping[str, Sequence[MaskSummary]], *, same: bool, fewer: bool
) -> tuple[MaskConvention, list[str]]:
    told = []
    if fewer:
        absent = ", ".join(name for name in trained.folder_names if name not in by_class)
        told = [f"no folder holds masks of {absent}: all images are taken as without it"]
    elif not same:
        told = [f"the folder {next(iter(by_class))} is taken as that of {trained.class_names[1]}"]
        trained = trained.model_copy(update={"folders": tuple(by_class)})
    if not any(mask.foreground for masks in by_class.values() for mask in masks):
        return trained, told
    found, _ = find_folder_convention(by_class, MaskOptions(ignore_value=trained.ignore_value), known=True)
    if (trained.reading, trained.threshold) == (found.reading, found.threshold):
        return trained, told
    read = trained.model_copy(update={"reading": found.reading, "threshold": found.threshold})
    said = f"masks hold {found}, those that the network was trained on {trained}: each folder is its class"
    return read, [said, *told]
