"""Masks of data that a network was not trained on: read by its convention if it fits, else in order of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amsunet.data.masks.class_folders import find_folder_convention
from amsunet.data.masks.convention import MaskConvention
from amsunet.data.masks.inversion import surrounds, warn_of_inversion
from amsunet.data.masks.kinds import values_convention
from amsunet.data.masks.readings import choose_reading
from amsunet.data.masks.rules import find_convention
from amsunet.data.masks.summary import MaskSummary
from amsunet.data.options import MaskOptions
from amsunet.errors import InputError
from amsunet.wording import setting

_FAINT = 0.1
"""Share of the brightest value; a lower threshold of a network does not fit these masks."""
_SHOWN = 8
"""Most pairs of value and class that a note lists."""


def fit_convention(
    trained: MaskConvention,
    masks: Sequence[MaskSummary],
    by_class: Mapping[str, Sequence[MaskSummary]],
    *,
    of_run: bool = False,
) -> tuple[MaskConvention, list[str]]:
    """Find how these masks hold the classes of a trained network.

    Args:
        trained: The convention of the network's training masks.
        masks: All masks of the data set.
        by_class: The same by the folder of their class, where classes have folders.
        of_run: Whether they are the masks of the training data, whose meaning was found or set then.

    Returns:
        The convention to read the masks by, and notes for the user.

    Raises:
        InputError: If they hold other classes, or may mean several things.
    """
    if by_class:
        return _fit_folders(trained, by_class)
    drawn_in_alpha = any(mask.opacity is not None and mask.opacity[0] < mask.opacity[1] for mask in masks)
    empty = all(not mask.read_as(reading).foreground for mask in masks for reading in (trained.reading, "stored"))
    if empty and not drawn_in_alpha:
        return trained, []
    known = MaskOptions(threshold=trained.threshold)
    uniform = all(not mask.readings for mask in masks) or choose_reading(masks, known)[0] == trained.reading
    fits = uniform and trained.kind != "folders" and _reads(trained, masks)
    if fits and of_run:
        return trained, []
    inverted = _warn_of_inversion(trained, masks) if fits and trained.num_classes == 2 else []
    if fits and trained.kind in ("values", "colours"):
        return trained, inverted
    try:
        found, notes = find_convention(masks, MaskOptions(ignore_value=_ignored(trained, masks)))
    except InputError as refusal:
        ordered = _of_as_many_values(trained, masks)
        if ordered is None:
            return _keep_or_refuse(trained, masks, refusal, fits=fits), []
        found, notes = ordered, []
    if found.num_classes != trained.num_classes:
        ordered = _of_as_many_values(trained, masks)
        if ordered is None:
            return _keep_or_refuse(trained, masks, _other_classes(trained, found, masks), fits=fits), []
        found, notes = ordered, []
    if fits and _same_foreground(trained, found, masks):
        return trained, inverted
    return _in_order(trained, found, notes, masks)


def _keep_or_refuse(
    trained: MaskConvention, masks: Sequence[MaskSummary], refusal: InputError, *, fits: bool
) -> MaskConvention:
    """Keep the network's convention for masks that are ambiguous by themselves, if it fits them.

    Single masks that do not fit are reported later.

    Raises:
        InputError: The refusal, if the convention does not fit.
    """
    read = [mask.read_as(trained.reading) for mask in masks]
    if trained.kind in ("values", "colours"):
        with_unknown_values = [mask for mask in read if unknown_value(mask, trained) is not None]
        if 2 * len(with_unknown_values) < len(read) and _marks(trained, read):
            return trained
        raise refusal
    signed = any(value < 0 and value != trained.ignore_value for mask in read for value in mask.counts)
    if not fits or signed or trained.kind == "folders" or surrounds(read, trained):
        raise refusal
    return trained


def _other_classes(trained: MaskConvention, found: MaskConvention, masks: Sequence[MaskSummary]) -> InputError:
    if trained.kind == "folders":
        return InputError(
            f"{masks[0].path} and the other masks lack the class folders of the training data "
            f"({', '.join(trained.folder_names)}): give them the same folders"
        )
    read = [mask.read_as(trained.reading) for mask in masks]
    odd, value = next(((mask, v) for mask in read if (v := unknown_value(mask, trained)) is not None), (read[0], None))
    difference = (
        f"{odd.path} is a mask of other classes" if value is None else trained.describe_unknown_value(odd.path, value)
    )
    return InputError(
        f"{difference}: all masks hold {found}, the network knows {trained.num_classes} classes "
        f"({', '.join(trained.class_names)}): set {setting('classes')} with their values in this order"
        + (f", or {setting(threshold=1)} if all are foreground" if trained.num_classes == 2 else "")
    )


def _warn_of_inversion(trained: MaskConvention, masks: Sequence[MaskSummary]) -> list[str]:
    """Refuse masks of the network's two values that may be inverted, all or many; a warning for a few."""
    read = [mask.read_as(trained.reading) for mask in masks]
    if trained.kind not in ("values", "colours"):
        as_it_is = setting(instances=True) if trained.threshold is None else setting(threshold=trained.threshold)
        return warn_of_inversion(read, trained, as_it_is)
    inside = trained.name_value(trained.values[1])
    colours = {"colours": True} if trained.kind == "colours" else {}
    turned, as_it_is = (setting(classes=values, **colours) for values in (trained.values[::-1], trained.values))
    if not surrounds(read, trained):
        return warn_of_inversion(read, trained, as_it_is)
    raise InputError(
        f"{masks[0].path} and most other masks are {inside} around, which is the network's {trained.class_names[1]}: "
        f"set {turned} if that is the background, or {as_it_is} if it is the object"
    )


