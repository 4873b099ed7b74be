"""What a prediction is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from amsunet.data.images import Array
from amsunet.data.masks import MaskConvention
from amsunet.data.overlay import draw_outlines


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of one image, at the image's own size.

    ``probability`` is (num_classes, H, W) of float32 and sums to 1 over the classes; ``mask`` is (H, W) of uint8
    with the class numbers, 0 for background; ``spacing`` is millimetres a pixel (rows, columns) where known.
    """

    name: str
    probability: Array
    mask: Array
    convention: MaskConvention
    spacing: tuple[float, float] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.convention.class_names

    def as_stored(self) -> Array:
        """The mask in the convention of the training masks: pixel values, object numbers or colours."""
        return self.convention.encode(self.mask)

    def overlay(self, image: Array) -> Image.Image:
        """The image, (H, W, C) as read, with the outline of every class."""
        return Image.fromarray(draw_outlines(image, self.mask))

    def areas(self) -> dict[str, int]:
        """Pixels of each class, by name."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.class_names))
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=False)}
