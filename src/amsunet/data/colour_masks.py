"""What the colours of a data set's masks mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from amsunet.data.mask_kinds import of_colours, of_objects, of_threshold
from amsunet.data.mask_summary import MaskSummary
from amsunet.data.mask_surroundings import of_soft, surrounds
from amsunet.data.masks import MaskConvention, MaskOptions, name_colours
from amsunet.data.odd_values import colours_advice, refuse_odd_values
from amsunet.data.soft_masks import threshold_of_soft
from amsunet.errors import InputError


def find_of_colours(masks: Sequence[MaskSummary], options: MaskOptions) -> tuple[MaskConvention, list[str]]:
    """Find what colours mean: classes, or one foreground with soft edges.

    Returns: the convention, and what should be said aloud about how it was found.
    Raises: InputError for masks that cannot be understood without being told.
    """
    colour = next(mask for mask in masks if mask.colour)
    if options.ignore_value is not None and not options.colours:
        raise InputError(f"{colour.path} is a colour mask, where --ignore-value has no meaning: leave it out")
    if options.threshold is not None:
        return of_threshold(options.threshold), []
    if options.instances:
        return of_objects(), []
    if options.classes is not None:
        if not options.colours:
            raise InputError(f"{colour.path} is a colour mask: say --classes with colours, as #000000,#ff0000")
        return of_colours(options.classes), []
    if soft := threshold_of_soft(masks):
        return of_soft(masks, *soft)
    totals: Counter[int] = Counter()
    for mask in masks:
        # A grey mask among colour masks is one that happens to hold black, white or grey only.
        totals.update({int(v) * (1 if mask.colour else 0x010101): n for v, n in mask.counts.items()})
    if len(totals) == 1:
        raise InputError(
            f"{colour.path} and all other masks hold one colour ({name_colours([*totals])}) in every pixel: nothing "
            "can be learned from that"
        )
    black_first = sorted(totals)
    refuse_odd_values(masks, totals, black_first, colours_advice(black_first))
    return _background_of_colours(masks, totals)


def _background_of_colours(masks: Sequence[MaskSummary], totals: Counter[int]) -> tuple[MaskConvention, list[str]]:
    """Black is the background, or what covers most where there is no black; refused where white lies around."""
    most = totals.most_common(1)[0][0]
    if 0 not in totals:
        values = (most, *sorted(set(totals) - {most}))
        return of_colours(values), [
            f"{name_colours([most])} is taken as background, for it covers most (say --classes to change it)"
        ]
    values = (0, *sorted(set(totals) - {0}))
    if most and surrounds(masks, of_colours((0, most))):
        other = (most, *(value for value in values if value != most))
        raise InputError(
            f"{masks[0].path} and most other masks are {name_colours([most])} around: say --classes "
            f"'{name_colours(other)}' if that is the background, or --classes '{name_colours(values)}' if black is"
        )
    return of_colours(values), []
