"""What a prediction is, and one that the networks have run for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from amsunet.data.images import Array, write_image
from amsunet.data.masks import MaskConvention
from amsunet.data.overlay import draw_outlines, within
from amsunet.errors import InputError
from amsunet.inference.forward import to_labels, to_probabilities
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.objects import Objects, find_objects
from amsunet.inference.outputs import mask_paths
from amsunet.inference.prepared_image import Prepared
from amsunet.inference.uncertainty import measure_uncertainty, review_reasons_of
from amsunet.wording import setting

NO_NUMBERS = "no_numbers"
"""Code of the error of an image for which a network gives NaN or infinity."""
_LOSSLESS = (".png", ".tif", ".tiff")


def describe_no_numbers(image: object) -> str:
    """That a network gives NaN or infinity for an image, and what to do."""
    return (
        f"{image} has no mask, because the network gives no numbers for it (NaN or infinity): predict it with "
        f"{setting(precision='float32')}, or train again"
    )


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of one image, at the image's own size.

    ``probability`` is (num_classes, H, W) of float32 and sums to 1 over the classes; ``mask`` is (H, W) of uint8
    with the class numbers, 0 for background; ``spacing`` is millimetres a pixel (rows, columns), where the image or
    the options of the prediction say it.
    ``out_of_distribution`` is in what the image differs from all training images, where it does.
    ``uncertainty_limit`` is the uncertainty that one in ten validation images exceeds, where it is known.
    ``polarity`` is how the image was taken, where it was in doubt whether objects are darker or brighter than their
    ground. ``separation`` is how deep a waist must be, in pixels, where objects that touch are parted; see
    ``find_objects``. ``window`` is the values that are black and white for the network in all images, where they are
    the same; overlays show these.

    Example:
        >>> import amsunet
        >>> result = amsunet.load("zoo:nuclei").predict("image.png")
        >>> result.mask.shape, result.probability.shape, result.class_names
        ((128, 128), (2, 128, 128), ('background', 'foreground'))
        >>> result.to_mask().dtype, sorted(result.areas())  # as the training masks: 0 and 255
        (dtype('uint8'), ['background', 'foreground'])
        >>> [path.name for path in result.save("mask.png")]
        ['mask.png']
    """

    name: str
    probability: Array
    mask: Array
    convention: MaskConvention
    spacing: tuple[float, float] | None = None
    out_of_distribution: str = ""
    uncertainty_limit: float | None = None
    polarity: str = ""
    separation: float = 0.0
    window: tuple[float, float] | None = None

    @cached_property
    def objects(self) -> Objects:
        """The objects of the mask, parted at their waists if there is a ``separation``, else connected components."""
        return find_objects(self.mask, self.separation)

    @cached_property
    def uncertainty(self) -> float:
        """One minus the Dice to be expected, from 0 (sure) to 1 (lost)."""
        return measure_uncertainty(self.probability, self.mask)

    @property
    def review_reasons(self) -> tuple[str, ...]:
        """Why the mask is to be checked, if it is."""
        return review_reasons_of(self.uncertainty, self.uncertainty_limit, self.out_of_distribution, self.polarity)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of all classes, the background first."""
        return self.convention.class_names

    def to_mask(self) -> Array:
        """The mask in the convention of the training masks: pixel values, object numbers or colours."""
        parted = self.convention.kind == "instances" and self.separation > 0
        return self.convention.encode(self.mask, self.objects.numbers if parted else None)

    def save(self, path: str | Path) -> list[Path]:
        """Write the mask as ``to_mask`` gives it, in place of a file that is there.

        Args:
            path: The file, which ends in .png, .tif or .tiff. Where the training masks have a folder for each class,
                the masks go into folders of these names beside it.

        Returns:
            The files written.

        Raises:
            InputError: For another suffix: a mask in JPEG has other values than were written.
        """
        path = Path(path)
        if path.suffix.lower() not in _LOSSLESS:
            raise InputError(f"{path} would not keep the values of a mask: name it {path.with_suffix('.png').name}")
        return self.write_to(mask_paths(path.parent, path.stem, self.convention, path.suffix))

    def write_to(self, paths: Sequence[Path]) -> list[Path]:
        """Write the mask to the file, or to the files, one a class, that ``mask_paths`` names."""
        if self.convention.kind == "folders":
            for label, path in enumerate(paths, start=1):
                write_image(path, (self.mask == label).astype(np.uint8) * 255)
        else:
            write_image(paths[0], self.to_mask())
        return list(paths)

    def overlay(self, image: Array) -> Image.Image:
        """The image, (H, W, C) as read, with the outline of every class."""
        return Image.fromarray(draw_outlines(within(image, self.window), self.mask))

    def areas(self) -> dict[str, int]:
        """Pixels of each class, by name."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.class_names))
        return {name: int(count) for name, count in zip(self.class_names, counts, strict=False)}

    def areas_mm2(self) -> dict[str, float]:
        """Square millimetres of each class, by name.

        Raises:
            InputError: If the size of a pixel is not known.
        """
        if self.spacing is None:
            raise InputError(f"how large a pixel of {self.name} is, is not known: set {setting('spacing')}")
        return {name: count * math.prod(self.spacing) for name, count in self.areas().items()}


@dataclass(frozen=True)
class PendingSegmentation:
    """The logits of one image. ``finish`` makes the segmentation of them: once, for it uses them up, in any thread."""

    image: Prepared
    logits: Array
    """(K, h, w) of the last network."""
    total: Array | None
    """(K, H, W), the sum of the probabilities of the networks before it; None of a single one."""
    networks: int
    description: ModelDescription
    has_numbers: bool = True
    """Whether the logits of all networks are finite."""

    def finish(self) -> Segmentation:
        """Logits to probabilities, their mean over the networks, and labels.

        Raises:
            InputError: If logits are NaN or infinite: no mask is made of nothing.
        """
        if not self.has_numbers:
            raise InputError(describe_no_numbers(self.image.name), code=NO_NUMBERS)
        image, known = self.image, self.description
        probabilities = to_probabilities(self.logits, *image.size)
        if self.total is not None:
            probabilities += self.total
            probabilities /= np.float32(self.networks)
        labels = to_labels(probabilities, known.threshold, image.smallest)
        return Segmentation(
            image.name,
            probabilities,
            labels,
            known.convention,
            spacing=image.spacing,
            out_of_distribution=image.out_of_distribution,
            uncertainty_limit=known.uncertainty_limit,
            polarity=image.polarity,
            separation=image.separation,
            window=known.preprocessing.ends,
        )
