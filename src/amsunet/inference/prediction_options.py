"""What a prediction of many images writes, and what it does with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amsunet.inference.result_formats import choose_forms


@dataclass(frozen=True)
class PredictionOptions:
    """Options of a prediction into a folder, travelling whole.

    Args:
        overlay: Also write ``overlays/NAME.png``, the image with outlines.
        probability: Also write ``probabilities/NAME.png``, 16 bits for 0 ... 1; a file a class if more than two.
        overwrite: Let masks take the place of files that are there already, but never of an image they are made from.
        resume: Go on with what was predicted into the folder: masks that the same network made of the same image stay,
            and what has changed is made anew.
        also: Other forms of each result (``result_formats.FORMS``), for other programs, each in a folder of its name;
            ``coco``, ``objects`` and ``counts`` also as one file for all images.
        level: Of slides that are pyramids, the level whose pixels are those of an image.
        largest_component: Of volumes, keep the largest component of each class alone, found across slices.
        axes: Of TIFF files that hold several pages, as ``ZYX`` or ``ZCYX``: every slice and moment is an image, and
            its mask is called ``NAME_z003``.

    Raises:
        InputError: For a form that there is not, or whose package is not installed.
    """

    overlay: bool = False
    probability: bool = False
    overwrite: bool = False
    resume: bool = False
    also: str | Sequence[str] = ()
    level: int = 0
    largest_component: bool = False
    axes: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", choose_forms(self.also))

    @property
    def forms(self) -> tuple[str, ...]:
        """The other forms, checked, each once."""
        return tuple(self.also)
