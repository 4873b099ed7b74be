"""Whether what would be foreground lies all around, so that it may be the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from amsunet.data.mask_kinds import of_threshold
from amsunet.data.mask_summary import MaskSummary
from amsunet.data.masks import MaskConvention, name_numbers
from amsunet.errors import InputError

_NEARLY_ALL = 0.8


def surrounds(masks: Sequence[MaskSummary], convention: MaskConvention) -> bool:
    """Whether what would be foreground covers most of nearly all masks, and lies all around."""

    def share(mask: MaskSummary, held: Mapping[float, int]) -> float:
        inside = sum(n for value, n in held.items() if convention.is_foreground(value, colour=mask.colour))
        return inside / max(1, sum(held.values()))

    around = [
        share(mask, mask.edge) >= 0.95 and share(mask, mask.counts) > 0.5
        for mask in masks
        if share(mask, mask.counts) > 0
    ]
    return len(around) >= _NEARLY_ALL * len(masks) and sum(around) >= _NEARLY_ALL * len(around)


def of_soft(
    masks: Sequence[MaskSummary], threshold: float, note: str, ignore: int | None = None
) -> tuple[MaskConvention, list[str]]:
    convention = of_threshold(threshold, ignore)
    if surrounds(masks, convention):
        raise InputError(
            f"{masks[0].path} and most other masks are bright around and dark within, with soft edges: invert the "
            f"masks if that is the background, or say --mask-threshold {name_numbers([threshold])} if it is the object"
        )
    return convention, [note]
