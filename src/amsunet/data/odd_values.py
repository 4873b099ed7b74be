"""Values that cover no more than noise in a few masks: a stray pixel is no class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from amsunet.data.mask_summary import MaskSummary
from amsunet.data.masks import name_colours, name_numbers, name_value
from amsunet.errors import InputError

_NOISE = 0.002
"""Pixels of a value that is none, in terms of those of the usual one."""
_FEW = 0.1
"""Largest share of masks that hold it."""


def refuse_odd_values(
    masks: Sequence[MaskSummary],
    totals: Mapping[Any, int],
    values: Sequence[float],
    advice: Callable[[float], tuple[str, str]],
) -> None:
    """Refuse a data set in which a value but 0 is no more than noise.

    Args:
        totals: pixels of each value in all masks.
        advice: the name of a value, and how to say that it is a class, or does not count.
    """
    usual = float(np.median([totals[value] for value in values if value]))
    for value in values:
        holding = [mask for mask in masks if value in mask.counts]
        stray = totals[value] <= max(4, _NOISE * usual) and not any(mask.cores.get(value) for mask in holding)
        if value and stray and 0 < len(holding) <= max(1, _FEW * len(masks)):
            name, way_out = advice(value)
            raise InputError(
                f"{holding[0].path} holds the value {name} in {holding[0].counts[value]} pixels, as do {len(holding)} "
                f"of {len(masks)} masks: mend it, or say {way_out}"
            )


def numbers_advice(values: Sequence[float]) -> Callable[[float], tuple[str, str]]:
    """For ``refuse_odd_values``: options with all values of the masks filled in."""

    def advice(value: float) -> tuple[str, str]:
        rest = name_numbers([other for other in values if other != value])
        return name_value(value), (
            f"--classes {rest} --ignore-value {name_value(value)} if these pixels do not count, or --classes "
            f"{name_numbers(values)} if they are a class"
        )

    return advice


def colours_advice(colours: Sequence[int]) -> Callable[[float], tuple[str, str]]:
    """The same of colours, which cannot be ignored."""
    return lambda value: (name_colours([int(value)]), f"--classes '{name_colours(colours)}' if they are a class")
