"""An image made ready for networks: normalised, the right way round, at working size.

Bright objects on dark, or dark ones on bright: where an image leaves it open, the network is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from amsunet.data.images import Array
from amsunet.data.normalization import IntensityRange
from amsunet.data.preprocessing import InputFormat, Preprocessing, channels_first
from amsunet.data.spacing import Spacing
from amsunet.wording import setting

Choose = Callable[[InputFormat, IntensityRange, Callable[[IntensityRange], Array]], IntensityRange]
"""Takes the kind of a view, the range found, and what makes the view by a range; gives the range to be taken."""
_COLOURED = 0.03
"""Difference between the channels of an image, as a share of the range of its values."""
_SIDE = 1024
"""Pixels, on a side, of the middle of an image that are looked at."""


@dataclass(frozen=True)
class Prepared:
    """An image as the networks take it."""

    name: str
    size: tuple[int, int]
    """Height and width of the image."""
    views: dict[InputFormat, Array]
    """(C, h, w) of uint8: the networks of an ensemble may differ in their kind."""
    out_of_distribution: str
    """In what the image differs from the training images of every network; empty if it is not."""
    smallest: float
    """Pixels of the image below which objects are left out."""
    polarity: str = ""
    """Whether it was in doubt if objects are darker or brighter than their ground, and how it was taken."""
    separation: float = 0.0
    """Pixels of the image by which waists are less deep where objects are parted."""
    spacing: Spacing | None = None
    """Millimetres a pixel of the image, down and across, where it is known."""

    @property
    def working_size(self) -> tuple[int, int]:
        """Height and width at which the networks see the image."""
        _, height, width = next(iter(self.views.values())).shape
        return height, width


def prepare_image(
    image: Array,
    name: str,
    preprocessings: Mapping[InputFormat, Preprocessing],
    *,
    choose: Choose,
    out_of_distribution: Callable[[Mapping[InputFormat, Array]], str],
    smallest: float,
    separation: float = 0.0,
    spacing: Spacing | None = None,
) -> Prepared:
    """Prepare an image as read, (H, W, C).

    Args:
        image: As read, (H, W, C).
        name: What the image is called by.
        preprocessings: How the networks want images.
        choose: Chooses between ranges where there are two.
        out_of_distribution: In what an image, (h, w, C) of uint8 of each kind, differs from those trained on.
        smallest: Pixels of the image below which objects are left out.
        separation: Pixels of the image by which waists are less deep where objects are parted.
        spacing: Millimetres a pixel (rows, columns), where it is known.
    """
    seen, guesses, polarity = {}, [], ""
    for key, kind in preprocessings.items():
        found = kind.find_range(image)
        seen[key], chosen = _view(image, key, kind, found, choose, spacing)
        guesses.append(found.guess)
        polarity = polarity or describe_polarity(found, chosen)
    unseen = all(channels == 1 for channels, _ in seen) and _is_coloured(image)
    difference = out_of_distribution(seen) or ("colours, and the network takes grey images" if unseen else "")
    reasons = "; ".join(dict.fromkeys(filter(None, (*guesses, difference))))
    views = {key: channels_first(view) for key, view in seen.items()}
    size = image.shape[0], image.shape[1]
    return Prepared(name, size, views, reasons, smallest, polarity, separation, spacing)


def _view(
    image: Array, key: InputFormat, kind: Preprocessing, found: IntensityRange, choose: Choose, spacing: Spacing | None
) -> tuple[Array, IntensityRange]:
    """What networks see of an image, (h, w, C) of uint8, and by which range; each is made once: it may be large."""
    made: list[tuple[IntensityRange, Array]] = []

    def view(one: IntensityRange) -> Array:
        made.append((one, kind.resize(kind.normalize(image, one), spacing)))
        return made[-1][1]

    chosen = choose(key, found, view)
    kept = [seen for one, seen in made if one is chosen]
    return kept[0] if kept else view(chosen), chosen


def _is_coloured(image: Array) -> bool:
    """Whether an image, (H, W, C), has more colour than grey stored as JPEG has."""
    if image.shape[2] == 1:
        return False
    some = image[:: max(1, image.shape[0] // 256), :: max(1, image.shape[1] // 256)].astype(np.float32)
    return float(np.ptp(some, axis=2).mean()) > _COLOURED * max(float(np.ptp(some)), 1e-6)


def choose_range(
    found: IntensityRange, view: Callable[[IntensityRange], Array], expected_dice: Callable[[Array], float]
) -> IntensityRange:
    """The intensity range by which a network expects to be right, of two where there are two.

    A network that was trained to see bright objects on dark is less sure of what it finds in the gaps between objects.
    What the image itself shows counts too: the other range must be better by the lead of the first.

    Args:
        found: The range that the image suggests, with its inverse if that is uncertain.
        view: Makes the image (h, w, C) of uint8 that the network sees by a range.
        expected_dice: One minus the uncertainty of the network's mask of such an image.
    """
    if found.other is None:
        return found
    first, other = (expected_dice(_middle(view(one))) for one in (found, found.other))
    return found if first + found.lead >= other else found.other


def describe_polarity(found: IntensityRange, chosen: IntensityRange) -> str:
    """What was in doubt, and how it was taken; empty if nothing was."""
    if found.other is None:
        return ""
    dark, bright = ("dark objects on bright", "bright-on-dark"), ("bright objects on dark", "dark-on-bright")
    taken, other = dark if chosen.low > chosen.high else bright
    return (
        f"may show bright objects on dark or dark ones on bright, taken as {taken}: if that is wrong, set "
        f"{setting(polarity=other)}"
    )


def _middle(view: Array) -> Array:
    top, left = (max(0, (side - _SIDE) // 2) for side in view.shape[:2])
    return view[top : top + _SIDE, left : left + _SIDE]
