"""Values that cover no more than noise in a few masks: a stray pixel is no class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from amsunet.data.masks.convention import name_colours, name_numbers, name_value
from amsunet.data.masks.summary import MaskSummary
from amsunet.errors import InputError
from amsunet.wording import setting

_NOISE = 0.002
"""Most pixels of a stray value, as a share of the median value's."""
_FEW = 0.1
"""Largest share of masks that hold a stray value."""


_SHOWN = 8
"""Most stray values that a message lists."""
_NEAR = 8
"""Largest difference between values that were meant to be one."""
_WHITES = (255, 65535)
"""The largest values of 8 and of 16 bits."""
Advice = Callable[[Sequence[float]], tuple[str, str]]


def refuse_stray_values(
    masks: Sequence[MaskSummary],
    totals: Mapping[Any, int],
    values: Sequence[float],
    advice: Advice,
    *,
    most: int | None = None,
) -> None:
    """Refuse a data set with stray values: so few pixels in so few masks that they are hardly a class.

    Args:
        masks: Summaries of all masks.
        totals: Pixels of each value in all masks.
        values: The values to check; 0 is never stray.
        advice: From stray values to their names and the settings that keep or ignore them.
        most: Refuse no more stray values than this; None for any number.

    Raises:
        InputError: If there are stray values.
    """
    usual = float(np.median([totals[value] for value in values if value]))
    stray: dict[float, list[MaskSummary]] = {}
    for value in values:
        holding = [mask for mask in masks if value in mask.counts]
        few = totals[value] <= max(4, _NOISE * usual) and not any(mask.cores.get(value) for mask in holding)
        if value and few and 0 < len(holding) <= max(1, _FEW * len(masks)):
            stray[value] = holding
    if not stray or (most is not None and len(stray) > most):
        return
    held = {id(mask): mask for holding in stray.values() for mask in holding}
    first = next(iter(held.values()))
    name, remedy = advice([*stray])
    if len(stray) == 1:
        pixels = first.counts[next(iter(stray))]
        raise InputError(
            f"{first.path} holds the value {name} in {pixels} pixels, as do {len(held)} of {len(masks)} masks: fix "
            f"it, or set {remedy}"
        )
    raise InputError(
        f"{first.path} holds one of the values {name} in stray pixels, as do {len(held)} of {len(masks)} masks: fix "
        f"them, or set {remedy}"
    )


def numbers_advice(values: Sequence[float]) -> Advice:
    """Make the advice of ``refuse_stray_values`` for masks of numbers.

    Args:
        values: All values of the masks.

    Returns:
        A function from stray values to their names and the settings, filled in with all values.
    """

    def advice(stray: Sequence[float]) -> tuple[str, str]:
        rest = tuple(value for value in values if value not in stray)
        all_of_them = setting(classes=tuple(values))
        if len(stray) > 1:
            shown = name_numbers(stray[:_SHOWN]) + (",..." if len(stray) > _SHOWN else "")
            return shown, f"{all_of_them} if they are classes"
        return name_value(stray[0]), (
            f"{setting(classes=rest, ignore_value=stray[0])} if these pixels are to be ignored, or {all_of_them} if "
            "they are a class"
        )

    return advice


def colours_advice(colours: Sequence[int]) -> Advice:
    """Make the advice of ``refuse_stray_values`` for colour masks, whose colours cannot be ignored.

    Args:
        colours: All colours of the masks, as 65536 R + 256 G + B.

    Returns:
        A function from stray colours to their names and the settings, filled in with all colours.
    """

    def advice(stray: Sequence[float]) -> tuple[str, str]:
        kind = "a class" if len(stray) == 1 else "classes"
        named = name_colours([int(value) for value in stray])
        return named, f"{setting(classes=tuple(colours), colours=True)} if they are {kind}"

    return advice


def refuse_nearly_white(masks: Sequence[MaskSummary], values: Sequence[float]) -> None:
    """Refuse white beside nearly white, as 254 and 255, and nothing else: hardly anybody numbers classes so.

    Args:
        masks: Summaries of all masks.
        values: All values that they hold, without ignored ones, from the smallest on.

    Raises:
        InputError: If there are no other values; the message names both readings.
    """
    white, near = values[-1], values[1:-1]
    if values[0] or not near or white not in _WHITES or white - near[0] > _NEAR or any(mask.lossy for mask in masks):
        return
    odd = next(mask for mask in masks if near[0] in mask.counts)
    usual = next(mask for mask in masks if white in mask.counts)
    both = f"holds {', '.join(map(name_value, [*near, white]))}"
    apart = f"marks with {name_value(near[0])}, {usual.path} with {name_value(white)}"
    raise InputError(
        f"{odd.path} {both if white in odd.counts else apart}, as if one value was changed a little: set "
        f"{setting(threshold=(int(white) + 1) // 2)} if all are the one foreground, or "
        f"{setting(classes=tuple(values))} if they are different classes"
    )
