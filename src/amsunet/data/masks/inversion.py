"""Masks that may be inverted: what would be foreground surrounds the image, as a background does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from amsunet.data.masks.convention import MaskConvention
from amsunet.data.masks.kinds import threshold_convention
from amsunet.data.masks.summary import MaskSummary
from amsunet.errors import InputError
from amsunet.wording import setting

_NEARLY_ALL = 0.8
_MOST = 0.6
"""Least share of all pixels, and of those on the border: half of an image, cut off by a line, surrounds nothing."""
_SOME = 0.1


def surrounds(masks: Sequence[MaskSummary], convention: MaskConvention) -> bool:
    """Whether what would be foreground covers most of nearly all masks, and lies all around.

    Args:
        masks: Summaries of all masks.
        convention: What the values would mean.
    """
    around = [_is_around(mask, convention, 3, _MOST) for mask in masks if _share(mask, mask.counts, convention) > 0]
    return len(around) >= _NEARLY_ALL * len(masks) and sum(around) >= _NEARLY_ALL * len(around)


def warn_of_inversion(masks: Sequence[MaskSummary], convention: MaskConvention, options: str) -> list[str]:
    """Warn of masks that are bright around while others are dark around, as if some were inverted.

    Args:
        masks: Summaries of all masks.
        convention: What the values would mean.
        options: The setting that takes all masks as they are.

    Returns:
        A warning if a few masks differ from the others, and one if many mark the border of their image.

    Raises:
        InputError: If many masks differ from the others.
    """
    held = [(mask, _share(mask, mask.counts, convention)) for mask in masks]
    bright = [mask for mask, share in held if share < 1 and _is_around(mask, convention, 4, 0.95)]
    dark = [mask for mask, share in held if 0 < share < 0.5 and _share(mask, mask.edge, convention) < 0.05]
    framed = [mask for mask, share in held if 0 < share < 0.5 and _share(mask, mask.edge, convention) >= 0.95]
    notes = []
    if len(framed) > _SOME * len(masks):
        notes.append(
            f"{framed[0].path} marks the whole border of its image ({len(framed)} of {len(masks)} masks do), as a "
            "frame or what lies outside of a view: look whether that is meant"
        )
    if not bright or not dark:
        return notes
    difference = (
        f"{bright[0].path} is bright around and dark within ({len(bright)} of {len(masks)} masks are), "
        f"{dark[0].path} the other way round"
    )
    if min(len(bright), len(dark)) < _SOME * len(masks):
        return [*notes, f"{difference}: look whether some are inverted"]
    raise InputError(f"{difference}: invert the ones that are wrong, or set {options} if all are right as they are")


def how_to_invert(convention: MaskConvention) -> str:
    """What to do if binary masks turn out to be inverted.

    Args:
        convention: By which they were read.
    """
    if convention.kind not in ("values", "colours"):
        return "invert them"
    colours = {"colours": True} if convention.kind == "colours" else {}
    return f"set {setting(classes=convention.values[::-1], **colours)}"


def surrounding_value(masks: Sequence[MaskSummary]) -> int | None:
    """Find a value that looks like the background: it covers most of nearly all masks and lies all around.

    Args:
        masks: Summaries of all masks.

    Returns:
        The value, or None if there is none but 0.
    """
    found = [max(mask.counts, key=mask.counts.__getitem__) for mask in masks]
    value = Counter(found).most_common(1)[0][0]
    held = [mask for mask, most in zip(masks, found, strict=True) if most == value]
    all_around = [mask for mask in held if mask.edge.get(value, 0) >= 0.95 * sum(mask.edge.values())]
    area = [mask.counts[value] > 0.5 * sum(mask.counts.values()) for mask in all_around]
    return int(value) if value > 0 and value % 1 == 0 and sum(area) >= _NEARLY_ALL * len(masks) else None


def _is_around(mask: MaskSummary, convention: MaskConvention, corners: int, edge: float) -> bool:
    held = sum(convention.is_foreground(value, colour=mask.colour) for value in mask.corners)
    return (
        held >= corners
        and _share(mask, mask.edge, convention) >= edge
        and _share(mask, mask.counts, convention) > _MOST
    )


def _share(mask: MaskSummary, held: Mapping[float, int], convention: MaskConvention) -> float:
    inside = sum(n for value, n in held.items() if convention.is_foreground(value, colour=mask.colour))
    return inside / max(1, sum(held.values()))


def soft_convention(
    masks: Sequence[MaskSummary], threshold: float, note: str, ignore: int | None = None
) -> tuple[MaskConvention, list[str]]:
    """The convention of binary masks with soft edges.

    Args:
        masks: Summaries of all masks.
        threshold: Foreground from this value on.
        note: How the threshold was found.
        ignore: The value of ignored pixels.

    Returns:
        The convention and the note.

    Raises:
        InputError: If the masks may be inverted.
    """
    convention = threshold_convention(threshold, ignore)
    if surrounds(masks, convention):
        raise InputError(
            f"{masks[0].path} and most other masks are bright around and dark within, with soft edges: invert the "
            f"masks if that is the background, or set {setting(threshold=threshold)} if it is the object"
        )
    return convention, [note, *warn_of_inversion(masks, convention, setting(threshold=threshold))]


def refuse_two_backgrounds(
    masks: Sequence[MaskSummary], name: Callable[[int], str], advice: Callable[[int], str]
) -> None:
    """Refuse masks that differ in the value around everything else, if no mask holds both of these values.

    Args:
        masks: Summaries of all masks; greys among colours count as colours.
        name: A value as a user would write it.
        advice: What to set if both are right, from the rarer one.

    Raises:
        InputError: If a share of the masks differs from the others.
    """
    colour = any(mask.colour for mask in masks)
    around: dict[int, list[MaskSummary]] = defaultdict(list)
    for mask in masks:
        most = max(mask.counts, key=mask.counts.__getitem__)
        all_around = mask.edge.get(most, 0) >= 0.95 * sum(mask.edge.values())
        if (
            len(mask.counts) > 1
            and all_around
            and most % 1 == 0
            and mask.counts[most] > 0.5 * sum(mask.counts.values())
        ):
            around[int(most) * (0x010101 if colour and not mask.colour else 1)].append(mask)
    (first, usual), (second, others) = [*sorted(around.items(), key=lambda one: -len(one[1])), (0, []), (0, [])][:2]
    both = {first, second}
    if len(others) < max(2, _SOME * len(masks)) or any(both <= set(mask.counts) for mask in masks):
        return
    raise InputError(
        f"{others[0].path} is {name(second)} around ({len(others)} of {len(masks)} masks are), {usual[0].path} "
        f"{name(first)}, and no mask holds both, as if backgrounds differed: save all masks with one, or "
        f"{advice(second)}"
    )