def unknown_value(mask: MaskSummary, convention: MaskConvention) -> float | None:
    """Find a value of a mask that no class has.

    Args:
        mask: The mask, in the reading of the convention.
        convention: What the values mean.

    Returns:
        Such a value, or None; any value of a colour mask among grey ones.
    """
    if mask.colour and convention.kind == "values":
        return max(mask.counts)
    if convention.kind not in ("values", "colours"):
        return None
    grey = 0x010101 if convention.kind == "colours" and not mask.colour else 1
    known = (*convention.values, convention.ignore_value)
    return next((value * grey for value in mask.counts if value * grey not in known), None)


def _ignored(trained: MaskConvention, masks: Sequence[MaskSummary]) -> int | None:
    """What the network's masks ignore, where these are alike: else it may be the object."""
    reading = choose_reading(masks, MaskOptions())[0]
    read = [mask.read_as(reading) for mask in masks]
    if trained.ignore_value is None or any(mask.colour for mask in read):
        return None
    if trained.kind == "values" and any(unknown_value(mask, trained) is not None for mask in read):
        return None
    return trained.ignore_value if _marks(trained, read) else None


def _reads(trained: MaskConvention, masks: Sequence[MaskSummary]) -> bool:
    """Whether the network's convention can read all these masks and finds something in them."""
    read = [mask.read_as(trained.reading) for mask in masks]
    if any(unknown_value(mask, trained) is not None for mask in read) or not _marks(trained, read):
        return False
    if trained.kind != "threshold":
        return True
    top, cut = max(_brightest(mask) for mask in read), trained.threshold or 0
    return _FAINT * top <= cut and all(_brightest(mask) >= cut for mask in read if mask.foreground)


def _marks(trained: MaskConvention, read: Sequence[MaskSummary]) -> bool:
    return any(trained.is_foreground(value, colour=mask.colour) for mask in read for value in mask.counts)


def _brightest(mask: MaskSummary) -> float:
    if not mask.colour:
        return max(mask.counts)
    return max(max(int(value) >> 16, int(value) >> 8 & 255, int(value) & 255) for value in mask.counts)


def _same_foreground(trained: MaskConvention, found: MaskConvention, masks: Sequence[MaskSummary]) -> bool:
    def shares(convention: MaskConvention) -> list[int]:
        read = [mask.read_as(convention.reading) for mask in masks]
        return [
            sum(n for v, n in mask.counts.items() if convention.is_foreground(v, colour=mask.colour)) for mask in read
        ]

    return shares(trained) == shares(found)


def _of_as_many_values(trained: MaskConvention, masks: Sequence[MaskSummary]) -> MaskConvention | None:
    """Class values in order where the masks hold as many as the network has several classes."""
    read = [mask.read_as(choose_reading(masks, MaskOptions())[0]) for mask in masks]
    ignore = _ignored(trained, masks)
    values = sorted({value for mask in read for value in mask.counts} - {ignore})
    usable = not any(mask.colour for mask in read) and all(value % 1 == 0 and value >= 0 for value in values)
    if trained.kind != "values" or not usable or len(values) != trained.num_classes or values[0] != 0:
        return None
    found = values_convention([int(value) for value in values], ignore)
    return None if trained.num_classes == 2 or surrounds(read, found) else found


def _in_order(
    trained: MaskConvention, found: MaskConvention, notes: list[str], masks: Sequence[MaskSummary] = ()
) -> tuple[MaskConvention, list[str]]:
    """Match values to classes by their order.

    Raises:
        InputError: For several colours, whose order means nothing.
    """
    if found.num_classes > 2 and "colours" in (trained.kind, found.kind) and found.values != trained.values:
        colours = {"colours": True} if found.kind == "colours" else {}
        raise InputError(
            f"{masks[0].path} and the other masks hold {found}, and which of them is which class of the network "
            f"({', '.join(trained.class_names)}; {trained}) is not known: set "
            f"{setting(classes=found.values, **colours)} in the order of "
            "these classes"
        )
    pairs = ""
    if found.kind in ("values", "colours") and found.num_classes <= _SHOWN:
        named = zip(map(found.name_value, found.values), trained.class_names, strict=True)
        pairs = f" ({', '.join(f'{value} is {name}' for value, name in named)})"
    note = f"masks hold {found}, those that the network was trained on {trained}: classes are taken in this order"
    return found.named(trained.class_names), [note + pairs, *notes]


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
    notes = []
    if fewer:
        absent = ", ".join(name for name in trained.folder_names if name not in by_class)
        notes = [f"no folder holds masks of {absent}: all images are taken as without it"]
    elif not same:
        notes = [f"the folder {next(iter(by_class))} is taken as that of {trained.class_names[1]}"]
        trained = trained.model_copy(update={"folders": tuple(by_class)})
    if not any(mask.foreground for masks in by_class.values() for mask in masks):
        return trained, notes
    found, _ = find_folder_convention(by_class, MaskOptions(ignore_value=trained.ignore_value), known=True)
    if (trained.reading, trained.threshold) == (found.reading, found.threshold):
        return trained, notes
    read = trained.model_copy(update={"reading": found.reading, "threshold": found.threshold})
    note = f"masks hold {found}, those that the network was trained on {trained}: each folder is its class"
    return read, [note, *notes]
